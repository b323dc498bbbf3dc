"""Long proofs, by number: `make soak`. A campaign plays scenarios named by whole numbers; any one can be replayed.

    python -m tests.proof.soak                              every campaign, at its usual length
    python -m tests.proof.soak sansio --count 1000000       more of one
    python -m tests.proof.soak sansio --first 217 --count 1 one scenario again

A campaign is a function from a number to counters of what was met ("sometimes" counters: a fault that never struck
proves nothing). What must never happen raises; the number is printed with the command that replays it.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["CAMPAIGNS", "Campaign", "play_range"]

FAILURES_SHOWN = 5  # of one campaign; more of the same teach nothing
MET_AT_LEAST = 100  # what a whole campaign must meet, it must meet in more than a few shapes

Play = Callable[[int], Mapping[str, int]]


PLAYS_PER_CLEANING = 50  # a scenario leaves a heap of small cycles; to look for them all the time costs a tenth


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """`play` is `module:function`: number in, counters out. A process takes `chunk` numbers at a time.

    `must_meet` is `module:NAME` of counters that a campaign of the usual length must have met often enough, which is
    `met_at_least` times. `crowd` processes a core, for what mostly waits.
    """

    play: str
    count: int
    chunk: int
    says: str
    must_meet: str = ""
    met_at_least: int = MET_AT_LEAST
    crowd: int = 1


CAMPAIGNS: Mapping[str, Campaign] = {
    "planted": Campaign(
        play="tests.proof.planted:play",
        count=60,
        chunk=1,
        says="money bugs planted on purpose, each hunted until it is caught",
    ),
    "exhaustive": Campaign(
        play="tests.proof.exhaustive:play",
        count=38,
        chunk=1,
        says="every interleaving of a small world around the core, to the last state",
        must_meet="tests.proof.exhaustive:MUST_MEET",
    ),
    "kills": Campaign(
        play="tests.proof.kills:play_kill",
        count=400,
        chunk=1,
        says="real processes killed at random moments, in first lives and in those that mend them",
        must_meet="tests.proof.kills:MET_BY_KILLS",
        met_at_least=20,
        crowd=4,
    ),
    "points": Campaign(
        play="tests.proof.kills:play_point",
        count=6 * 25,
        chunk=1,
        says="real processes killed at every named failpoint, or a moment after",
        must_meet="tests.proof.kills:MET_AT_POINTS",
        met_at_least=20,
        crowd=4,
    ),
    "signals": Campaign(
        play="tests.proof.kills:play_signal",
        count=200,
        chunk=1,
        says="real processes interrupted once or twice, or nobody reads what they say",
        must_meet="tests.proof.kills:MET_BY_SIGNALS",
        met_at_least=5,
        crowd=4,
    ),
    "lives": Campaign(
        play="tests.proof.lives:play",
        count=50_000,
        chunk=100,
        says="the real engine on a real ledger under virtual time, dying anywhere in all weathers",
        must_meet="tests.proof.lives:MUST_MEET",
    ),
    "io": Campaign(
        play="tests.proof.io:play",
        count=7 * 1024,
        chunk=64,
        says="one call to the disk failed, under the real SQLite: every call of a history, in seven ways",
    ),
    "sansio": Campaign(
        play="tests.proof.sansio_quick:play",
        count=1_000_000,
        chunk=2_000,
        says="lives of the core alone, in virtual time",
        must_meet="tests.proof.sansio:MUST_MEET",
    ),
    "steered": Campaign(
        play="tests.proof.steered:play",
        count=4_000,
        chunk=20,
        says="somebody who turns rates, budget and places, pauses and stops at any moment, in the real engine",
        must_meet="tests.proof.steered:MUST_MEET",
    ),
    "shared": Campaign(
        play="tests.proof.shared_books:play",
        count=20_000,
        chunk=100,
        says="workers with a core each that share one budget, each seeing late what the others do",
        must_meet="tests.proof.shared_books:MUST_MEET",
    ),
    "leases": Campaign(
        play="tests.proof.leases:play",
        count=20_000,
        chunk=100,
        says="workers that share a rate, dying, stopping and losing beats, under a service that counts exactly",
        must_meet="tests.proof.leases:MUST_MEET",
    ),
    "storms": Campaign(
        play="tests.proof.storms:play",
        count=6,
        chunk=1,
        says="six hours of storms of one kind, in virtual time",
    ),
    "crowd": Campaign(
        play="tests.proof.crowd:play_crowd",
        count=3,
        chunk=1,
        says="100,000 tasks in one process: in virtual time, and in real time on two event loops",
    ),
    "day": Campaign(
        play="tests.proof.crowd:play_day",
        count=1,
        chunk=1,
        says="24 hours of 50,000 items, with faults and a death every hour",
    ),
    "power": Campaign(
        play="tests.proof.power:play",
        count=8_000,
        chunk=100,
        says="power losses below SQLite, under both shipped settings",
    ),
    "cuts": Campaign(
        play="tests.proof.wire_cuts:play",
        count=170,
        chunk=1,
        says="the real client, and every kind of answer and request cut at every byte, by FIN and by RST",
    ),
    "wires": Campaign(
        play="tests.proof.wire_runs:play",
        count=2_000,
        chunk=20,
        says="whole runs of the real engine and client, to the simulator's server over wires that break anywhere",
        must_meet="tests.proof.wire_runs:MUST_MEET",
    ),
    "mutations": Campaign(
        play="tests.proof.wire_mutations:play",
        count=1_000,
        chunk=10,
        says="the real client, and answers bent in every way; a number is a hundred of them",
        must_meet="tests.proof.wire_mutations:MUST_MEET",
    ),
}


@dataclass(frozen=True, slots=True)
class _Chunk:
    name: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class _Played:
    counts: Counter[str]
    failures: tuple[tuple[int, str], ...]
    cpu_s: float


def play_range(name: str, first: int, count: int) -> Counter[str]:
    """Play some scenarios here and now; raises what the first violation raises, with the command that replays it."""
    play: Play = _named(CAMPAIGNS[name].play)
    counts: Counter[str] = Counter()
    for number in range(first, first + count):
        try:
            counts.update(play(number))
        except Exception as problem:
            problem.add_note(_replay(name, number))
            raise
    return counts


def _named(path: str) -> Any:
    """Looked up by name, so that what one campaign imports is not needed by all."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _replay(name: str, number: int) -> str:
    return f"replay: python -m tests.proof.soak {name} --first {number} --count 1"


