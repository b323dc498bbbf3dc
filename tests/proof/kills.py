"""Real processes against a real server on a loopback port, killed and interrupted at any moment, then judged.

Three campaigns. `kills`: SIGKILL at random moments, in first lives and in those that mend them. `points`: at a named
failpoint, or a moment after it. `signals`: SIGINT, SIGTERM, SIGHUP, once or twice, and a reader who hangs up. Lives
follow each other until one ends by itself with the code that the scenario deserves; then everything is judged.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from jobs.outcome import interrupted_code
from runner.failpoints import POINTS
from runner.sim.profile import DEMO_KEY
from tests.proof.audit import ViolationError
from tests.proof.kills_judge import Judged, judge
from tests.proof.kills_zygote import HANG_UP, HEARD, LIFE_S_MAX, Ended, Nursery, Order, Strike, Zygote

__all__ = [
    "MET_AT_POINTS",
    "MET_BY_KILLS",
    "MET_BY_SIGNALS",
    "World",
    "begin",
    "drawn",
    "end",
    "play_kill",
    "play_point",
    "play_signal",
    "world",
]

ASSETS = Path(__file__).parents[2] / "manifests" / "assets"
LIVES_MAX = 8  # without an accident: more than this and the runs do not get on
ANYWHERE = 0.25  # the share of deaths after which the remains are judged before the next life mends them

MANIFEST = """\
version: 1
name: trial
budget: {{credits: {cap}}}
limits: {{creates: 200/s, polls: 200/s, uploads: 50/s, in_flight: {in_flight}, first_poll: 40ms, poll_gap: 30ms}}
references:
  shoe: {{file: shoe.png}}
  mug: {{file: mug.png}}
jobs:
  - id: plain
    model: z-image
    prompt: "picture {{{{ vars.n }}}}"
    matrix: {{grid: {{vars.n: [{plain}]}}}}
  - id: dressed
    model: nano-banana
    prompt: "{{{{ vars.n }}}} from here"
    references: [shoe, mug]
    matrix: {{grid: {{vars.n: [{dressed}]}}}}
"""

# What may go wrong at the service. Each strikes a few times at most, so that the last life may end well.
CREATE_FAULTS: Sequence[Mapping[str, object]] = (
    {"drop": "after_effect"},
    {"drop": "before_effect"},
    {"status": 502},
    {"status": 502, "after_effect": True},
    {"status": 503, "retry_after": 1},
    {"code": "rate_limited", "retry_after": 1},
    {"cut_after_bytes": 20},
    {"body": "html"},
)
FAULTS: Sequence[tuple[str, Mapping[str, object]]] = (
    ("create", {"delay_s": 0.2}),
    ("poll", {"status": 500}),
    ("poll", {"drop": "before_effect"}),
    ("poll", {"cut_after_bytes": 30}),
    ("poll", {"code": "rate_limited"}),
    ("upload", {"status": 502}),
    ("upload", {"drop": "after_effect"}),
    ("credits", {"status": 503}),
    ("result", {"cut_after_bytes": 50}),
    ("result", {"status": 503}),
    ("result", {"delay_s": 0.1}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One scenario's service and manifest, drawn from its number."""

    plain: int
    dressed: int
    in_flight: int
    cap: int
    profile: tuple[str, ...]
    faults: tuple[Mapping[str, object], ...]

    @property
    def manifest(self) -> str:
        return MANIFEST.format(
            cap=self.cap,
            in_flight=self.in_flight,
            plain=", ".join(f"p{n}" for n in range(self.plain)),
            dressed=", ".join(f"d{n}" for n in range(self.dressed)),
        )


