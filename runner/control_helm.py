"""What a person at the controls does to a live run: the decisions of `jobs.steering`, applied and told."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Final

from jobs.pacing import Pacer
from jobs.rates import Rate
from jobs.steering import Ask, Ceiling, Dial, Turned, Verb, held_words, turned
from jobs.steps import Notice, Step
from jobs.verdict import Pause
from jobs.wording import duration
from runner.clock import Clock
from runner.engine import DRAIN_S, Engine
from runner.errors import UsageError
from runner.interruption import Interruption

__all__ = ["Helm"]

# A wait for the next create that is worth a word after a cut.
WAIT_WORTH_TELLING_S: Final = 2.0


class Helm:
    """The controls of one life of one run. `ceilings`: what the layers outside manifest and flags allow."""

    def __init__(
        self,
        engine: Engine,
        *,
        run_id: str,
        ceilings: Mapping[Dial, Ceiling],
        interruption: Interruption,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._run_id = run_id
        self._ceilings = ceilings
        self._interruption = interruption
        self._clock = clock

    async def heed(self, ask: Ask, by: str) -> Mapping[str, object]:
        """Do it; returns what the answer says. Raises UsageError for what cannot be done now."""
        if ask.run not in (None, self._run_id):
            raise UsageError(
                f"The run that is alive here is {self._run_id}, not {ask.run}. Nothing was changed.",
                code="run-not-alive",
                next_step=f"name {self._run_id} if you mean it",
            )
        if ask.verb is Verb.STATUS:
            return self._answer(())
        if ask.verb is Verb.STOP:
            return await self._stop(by, at_once=ask.now)
        is_stopping = self._engine.core.state.stopping
        if is_stopping or self._engine.over:
            why = "is stopping: it starts nothing new" if is_stopping else "can do nothing more and is ending"
            raise UsageError(
                f"The run {why}. Nothing was changed.",
                code="run-ending",
                next_step="wait for its end, then give its command again",
            )
        match ask.verb:
            case Verb.PAUSE:
                return await self._pause(by)
            case Verb.RESUME:
                return await self._resume(by)
            case _:
                return await self._tune(ask, by)

    async def _stop(self, by: str, *, at_once: bool) -> Mapping[str, object]:
        stopping = self._interruption.signal is not None
        if not stopping:
            self._interruption.say(signal.SIGTERM, f"stopped by {by}")
        if at_once:
            self._interruption.say(signal.SIGTERM)
        if not stopping or at_once:  # noted when it is done: a slow or full disk must not keep a run from stopping
            note = Notice(name="stopped", data={"by": by, "now": at_once})
            await self._engine.commit(Step(notices=(note,)))
        if at_once:
            return self._answer(["ends now; what was bought is in the ledger"])
        doing = "is stopping already" if stopping else "is stopping"
        return self._answer([f"{doing}: nothing new is started, what was sent is waited for, at most {DRAIN_S:g} s"])

    async def _pause(self, by: str) -> Mapping[str, object]:
        core = self._engine.core
        before = core.state.pauses.get(Pause.PERSON)
        if before is not None:
            return self._answer([f"is paused already: {before}"])
        await self._engine.steer(core.hold(by))
        in_flight = len(core.state.slots)
        rest = f"; {in_flight} in flight go on" if in_flight else ""
        return self._answer([f"paused: nothing new is bought{rest}"])

    async def _resume(self, by: str) -> Mapping[str, object]:
        core = self._engine.core
        if Pause.PERSON in core.state.pauses:
            await self._engine.steer(core.let_go(by))
            return self._answer(["resumed", *(f"buys nothing new: {why}" for why in core.state.pauses.values())])
        if not core.state.pauses:
            return self._answer(["is not paused"])
        raise UsageError(
            f"Nobody paused the run; it buys nothing new for another reason: {'; '.join(core.state.pauses.values())}.",
            code="steering-refused",
            next_step="give it a higher budget with `rivya-batch tune --budget N`"
            if Pause.BUDGET in core.state.pauses
            else "wait: it goes on by itself with the next status that is answered"
            if core.state.pauses.keys() == {Pause.POLLS}
            else "wait for its end; its summary says how to go on",
        )

    async def _tune(self, ask: Ask, by: str) -> Mapping[str, object]:
        core, now = self._engine.core, self._clock.now()
        changes = [
            turned(dial, before=core.dial(dial), asked=value, ceiling=self._ceilings.get(dial))
            for dial, value in ask.dials.items()
        ]
        notices: list[Notice] = []
        for change in changes:
            if change.before != change.after:
                notices += core.retune(change, now, by).notices
        cap = next((c.after for c in changes if c.dial is Dial.BUDGET and c.before != c.after), None)
        assert not isinstance(cap, Rate), "a budget is no rate"
        await self._engine.steer(Step(notices=tuple(notices)), cap_credits=cap)
        words = [word for change in changes for word in (change.words, *self._consequences(change))]
        return self._answer(words, changes)

    def _consequences(self, change: Turned) -> list[str]:
        """What the change means right now, where that is not what one would expect."""
        state, now = self._engine.core.state, self._clock.now()
        words: str | None = None
        if change.dial is Dial.BUDGET and isinstance(change.after, int):
            words = held_words(cap=change.after, money=state.books.money)
        elif change.dial is Dial.IN_FLIGHT and isinstance(change.after, int) and len(state.slots) > change.after:
            words = f"{len(state.slots)} are in flight: nothing new until fewer than {change.after} are"
        elif change.dial is Dial.CREATES and change.before != change.after:
            wait_s = self._engine.core.pacers[0].due_s(now.mono_s) - now.mono_s
            if WAIT_WORTH_TELLING_S < wait_s < float("inf"):
                words = f"the next create leaves in {duration(wait_s)}"
        return [] if words is None else [words]

    def _answer(self, said: Sequence[str], changes: Sequence[Turned] = ()) -> Mapping[str, object]:
        return {
            "run": self._run_id,
            "pid": os.getpid(),
            "said": list(said),
            "changes": [change.facts for change in changes],
            "state": self._state(),
        }

    def _state(self) -> Mapping[str, object]:
        core, now = self._engine.core, self._clock.now()
        creates, polls = core.pacers
        limits, found = {dial.value: core.dial(dial) for dial in Dial}, core.state.limits
        return {
            "stopping": core.state.stopping,
            "pauses": {why.value: reason for why, reason in core.state.pauses.items()},
            "limits": {name: str(value) if isinstance(value, Rate) else value for name, value in limits.items()},
            "found": {
                "in_flight": found.places.found,
                "calls_per_min": None if found.calls is None else round(found.calls.per_s * 60, 3),
            },
            "creates": _pace(creates, now.mono_s),
            "polls": _pace(polls, now.mono_s),
            "in_flight": len(core.state.slots),
            "credits": {"settled": core.state.books.settled, "reserved": core.state.books.reserved},
        }


def _pace(pacer: Pacer, now_s: float) -> Mapping[str, object]:
    """The speed now, requests of the last window, and seconds until the next may leave; None: not before an answer."""
    wait_s = max(0.0, pacer.due_s(now_s) - now_s)
    return {
        "per_min": round(pacer.per_s * 60, 3),
        "window_s": pacer.rate.window_s,
        "in_window": pacer.held(now_s),
        "wait_s": None if wait_s == float("inf") else round(wait_s, 3),
    }