def _play_chunk(chunk: _Chunk) -> _Played:
    play: Play = _named(CAMPAIGNS[chunk.name].play)
    counts: Counter[str] = Counter()
    failures = []
    began_s = time.process_time()
    gc.collect()  # what the chunk before this left would be frozen with the rest, for ever
    gc.freeze()  # what is imported is not garbage, and need not be looked through again and again
    gc.disable()
    for number in range(chunk.first, chunk.first + chunk.count):
        if number % PLAYS_PER_CLEANING == 0:
            gc.collect()
        try:
            counts.update(play(number))
        except Exception:  # noqa: BLE001 - reported, with the number that shows it again
            failures.append((number, traceback.format_exc(limit=-6)))
    return _Played(counts, tuple(failures), time.process_time() - began_s)


def _chunks(name: str, first: int, count: int) -> Iterator[_Chunk]:
    size = CAMPAIGNS[name].chunk
    for start in range(first, first + count, size):
        yield _Chunk(name, start, min(size, first + count - start))


def soak(name: str, *, first: int, count: int, processes: int) -> bool:
    """Play one campaign and print its figures; whether nothing went wrong."""
    print(f"{name}: {CAMPAIGNS[name].says}; {count:,} from number {first}", flush=True)
    began_s = time.monotonic()
    counts: Counter[str] = Counter()
    failures: list[tuple[int, str]] = []
    cpu_s = 0.0
    processes *= CAMPAIGNS[name].crowd
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for played in pool.imap_unordered(_play_chunk, _chunks(name, first, count)):
            counts.update(played.counts)
            failures += played.failures
            cpu_s += played.cpu_s
        pool.close()
        pool.join()  # so that each tidies up behind itself
    took_s = time.monotonic() - began_s
    rate = count / took_s * 60.0
    of_core = f"{count / max(cpu_s, 0.01) * 60.0:,.0f} a minute of one core"
    print(f"  {count:,} in {took_s:.0f} s: {rate:,.0f} a minute, {of_core}")
    for what, times in sorted(counts.items()):
        print(f"  {times:>12,}  {what}")
    for number, trace in sorted(failures)[:FAILURES_SHOWN]:
        print(f"  FAILED {number}\n{trace}  {_replay(name, number)}")
    rare = _too_rare(name, counts) if count >= CAMPAIGNS[name].count else []
    if rare:
        print(f"  TOO TAME: met fewer than {CAMPAIGNS[name].met_at_least} times: {', '.join(rare)}")
    print(f"  {len(failures)} of {count:,} failed", flush=True)
    return not (failures or rare)


def _too_rare(name: str, counts: Mapping[str, int]) -> list[str]:
    must_meet = CAMPAIGNS[name].must_meet
    return [what for what in _named(must_meet) if counts[what] < CAMPAIGNS[name].met_at_least] if must_meet else []


def main(arguments: Sequence[str]) -> int:
    """Exit code 1 when anything failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.soak", description="Play long proofs.")
    parser.add_argument("campaigns", nargs="*", metavar="NAME", help=f"of {', '.join(CAMPAIGNS)}")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args(arguments)
    if unknown := set(asked.campaigns) - CAMPAIGNS.keys():
        parser.error(f"no campaign is called {', '.join(sorted(unknown))}")
    fine = [
        soak(name, first=asked.first, count=asked.count or CAMPAIGNS[name].count, processes=asked.processes)
        for name in asked.campaigns or CAMPAIGNS
    ]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