def drawn(dice: random.Random, *, faulty: float = 0.5, slow: bool = False) -> Setting:
    """Differs from the next in kind, not only in luck: some services are sound, the others fail each in its own way."""
    plain, dressed = dice.randint(2, 7), dice.randint(1, 3)
    faults: list[Mapping[str, object]] = []
    if dice.random() < faulty:
        # One kind of answer to creates: two at once could say "not now" to what was done, which no service may.
        does = [("create", dice.choice(CREATE_FAULTS)), *(fault for fault in FAULTS if dice.random() < 0.2)]
        for endpoint, what in does:
            match = {"endpoint": endpoint, "share": dice.choice((0.3, 1.0))}
            faults.append({"match": match, "do": what, "times": dice.randint(1, 2)})
    if dice.random() < 0.15:
        faults.append({"match": {"endpoint": "create", "prompt_contains": "p1"}, "do": {"fail": "generation_failed"}})
    profile = (
        "windows=creates:1000/1",
        f"queue_s={dice.choice((0.0, 0.03))}",
        f"durations=*:{dice.choice((0.0, 0.08, 0.25))}",
        f"create_takes_s={0.3 if slow else dice.choice((0.0, 0.0, 0.05, 0.15))}",
        f"create_status={dice.choice((200, 201, 202))}",
        f"in_flight={dice.choice(('wait', 'wait', 'conflict'))}",
        f"replay_body={dice.choice(('first', 'current'))}",
        f"gates_first={dice.choice(('auth,limits', 'auth,limits,validation,credits'))}",
    )
    return Setting(
        plain=plain,
        dressed=dressed,
        in_flight=dice.choice((2, 16)),
        cap=plain + 3 * dressed + dice.choice((0, 0, 40)),
        profile=profile,
        faults=tuple(faults),
    )


@dataclass(slots=True, kw_only=True)
class World:
    """One folder, one service, any number of lives."""

    folder: Path
    nursery: Nursery
    setting: Setting
    where: str
    base_url: str
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def live(self, argv: Sequence[str] = ("run", "m.yaml", "--yes", "--json"), **more: object) -> Ended:
        """One life; one that hangs is a violation."""
        order = Order(
            argv=argv,
            cwd=str(self.folder),
            env={
                "RIVYA_API_KEY": DEMO_KEY,
                "RIVYA_BASE_URL": self.base_url,
                "HOME": str(self.folder),
                "XDG_CONFIG_HOME": str(self.folder / "config"),
                "XDG_CACHE_HOME": str(self.folder / "cache"),
                "CI": "1",
            },
            out=str(self.folder / "stdout"),
            err=str(self.folder / "stderr"),
            **more,  # type: ignore[arg-type]  # fields of an order
        )
        ended = self.nursery.live(order)
        self.counts["lives"] += 1
        self.counts[f"exit {ended.code}"] += 1
        if ended.code == -signal.SIGABRT or ended.took_s > LIFE_S_MAX:
            raise ViolationError(f"{self.where}: a life hung\n{self.told()}")
        return ended

    def finish(self) -> Judged:
        """Lives without an accident until one ends as it should, then the judgement."""
        for _ in range(LIVES_MAX):
            ended = self.live()
            if ended.code in (0, 3):
                break
            if ended.code != 8:  # the service may be out of reach at the very start, where nothing is tried again
                raise ViolationError(f"{self.where}: exit {ended.code}\n{self.told()}")
        else:
            raise ViolationError(f"{self.where}: {LIVES_MAX} lives did not finish\n{self.told()}")
        judged = self.judge(whole=True)
        if ended.code != (3 if judged.states["failed"] else 0):
            raise ViolationError(f"{self.where}: exit {ended.code} with {dict(judged.states)}")
        if judged.states.total() != self.setting.plain + self.setting.dressed:
            raise ViolationError(f"{self.where}: {dict(judged.states)} are not all items")
        self.counts.update({"tasks": judged.tasks, "creates": judged.sends, "creates sent again": judged.resent})
        self.counts.update({f"event {name}": times for name, times in judged.events.items()})
        return judged

    def judge(self, *, whole: bool) -> Judged:
        return judge(self.folder, journal=self.journal, caps={"trial": self.setting.cap}, where=self.where, whole=whole)

    def told(self) -> str:
        """The end of what the lives said, for whoever looks into a violation."""
        file = self.folder / "stderr"
        return file.read_text(encoding="utf-8", errors="replace")[-1500:] if file.exists() else ""


@cache
def _zygote(_pid: int) -> Zygote:
    """One for each process that plays: what was begun before a fork belongs to the parent."""
    return Zygote()


