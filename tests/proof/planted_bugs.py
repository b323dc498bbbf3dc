"""The money bugs that the proofs must catch: each one change of one file, with the damage it would do."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BUGS", "Bug"]

LEDGER_MONEY = "tests/runner/test_ledger_contract_money.py"
LEDGER_WRITES = "tests/runner/test_ledger_contract_writes.py"
POSTGRES_CUTS = "tests/runner/test_ledger_postgres_cuts.py"
POSTGRES_CONTENTION = "tests/runner/test_ledger_postgres_contention.py"
WIRE = "tests/runner/test_wire.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """`old` stands exactly once in `file` and becomes `new`. `hunter`: of `planted.HUNTERS`, or a file of tests."""

    name: str
    hurts: str
    file: str
    old: str
    new: str
    hunter: str = "sansio"


BUGS: tuple[Bug, ...] = (
    # What a send proves
    Bug(
        name="a 5xx proves that nothing was made",
        hurts="the task runs and is paid for, and the item is bought again",
        file="jobs/verdict.py",
        old="        return VerdictKind.MISROUTED, Pause.CONFIG\n    return VerdictKind.AMBIGUOUS, None",
        new="        return VerdictKind.MISROUTED, Pause.CONFIG\n    return VerdictKind.REJECTED, None",
    ),
    Bug(
        name="a broken exchange counts as never sent",
        hurts="a refusal of the next send gives credits back that were spent",
        file="jobs/verdict.py",
        old="    if end.phase is Phase.SENT or end.status is None:\n        return VerdictKind.AMBIGUOUS, None",
        new="    if end.phase is Phase.SENT or end.status is None:\n        return VerdictKind.NOT_SENT, None",
    ),
    Bug(
        name="a refusal ends a doubt",
        hurts="validation that stands before the memory of keys makes a paid task look refused",
        file="jobs/verdict.py",
        old="    VerdictKind.REJECTED: Next.RESEND,",
        new="    VerdictKind.REJECTED: Next.REJECT,",
    ),
    Bug(
        name="an empty account ends a doubt",
        hurts="after the top-up the item is bought a second time",
        file="jobs/verdict.py",
        old="    VerdictKind.NO_CREDITS: Next.HOLD,",
        new="    VerdictKind.NO_CREDITS: Next.REJECT,",
    ),
    Bug(
        name="a conflict means refused",
        hurts="the send that is still under way makes the task",
        file="jobs/verdict.py",
        old="    VerdictKind.CONFLICT: (Next.RESEND, True),",
        new="    VerdictKind.CONFLICT: (Next.REJECT, False),",
    ),
    Bug(
        name="a success without a task id is no doubt",
        hurts="the id was cut off, the task exists, and the next answer counts as the first",
        file="jobs/verdict.py",
        old="        return (VerdictKind.ACCEPTED if end.task else VerdictKind.AMBIGUOUS), None",
        new="        return (VerdictKind.ACCEPTED if end.task else VerdictKind.LIMITED), None",
    ),
    Bug(
        name="resends have no end",
        hurts="a key that always answers 500 is sent for an hour",
        file="jobs/verdict.py",
        old="kind not in _FREE and resends >= policy.resends_max:",
        new="kind not in _FREE and resends >= policy.resends_max + 1000:",
    ),
    # One key, one purchase
    Bug(
        name="an intent found open at the start is no doubt",
        hurts="the dead process may have sent it, and a refusal now gives its credits back",
        file="jobs/open_attempts.py",
        old="wall_s - age_s), restarted=True)",
        new="wall_s - age_s), restarted=False)",
    ),
    Bug(
        name="a refusal for the rate proves that nothing was made, also with a 5xx",
        hurts="a copy of the create may be under way, and what it makes is no longer believed in",
        file="jobs/verdict.py",
        old="return (VerdictKind.LIMITED if status in _UNPAID_STATUSES else VerdictKind.AMBIGUOUS), None",
        new="return VerdictKind.LIMITED, None",
        hunter="tests/jobs/test_verdict.py",
    ),
    Bug(
        name="a key is sent however old it is",
        hurts="the service forgot it and makes a second task",
        file="jobs/open_attempts.py",
        old="or self._age_s(identity, now) < window_s:",
        new="or self._age_s(identity, now) < 24 * window_s:",
    ),
    Bug(
        name="an open intent of an earlier life counts as never sent",
        hurts="what may have been bought before a crash is given back and bought again",
        file="jobs/open_attempts.py",
        old="return not (attempt.sends or attempt.ambiguous or self._resending[identity].restarted)",
        new="return not (attempt.sends or attempt.ambiguous)",
    ),
    Bug(
        name="what was refused for now counts as never sent",
        hurts="a new key is minted although the old one has been at the service",
        file="jobs/open_attempts.py",
        old="return not (attempt.sends or attempt.ambiguous or self._resending[identity].restarted)",
        new="return not (attempt.ambiguous or self._resending[identity].restarted)",
    ),
    Bug(
        name="giving up counts as a refusal",
        hurts="what may have been bought is given back and bought again",
        file="jobs/open_attempts.py",
        old='step = join(step, state.move(identity, EventType.UNCERTAIN, now, {"reason": follow.reason}))',
        new='step = join(step, state.move(identity, EventType.REJECTED, now, {"code": "insufficient_credits"}))',
    ),
    Bug(
        name="the next attempt has the key of the last",
        hurts="the service replays the failed task for ever",
        file="jobs/intent.py",
        old="ordinal = previous.ordinal + 1 if previous",
        new="ordinal = previous.ordinal if previous",
    ),
    Bug(
        name="keys do not know the attempt",
        hurts="the same, whatever a person asks for",
        file="jobs/identity.py",
        old="[account, edition, identity, repeat, epoch, ordinal]",
        new="[account, edition, identity, repeat]",
    ),
    Bug(
        name="a task of another attempt is taken",
        hurts="two items share one task, and one purchase is lost",
        file="jobs/buying.py",
        old="self._state.task_keys.setdefault(end.task.id, send.key) == send.key:",
        new="self._state.task_keys.setdefault(end.task.id, send.key):",
    ),
    Bug(
        name="asked to buy again, it stays in its epoch",
        hurts="nobody can tell a second purchase on purpose from one by mistake",
        file="jobs/core.py",
        old="self._buying.buy_again(item.identity, record.attempt.epoch + 1)",
        new="self._buying.buy_again(item.identity, record.attempt.epoch)",
    ),
    Bug(
        name="what is uncertain is bought again",
        hurts="paid twice when it had arrived",
        file="jobs/core.py",
        old="            case ItemState.UNCERTAIN:\n                pass",
        new="            case ItemState.UNCERTAIN:\n                self._want(item)",
    ),
    Bug(
        name="new purchases go before what is open",
        hurts="the keys of open creates grow old, and end in doubt",
        file="jobs/core.py",
        old="    return order, opened_at_s, item.index",
        new="    return order, -opened_at_s, item.index",
    ),
    Bug(
        name="what a person wrote off is bought again",
        hurts="it may still be running, and is paid for twice",
        file="jobs/record.py",
        old="return record.error_code != WRITTEN_OFF_CODE and record.failures",
        new="return record.failures",
    ),
    Bug(
        name="every attempt forgets the failures before it",
        hurts="a failing item is bought without end",
        file="jobs/record.py",
        old="record.failures if record.attempt and record.attempt.epoch == attempt.epoch else 0",
        new="0",
    ),
    Bug(
        name="one more purchase than the manifest allows",
        hurts="a failing item is bought once more",
        file="jobs/record.py",
        old="record.failures <= resubmit_failed",
        new="record.failures <= resubmit_failed + 1",
    ),
    # The budget
    Bug(
        name="credits that are held do not count",
        hurts="everything in flight goes over the cap",
        file="jobs/budget.py",
        old="if self.cap is None or self.settled + self.reserved + bound <= self.cap:",
        new="if self.cap is None or self.settled + bound <= self.cap:",
    ),
    Bug(
        name="the cap is one credit higher",
        hurts="one credit over the budget",
        file="jobs/budget.py",
        old="self.settled + self.reserved + bound <= self.cap:",
        new="self.settled + self.reserved + bound <= self.cap + 1:",
    ),
    Bug(
        name="the dearest item is not too dear",
        hurts="per_item is not kept",
        file="jobs/budget.py",
        old="bound > self.per_item:",
        new="bound > 10 * self.per_item:",
    ),
    Bug(
        name="a new attempt takes its forerunner's charge out of the books",
        hurts="what failed attempts cost is spent a second time",
        file="jobs/budget.py",
        old="    if event.type is EventType.INTENT:\n",
        new="    if event.type is EventType.INTENT and before is None:\n",
    ),
    Bug(
        name="another run's credits go through these books",
        hurts="a run ends early, or spends what is another's",
        file="jobs/runstate.py",
        old="        if scope == self.settings.scope:",
        new="        if scope:",
    ),
    Bug(
        name="an unknown price is nothing",
        hurts="a run with a budget buys what it cannot pay for",
        file="jobs/buying.py",
        old="return 0 if state.books.left is None else max(1, state.books.left)",
        new="return 0",
    ),
    Bug(
        name="many of an unknown class at once",
        hurts="the first price is learned from all of them",
        file="jobs/runstate.py",
        old="        if price_class not in self.prices:\n            self.ready.shut(price_class)",
        new="        if price_class not in self.prices:\n            self.ready.reopen(price_class)",
    ),
    Bug(
        name="the last price counts, not the highest",
        hurts="too little is held for the next one",
        file="jobs/runstate.py",
        old="self.prices[price_class] = max(price, self.prices.get(price_class, 0))",
        new="self.prices[price_class] = price",
    ),
    Bug(
        name="a pause does not stop buying",
        hurts="bought without credits, without room, with a key that was refused",
        file="jobs/buying.py",
        old="return not state.pauses and len(state.slots)",
        new="return len(state.slots)",
    ),
    Bug(
        name="one more in flight than allowed",
        hurts="a limit that a person set is not kept",
        file="jobs/buying.py",
        old="len(state.slots) < state.settings.in_flight_max",
        new="len(state.slots) <= state.settings.in_flight_max",
    ),
    # What a task cost
    Bug(
        name="the service's figure is held even when it is lower",
        hurts="a figure that grows later goes over the cap",
        file="jobs/record.py",
        old="        reserved=max(attempt.bound, figure or 0),",
        new="        reserved=figure or attempt.bound,",
    ),
    Bug(
        name="a success that says 0 was free",
        hurts="the books say nothing of what was charged",
        file="jobs/watching.py",
        old="    return held, held > 0",
        new="    return final or 0, False",
    ),
    Bug(
        name="a failure that says nothing was free",
        hurts="the same",
        file="jobs/watching.py",
        old="return (final, False) if final is not None else (held, True)",
        new="return (final, False) if final is not None else (0, True)",
    ),
    Bug(
        name="a task that nobody finds was free",
        hurts="it was paid for, and its credits are spent again",
        file="jobs/watching.py",
        old='step = state.move(identity, EventType.VANISHED, now, {"reason": reason, "request_id": end.request_id})',
        new='step = state.move(identity, EventType.FAILED, now, {"charge": 0, "code": "vanished", "message": reason})',
    ),
    Bug(
        name="a 404 is believed at once",
        hurts="a task that is late to appear is given up",
        file="jobs/watching.py",
        old="VANISH_GRACE_S = 60.0",
        new="VANISH_GRACE_S = 0.0",
    ),
    Bug(
        name="a task that takes long was free",
        hurts="it ends later and is charged",
        file="jobs/watching.py",
        old='return state.move(identity, EventType.STALLED, now, {"reason": reason})',
        new='return state.move(identity, EventType.FAILED, now, {"charge": 0, "code": "stalled", "message": reason})',
    ),
    Bug(
        name="an answer about another task is taken",
        hurts="an item gets another's end, price and results",
        file="jobs/watching.py",
        old="shown = end.task if end.task is not None and end.task.id == poll.task_id else None",
        new="shown = end.task",
    ),
    Bug(
        name="nobody minds that no status is answered",
        hurts="thousands are bought that nobody sees the end of",
        file="jobs/sight.py",
        old="BLIND_AFTER_S = 600.0",
        new="BLIND_AFTER_S = 600_000.0",
        hunter="tests/jobs/test_sight.py",
    ),
    Bug(
        name="the place of a task that nobody looked at is free when its time is over",
        hurts="with few polls more is bought than can be watched",
        file="jobs/watching.py",
        old="if Pause.POLLS in state.pauses and state.records[identity].state is ItemState.STALLED:",
        new="if state.records[identity].state is ItemState.STALLED:",
        hunter="tests/jobs/test_overdue.py",
    ),
    Bug(
        name="what was decided on leaves although buying has ended",
        hurts="more is bought after --halt, or with no room to write it down",
        file="jobs/open_attempts.py",
        old="ENDING = frozenset({Pause.CREDITS, Pause.DISK, Pause.HALT, Pause.VANISHED})",
        new="ENDING = frozenset()",
        hunter="tests/jobs/test_ahead.py",
    ),
    Bug(
        name="a task that runs again was refunded",
        hurts="a charge leaves the books because a figure was 0 for a moment",
        file="jobs/looking_back.py",
        old='task.id != poll.task_id or task.status != "failed":',
        new="task.id != poll.task_id:",
        hunter="tests/jobs/test_looking_back.py",
    ),
    Bug(
        name="a late look ends the attempt that replaced its task",
        hurts="the new task is forgotten while it runs",
        file="jobs/watching.py",
        old="        if state.attempt(poll.identity).task_id != poll.task_id:",
        new='        if poll.task_id == "":',
    ),
    Bug(
        name="written off is written off for nothing",
        hurts="credits that count as spent come back",
        file="jobs/resolving.py",
        old='    return EventType.WRITTEN_OFF, {"charge": held,',
        new='    return EventType.WRITTEN_OFF, {"charge": 0,',
    ),
    # Whoever carries it out
    Bug(
        name="sends first, writes later",
        hurts="a crash between the two leaves a paid task that no ledger knows",
        file="runner/engine.py",
        old="        await self.commit(send.step)\n",
        new="        await anyio.lowlevel.checkpoint()\n",
        hunter="storms",
    ),
    Bug(
        name="a resend is spelled anew",
        hurts="the same key with other bytes is a conflict, or a second task",
        file="runner/engine.py",
        old="            return await self._ledger.frozen(send.key)\n",
        new='            return await self._ledger.frozen(send.key) + b" "\n',
        hunter="storms",
    ),
    Bug(
        name="an answer is believed before the ledger was asked whose task it is",
        hurts="another attempt's task ends this one",
        file="runner/engine.py",
        old="                self.core.know_task(end.task.id, await self._ledger.owner(end.task.id))\n",
        new="                self.core.know_task(end.task.id, None)\n",
        hunter="tests/runner/test_engine_ends.py",
    ),
    Bug(
        name="what an answer leads to is not written down",
        hurts="after a crash the paid task is known to nobody",
        file="runner/engine.py",
        old="        self._look(*concerned)\n        await self.commit(step)\n",
        new="        self._look(*concerned)\n",
        hunter="storms",
    ),
    Bug(
        name="an exchange that broke on the way counts as never sent",
        hurts="a paid task looks as if nothing had left",
        file="runner/service.py",
        old="return SendEnd(phase=failure.phase, reason=failure.message)",
        new="return SendEnd(phase=Phase.NOT_SENT, reason=failure.message)",
        hunter="storms",
    ),
    Bug(
        name="a long task id is cut to fit",
        hurts="half an id is another id, and the task that was paid for is asked for under it in vain",
        file="runner/wire.py",
        old="or not 1 <= len(value) <= ID_CHARS_MAX or value in",
        new="or not (value := value[:ID_CHARS_MAX]) or value in",
        hunter=WIRE,
    ),
    Bug(
        name="whatever looks like a number is a price",
        hurts="True is one credit, and 1e9 is not a price",
        file="runner/wire.py",
        old="    return value if type(value) is int and 0 <= value <= CREDITS_MAX else None",
        new="    return value if isinstance(value, int) else None",
        hunter=WIRE,
    ),
    Bug(
        name="the ledger does not check the cap",
        hurts="a second mistake of the core's goes over the budget",
        file="runner/ledger/queries.sql",
        old="WHERE scope = :scope AND (CAST(:cap AS BIGINT) IS NULL OR reserved + settled + :bound <= :cap);",
        new="WHERE scope = :scope AND (CAST(:cap AS BIGINT) IS NULL OR reserved + settled <= :cap);",
        hunter=LEDGER_MONEY,
    ),
    Bug(
        name="the ledger's books stand still",
        hurts="the next life has the whole budget again",
        file="runner/ledger/writing.py",
        old="change for change in changes if change.delta != NO_MONEY",
        new="change for change in changes if change.delta.reserved > 0",
        hunter=LEDGER_MONEY,
    ),
    Bug(
        name="the ledger writes over a newer row",
        hurts="what another process wrote down is gone",
        file="runner/ledger/queries.sql",
        old="WHERE identity = :identity AND version = :version - 1;",
        new="WHERE identity = :identity AND version <= :version;",
        hunter=LEDGER_WRITES,
    ),
    Bug(
        name="a commit is told before it is one",
        hurts="a create leaves while its intent may still be lost",
        file="runner/ledger/group.py",
        old="            if len(self._waiting) == 1:\n                loop.call_soon(self._commit_waiting)\n",
        new="            call.future.set_result(None)\n",
        hunter=LEDGER_WRITES,
    ),
    # Several machines on one ledger
    Bug(
        name="a runner that was replaced goes on writing",
        hurts="two runners decide about one account, and both spend its budget",
        file="runner/ledger/postgres.py",
        old="AND commits = {before} AND fenced = 0",
        new="AND commits = {before}",
        hunter=POSTGRES_CONTENTION,
    ),
    Bug(
        name="a commit whose answer was lost is done again",
        hurts="what it moved is moved twice",
        file="runner/ledger/postgres.py",
        old="WHERE writer_id = {writer_id} AND commits = {before}",
        new="WHERE writer_id = {writer_id} AND commits >= {before}",
        hunter=POSTGRES_CUTS,
    ),
    Bug(
        name="a commit whose answer was lost is taken for done",
        hurts="a create leaves whose intent nobody wrote down",
        file="runner/ledger/postgres.py",
        old="if not self._begin(may_be_done=done is not None):",
        new="if done is not None or not self._begin(may_be_done=False):",
        hunter=POSTGRES_CUTS,
    ),
    Bug(
        name="PostgreSQL writes over a newer row",
        hurts="what another machine wrote down is gone",
        file="runner/ledger/postgres.sql",
        old="WHERE i.identity = new.identity AND i.version = new.version - 1;",
        new="WHERE i.identity = new.identity AND i.version <= new.version;",
        hunter=LEDGER_WRITES,
    ),
)
