"""Every interleaving of a small world, to the last state: breadth first, so that a counterexample is a shortest one.

An exploration begins at a root, tries every move from every state, and ends when there is no state left that it has
not seen. What must never be raises in a move and becomes a `Counterexample`, which prints the moves that lead there.
From every state in which nothing more happens by itself, the world is let run without faults, and every item must
come to an end that it deserves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from jobs.verdict import VerdictKind
from tests.proof.exhaustive_bounds import Root
from tests.proof.exhaustive_events import after, calm, next_when_calm
from tests.proof.exhaustive_laws import judge_end
from tests.proof.exhaustive_moves import Move, benign, moves
from tests.proof.exhaustive_roots import ROOTS
from tests.proof.exhaustive_world import World

_EVENTS = (
    "intent",
    "send_ended",
    "accepted",
    "rejected",
    "uncertain",
    "succeeded",
    "failed",
    "vanished",
    "stalled",
    "seen",
    "written_off",
    "skipped",
)

__all__ = ["MUST_MEET", "Counterexample", "Exploration", "explore", "play"]

# An answer met an item in doubt and in none; everything that can become durable did; tasks were lost and found.
MUST_MEET = (
    *(f"{kind.value} {doubt}" for kind in VerdictKind for doubt in ("in doubt", "in no doubt")),
    *(f"durable {event}" for event in _EVENTS),
    *(f"poll {told}" for told in ("running of accepted", "404 of accepted", "paid of vanished", "paid of stalled")),
    "stalled by time",
    "crash",
    "crash with something not durable",
)


class Counterexample(AssertionError):  # noqa: N818 - named for what it is
    """What must never be, and the shortest way there."""

    def __init__(self, root: Root, moves: tuple[str, ...], what: str) -> None:
        self.moves = moves
        self.what = what
        told = "\n".join(f"  {number:2}  {move}" for number, move in enumerate(moves, start=1))
        super().__init__(f"{root.says}:\n{told}\n  ->  {what}")


@dataclass(slots=True)
class Exploration:
    """How large a world was, and what was met in it."""

    states: int
    transitions: int
    counts: Counter[str]


def explore(root: Root, *, states_max: int | None = None) -> Exploration:
    """All states that can be reached from the root; raises the first counterexample."""
    return _Explorer(root).run(states_max)


def play(number: int) -> Mapping[str, int]:
    """The campaign: one root to its last state."""
    found = explore(ROOTS[number])
    return {**found.counts, "states": found.states, "transitions": found.transitions}


class _Explorer:
    def __init__(self, root: Root) -> None:
        self.root = root
        self.counts: Counter[str] = Counter()
        self.names: dict[str, str] = {}  # of keys
        self.came_from: dict[bytes, tuple[bytes, Move] | None] = {}
        self.calmed: set[bytes] = set()
        self.transitions = 0
        self.stuck: Counterexample | None = None  # the shortest way to no end; a shorter one to a violation goes first

    def run(self, states_max: int | None) -> Exploration:
        try:
            start = World(self.root, self.counts, self.names)
        except Exception as problem:
            raise self._counterexample((), problem) from problem
        self.came_from[start.digest()] = None
        frontier = [(start.digest(), start)]
        depth = 0
        while frontier and (self.stuck is None or depth + 1 < len(self.stuck.moves)):
            depth += 1
            ahead: list[tuple[bytes, World]] = []
            for digest, world in frontier:
                self._expand(digest, world, ahead)
                if states_max is not None and len(self.came_from) >= states_max:
                    return self._report()
            frontier = ahead
        return self._report()

    def _report(self) -> Exploration:
        if self.stuck is not None:
            raise self.stuck
        return Exploration(states=len(self.came_from), transitions=self.transitions, counts=self.counts)

    def _expand(self, digest: bytes, world: World, ahead: list[tuple[bytes, World]]) -> None:
        goes_on = False
        for move in moves(world):
            try:
                following = after(world, move)
                reached = None if following is None else following.digest()
            except Exception as problem:
                raise self._counterexample(self._way(digest, move), problem) from problem
            if following is None or reached is None:
                continue
            self.transitions += 1
            goes_on |= benign(move)
            if reached not in self.came_from:
                self.came_from[reached] = (digest, move)
                ahead.append((reached, following))
        if not goes_on:
            self._calm(digest, world)

    def _calm(self, digest: bytes, world: World) -> None:
        """When nothing goes wrong any more, everything comes to an end; a way that leads back to itself has none."""
        here = calm(world)
        seal = here.digest()
        way: list[Move] = []
        passed: set[bytes] = set()
        try:
            while seal not in self.calmed:
                self.calmed.add(seal)
                passed.add(seal)
                following = next_when_calm(here, way)
                if following is None:
                    judge_end(here)
                    return
                here = calm(following)
                seal = here.digest()
                assert seal not in passed, f"it goes round without end, although nothing goes wrong: {here.states()}"
        except Exception as problem:  # noqa: BLE001 - whatever is raised here is a finding
            moves = (*self._way(digest), "from here on all is well", *map(str, way))
            found = self._counterexample(moves, problem)
            if self.stuck is None or len(found.moves) < len(self.stuck.moves):
                self.stuck = found

    def _counterexample(self, moves: tuple[str, ...], problem: Exception) -> Counterexample:
        """Keys are long; here they are called after their items and attempts."""
        told = f"{type(problem).__name__}: {problem}"
        for key, name in self.names.items():
            told = told.replace(key, name)
            moves = tuple(move.replace(key, name) for move in moves)
        return Counterexample(self.root, moves, told)

    def _way(self, digest: bytes, *last: Move) -> tuple[str, ...]:
        moves = [*last]
        while (origin := self.came_from[digest]) is not None:
            digest, move = origin
            moves.insert(0, move)
        return tuple(str(move) for move in moves)