def begin() -> None:
    """Import everything once, before threads play side by side."""
    _zygote(os.getpid())


def end() -> None:
    """End this process's zygote."""
    with _zygote(os.getpid()):
        _zygote.cache_clear()


@contextmanager
def world(where: str, setting: Setting, *, seed: int) -> Iterator[World]:
    """A folder with a manifest, and a service; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="kills-") as name, _zygote(os.getpid()).nursery() as nursery:
        folder = Path(name)
        (folder / "m.yaml").write_text(setting.manifest, encoding="utf-8")
        for asset in ("shoe.png", "mug.png"):
            shutil.copy(ASSETS / asset, folder / asset)
        base_url = nursery.serve(journal=folder / "journal", seed=seed, profile=setting.profile, faults=setting.faults)
        yield World(folder=folder, nursery=nursery, setting=setting, where=where, base_url=base_url)


# SIGKILL at random moments

MET_BY_KILLS = ("kills", "creates sent again", "open intents met after a death", "event failed", "event send_ended")


def play_kill(number: int) -> Counter[str]:
    """Up to six deaths at random moments, then an end."""
    dice = random.Random(f"kill {number}")
    with world(f"kills {number}", drawn(dice), seed=number) as here:
        for _ in range(dice.randint(2, 6)):
            if dice.random() < 0.3:  # reading, planning, opening the ledger, mending it
                ended = here.live(signals=[(dice.uniform(0.0, 0.4), signal.SIGKILL)])
            else:  # at work, which begins sooner or later on a busy machine
                lag_s = dice.choice((dice.uniform(0.0, 0.1), dice.uniform(0.0, 0.6)))
                ended = here.live(strikes=[Strike(point="plan.after_commit", lag_s=lag_s)])
            if ended.code == -signal.SIGKILL:
                here.counts["kills"] += 1
                _look(here, dice)
            elif ended.code in (0, 3):
                break
        here.finish()
        return here.counts


def _look(here: World, dice: random.Random) -> None:
    if dice.random() < ANYWHERE:
        open_ = here.judge(whole=False).states["submitting"]
        here.counts["open intents met after a death"] += open_


# SIGKILL at named points

MET_AT_POINTS = tuple(f"at {point}" for point in POINTS)
# The points stand in the order in which a run passes them. A walk dies at every so many-th of them, once or twice.
WALKS = 6
LAGS_S: Sequence[float] = (0.0, 0.0, 0.0, 0.001, 0.004)
# What a life near its end may still pass more than once.
OFTEN = ("commit.", "intent.", "create.", "accept.", "poll.", "terminal.", "download.", "sidecar.", "artifact.")


def play_point(number: int) -> Counter[str]:
    """Deaths at a sixth of the points, from the first to the last, then an end; as many walks meet every point."""
    dice = random.Random(f"point {number}")
    # Few at a time and none at once, so that there is something left to do for the deaths to come.
    setting = drawn(dice, faulty=0.2)
    profile = (*setting.profile, "durations=*:0.08")
    setting = replace(setting, plain=dice.randint(8, 10), in_flight=2, cap=60, profile=profile)
    with world(f"points {number}", setting, seed=number) as here:
        for point in list(POINTS)[number % WALKS :: WALKS]:
            for _ in range(1 if point.startswith("upload.") else dice.choice((1, 1, 1, 2))):
                nth = dice.choice((1, 1, 2)) if point.startswith(OFTEN) else 1
                ended = _at_point(here, point, nth=nth, lag_s=dice.choice(LAGS_S))
                if ended.code == -signal.SIGKILL:
                    here.counts["kills"] += 1
                    here.counts[f"at {point}"] += 1
                    _look(here, dice)
        here.finish()
        return here.counts


def _at_point(here: World, point: str, *, nth: int, lag_s: float) -> Ended:
    strikes = [Strike(point=point, nth=nth, lag_s=lag_s)]
    if point == "drain.mid":  # the signal comes from within, when the run listens
        return here.live(strikes=[*strikes, Strike(point="poll.before", number=signal.SIGTERM)])
    if point == "export.mid_write":
        old = here.folder / "r.csv"
        old.write_text("old\n", encoding="utf-8")
        ended = here.live(argv=("results", "--format", "csv", "-o", "r.csv"), strikes=[Strike(point=point)])
        if ended.code and old.read_text(encoding="utf-8") != "old\n":
            raise ViolationError(f"{here.where}: an export was replaced by a half of one")
        return ended
    return here.live(strikes=strikes)


# Signals that can be heard

MET_BY_SIGNALS = (*(f"stopped by {number.name}" for number in HEARD), "stopped at once", "read no further")


def play_signal(number: int) -> Counter[str]:
    """One or two signals, or a reader who hangs up, and then an end."""
    dice = random.Random(f"signal {number}")
    setting = drawn(dice, faulty=0.25, slow=dice.random() < 0.7)
    with world(f"signals {number}", setting, seed=number) as here:
        for _ in range(2):
            if dice.random() < 0.25:
                _hang_up(here, dice)
            else:
                _interrupt(here, dice)
        here.finish()
        return here.counts


def _interrupt(here: World, dice: random.Random) -> None:
    """At any moment, but mostly while there is work, which begins sooner or later on a busy machine."""
    (here.folder / "stdout").write_text("", encoding="utf-8")
    (here.folder / "stderr").write_text("", encoding="utf-8")
    first, second, twice = dice.choice(HEARD), dice.choice(HEARD), dice.random() < 0.4
    if dice.random() < 0.25:
        at_s = dice.uniform(0.0, 0.6)
        ended = here.live(signals=[(at_s, first), *[(at_s + dice.uniform(0.0, 0.3), second)] * twice])
    else:
        point = dice.choice(("plan.after_commit", "intent.after_commit", "create.body_sent", "poll.before"))
        strikes = [Strike(point=point, lag_s=dice.uniform(0.0, 0.3), number=first)]
        strikes += [Strike(point="drain.mid", lag_s=dice.choice((0.0, 0.05, 0.3)), number=second)] * twice
        ended = here.live(strikes=strikes)
    # Before the run has begun, and after it has ended, a signal ends the process as it ends any other.
    deserved = {0, 3, 8, interrupted_code(first), -first, *((interrupted_code(second), -second) if twice else ())}
    if ended.code not in deserved:
        raise ViolationError(f"{here.where}: exit {ended.code} after {first}\n{here.told()}")
    here.judge(whole=False)
    stopped = [line for line in _lines(here) if line["event"] == "stopping"]
    if not stopped:
        return
    here.counts[f"stopped by {stopped[0]['why']}"] += 1
    here.counts["stopped at once"] += twice
    late = [line for line in _lines(here) if line.get("change") == "intent" and _at(line) > _at(stopped[0])]
    if late:
        raise ViolationError(f"{here.where}: {len(late)} creates were begun after the signal")
    if twice:
        return
    last = {line["item"]: line["change"] for line in _lines(here) if line["event"] == "item"}
    if unheard := [item for item, change in last.items() if change == "intent"]:
        raise ViolationError(f"{here.where}: creates of {unheard} were not waited for")
    if ended.code != interrupted_code(first) or "rivya-batch run m.yaml" not in here.told():
        raise ViolationError(f"{here.where}: exit {ended.code}, and this is how to go on\n{here.told()}")


def _hang_up(here: World, dice: random.Random) -> None:
    point = dice.choice(
        ("ledger.locked", "plan.after_commit", "intent.after_commit", "create.body_sent", "poll.before")
    )
    ended = here.live(strikes=[Strike(point=point, nth=dice.randint(1, 3), number=HANG_UP)])
    if ended.code not in {0, 3, 8, 141}:
        raise ViolationError(f"{here.where}: exit {ended.code} after nobody read on\n{here.told()}")
    here.counts["read no further"] += ended.code == 141
    here.judge(whole=False)


def _lines(here: World) -> list[dict[str, str]]:
    whole = (here.folder / "stdout").read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in whole if line.endswith("\n")]


def _at(line: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(line["at"])
