"""The protocol with one rule broken: each of these must lead to a counterexample, else the exploration proves nothing.

    with MUTANTS["5xx releases"].planted():
        explore(MUTANTS["5xx releases"].root)      raises Counterexample

A mutant changes the product's own tables and functions in this process, or one of the two rules that the engine
keeps (`World.may_leave`, `World.body_of`). Its root is the smallest world that can show what the rule is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import jobs.core
import jobs.intent
import jobs.open_attempts
import jobs.runstate
import jobs.verdict
import jobs.watching
from jobs.answers import Phase, SendEnd, TaskSeen
from jobs.budget import Books, Fit
from jobs.buying import Buying
from jobs.core import Core
from jobs.identity import idempotency_key
from jobs.lifecycle import EventType, ItemState
from jobs.open_attempts import OpenAttempts
from jobs.ready import ReadyQueue
from jobs.record import Attempt, Event, Record, fold
from jobs.resending import OpenSend
from jobs.runstate import RunState
from jobs.steps import Now, Send, Step
from jobs.verdict import Follow, Next, Pause, SendPolicy, Verdict, VerdictKind, settle
from tests.proof.exhaustive_bounds import Left, Root
from tests.proof.exhaustive_service import Vocabulary
from tests.proof.exhaustive_world import World

__all__ = ["MUTANTS", "Mutant"]

_K = VerdictKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One name of a module or class, or one entry of a table, and what stands there instead."""

    owner: Any
    name: Any
    instead: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A broken rule, the world that shows it, and what is seen there."""

    breaks: str
    seen: str
    changes: tuple[Change, ...]
    root: Root

    @contextmanager
    def planted(self) -> Iterator[None]:
        """The rule is broken inside this block."""
        with ExitStack() as stack:
            for change in self.changes:
                stack.enter_context(_changed(change))
            yield


@contextmanager
def _changed(change: Change) -> Iterator[None]:
    owner, name = change.owner, change.name
    is_table = isinstance(owner, dict)
    before = owner[name] if is_table else owner.__dict__[name]
    put: Callable[[Any], None] = (
        (lambda value: owner.__setitem__(name, value)) if is_table else (lambda value: setattr(owner, name, value))
    )
    put(change.instead)
    try:
        yield
    finally:
        put(before)


# Worlds

_LITTLE = Left(faults=2, crashes=1, lives=1, ticks=2, jumps=1)


def _world(may: Vocabulary | None = None, **rest: Any) -> Root:
    return Root(says="a little world", may=may or Vocabulary(), **{"left": _LITTLE, **rest})


_TWO = (10, 10)


# What is planted


def _move(kind: VerdictKind, clean: Next, doubted: Next) -> tuple[Change, ...]:
    return (
        Change(owner=jobs.verdict._CLEAN, name=kind, instead=(clean, False)),
        Change(owner=jobs.verdict._DOUBTED, name=kind, instead=doubted),
    )


def _judging(reads: Callable[[SendEnd], VerdictKind | None]) -> tuple[Change, ...]:
    before = jobs.verdict._judge

    def instead(end: SendEnd) -> tuple[VerdictKind, Pause | None]:
        kind = reads(end)
        return before(end) if kind is None else (kind, None)

    return (Change(owner=jobs.verdict, name="_judge", instead=instead),)


def _wanting_again() -> Change:
    """What was given back is bought again at once, under the next key."""
    before = Core.create_ended

    def instead(self: Core, send: Send, end: SendEnd, now: Now) -> Step:
        step = before(self, send, end, now)
        if self.state.records[send.identity].state is ItemState.REJECTED:
            self._want(self.state.items[send.identity])
        return step

    return Change(owner=Core, name="create_ended", instead=instead)


def _folding(instead: Callable[[Attempt, Event], Attempt], event_type: EventType) -> Change:
    """An event of this type leaves the attempt otherwise than it should."""

    def folded(record: Record | None, event: Event) -> Record:
        moved = fold(record, event)
        if event.type is not event_type or moved.attempt is None:
            return moved
        return replace(moved, attempt=instead(moved.attempt, event))

    return Change(owner=jobs.runstate, name="fold", instead=folded)


def _giving_back(event_type: EventType) -> tuple[Change, ...]:
    """This event frees what was held."""
    return (_folding(lambda attempt, _: replace(attempt, reserved=0), event_type),)


def _charging(instead: Callable[[TaskSeen, Attempt], int | None]) -> tuple[Change, ...]:
    before = jobs.watching.charge_of

    def charge_of(task: TaskSeen, attempt: Attempt) -> tuple[int, bool]:
        charge = instead(task, attempt)
        return before(task, attempt) if charge is None else (charge, False)

    return (Change(owner=jobs.watching, name="charge_of", instead=charge_of),)


def _adopting_without_doubt() -> tuple[Change, ...]:
    before = OpenAttempts.adopt

    def adopt(self: OpenAttempts, identity: str, now: Now) -> Step:
        step = before(self, identity, now)
        if identity in self._resending._open:
            self._resending[identity].restarted = False
        return step

    return (Change(owner=OpenAttempts, name="adopt", instead=adopt),)


def _settling(instead: Callable[..., Follow]) -> Change:
    return Change(owner=jobs.open_attempts, name="settle", instead=instead)


def _clears_doubt(verdict: Verdict, **facts: Any) -> Follow:
    follow = settle(verdict, **facts)
    return replace(follow, ambiguous=False) if verdict.kind is _K.NOT_SENT else follow


def _cleared_by_not_sent() -> tuple[Change, ...]:
    def forgets(attempt: Attempt, event: Event) -> Attempt:
        return replace(attempt, ambiguous=bool(event.data["ambiguous"]))

    return (_settling(_clears_doubt), _folding(forgets, EventType.SEND_ENDED))


def _impatient(verdict: Verdict, *, policy: SendPolicy, **facts: Any) -> Follow:
    return settle(verdict, policy=replace(policy, resends_max=0), **facts)


def _fit_without_held() -> Change:
    before = Books.fit

    def fit(self: Books, bound: int) -> Fit:
        return before(replace(self, reserved=0), bound)

    return Change(owner=Books, name="fit", instead=fit)


def _new_upload(world: World, send: Send) -> bytes:
    frozen = body_before(world, send)
    return frozen if send.step.changes else frozen.replace(b"upload-0", f"upload-{world.uploads}".encode())


body_before = World.body_of


def _key_without_ordinal() -> Change:

    def key(*, ordinal: int, **rest: Any) -> str:
        return idempotency_key(ordinal=0, **rest)

    return Change(owner=jobs.intent, name="idempotency_key", instead=key)


def _any_4xx(end: SendEnd) -> VerdictKind | None:
    return _K.REJECTED if end.status is not None and 400 <= end.status < 500 else None


def _any_5xx(end: SendEnd) -> VerdictKind | None:
    return _K.REJECTED if end.status is not None and end.status >= 500 else None


def _garbled(end: SendEnd) -> VerdictKind | None:
    return _K.REJECTED if end.status is not None and 200 <= end.status < 300 and end.task is None else None


def _reset_is_unsent(end: SendEnd) -> VerdictKind | None:
    return _K.NOT_SENT if end.phase is Phase.SENT else None


def _no_age(*_: object) -> float:
    return 0.0


def _nothing(*_: object) -> None:
    return None


def _no_step(*_: object) -> Step:
    return Step()


def _untold_is_free(task: TaskSeen, _: Attempt) -> int | None:
    return 0 if task.status == "failed" and task.final_credits is None else None


def _zero_is_believed(task: TaskSeen, _: Attempt) -> int | None:
    return 0 if task.status == "succeeded" and task.final_credits == 0 else None


_BREAKING = Vocabulary(breaks=True)
_ENDS = Vocabulary(ends=("paid", "says 0", "untold"))

MUTANTS: Mapping[str, Mutant] = {
    "send before commit": Mutant(
        breaks="a create leaves when its intent is durable",
        seen="left without a durable intent",
        changes=(Change(owner=World, name="may_leave", instead=lambda *_: True),),
        root=_world(),
    ),
    "new key on timeout": Mutant(
        breaks="a new key needs a definite rejection",
        seen="after it had been given back",
        changes=(*_move(_K.AMBIGUOUS, Next.REJECT, Next.REJECT), _wanting_again()),
        root=_world(),
    ),
    "409 mints a new key": Mutant(
        breaks="409 tells of the key, not of the purchase",
        seen="given back although it may have arrived",
        changes=(*_move(_K.CONFLICT, Next.REJECT, Next.REJECT), _wanting_again()),
        root=_world(Vocabulary(busy=True)),
    ),
    "any 4xx releases": Mutant(
        breaks="after doubt a refusal proves nothing",
        seen="given back although it may have arrived",
        changes=(*_judging(_any_4xx), *_move(_K.REJECTED, Next.REJECT, Next.REJECT)),
        root=_world(Vocabulary(gates=("429",))),
    ),
    "400 after doubt is final": Mutant(
        breaks="validation may stand in front of the memory of keys",
        seen="given back although it may have arrived",
        changes=(Change(owner=jobs.verdict._DOUBTED, name=_K.REJECTED, instead=Next.REJECT),),
        root=_world(Vocabulary(gates=("400",))),
    ),
    "402 after doubt is final": Mutant(
        breaks="an empty account says nothing about an earlier send",
        seen="given back although it may have arrived",
        changes=(Change(owner=jobs.verdict._DOUBTED, name=_K.NO_CREDITS, instead=Next.REJECT),),
        root=_world(Vocabulary(gates=("402",))),
    ),
    "5xx releases": Mutant(
        breaks="a 5xx may come after the effect",
        seen="given back although it has task-A.0",
        changes=_judging(_any_5xx),
        root=_world(_BREAKING),
    ),
    "a garbled 2xx is a rejection": Mutant(
        breaks="a 2xx that cannot be read has probably bought",
        seen="given back although it has task-A.0",
        changes=_judging(_garbled),
        root=_world(Vocabulary(garbles=True)),
    ),
    "a reset counts as never sent": Mutant(
        breaks="a copy may arrive after everything else",
        seen="paid twice",
        changes=_judging(_reset_is_unsent),
        root=_world(Vocabulary(gates=("400",))),
    ),
    "a send that never left clears doubt": Mutant(
        breaks="doubt is sticky",
        seen="paid twice",
        changes=_cleared_by_not_sent(),
        root=_world(Vocabulary(gates=("400",)), left=_LITTLE._replace(faults=3)),
    ),
    "a restart leaves no doubt": Mutant(
        breaks="an intent found open may have been sent",
        seen="given back although it may have arrived",
        changes=_adopting_without_doubt(),
        root=_world(Vocabulary(gates=("400",))),
    ),
    "a restart drops open intents": Mutant(
        breaks="an open intent is sent again",
        seen="goes round without end",
        changes=(Change(owner=OpenAttempts, name="adopt", instead=_no_step),),
        root=_world(),
    ),
    "no window check": Mutant(
        breaks="a key is used only while the service surely remembers it",
        seen="paid twice",
        changes=(
            Change(owner=RunState, name="age_s", instead=_no_age),
            Change(owner=OpenSend, name="age_s", instead=_no_age),
        ),
        root=_world(),
    ),
    "the body is rebuilt": Mutant(
        breaks="one key, one body",
        seen="left with another body",
        changes=(Change(owner=World, name="body_of", instead=_new_upload),),
        root=_world(reference=True),
    ),
    "one key for all attempts": Mutant(
        breaks="a new purchase needs a new key",
        seen="under the key of another",
        changes=(_key_without_ordinal(),),
        root=_world(Vocabulary(refusals=("poor",))),
    ),
    "another attempt's task is accepted": Mutant(
        breaks="a task belongs to one attempt",
        seen="is claimed by",
        changes=(Change(owner=Buying, name="_without_twin", instead=lambda _, __, end: end),),
        root=_world(Vocabulary(twins=True), bases=_TWO),
    ),
    "gives up at once": Mutant(
        breaks="nobody is left in doubt who could be told",
        seen="uncertain while it could be sent again",
        changes=(_settling(_impatient),),
        root=_world(),
    ),
    "the budget forgets what is held": Mutant(
        breaks="settled + held + bound stay below the cap",
        seen="above the cap",
        changes=(_fit_without_held(),),
        root=_world(bases=_TWO, cap=10),
    ),
    "an unknown price holds nobody back": Mutant(
        breaks="one attempt of a class shows its price",
        seen="bought at an unknown price",
        changes=(Change(owner=ReadyQueue, name="shut", instead=_nothing),),
        root=_world(bases=_TWO),
    ),
    "uncertain gives its credits back": Mutant(
        breaks="what may have been bought stays held",
        seen="has 0 held",
        changes=_giving_back(EventType.UNCERTAIN),
        root=_world(),
    ),
    "accepted frees what it held": Mutant(
        breaks="a task holds its price until it ends",
        seen="has 0 held",
        changes=_giving_back(EventType.ACCEPTED),
        root=_world(),
    ),
    "vanished gives its credits back": Mutant(
        breaks="an unknown task may still be charged",
        seen="has 0 held",
        changes=_giving_back(EventType.VANISHED),
        root=_world(Vocabulary(loses_tasks=True)),
    ),
    "a failure without a figure is free": Mutant(
        breaks="only a figure frees what is held",
        seen="0 of it is held or settled",
        changes=_charging(_untold_is_free),
        root=_world(_ENDS),
    ),
    "a success that says 0 is free": Mutant(
        breaks="a price of 0 is not believed",
        seen="0 of it is held or settled",
        changes=_charging(_zero_is_believed),
        root=_world(_ENDS),
    ),
}
