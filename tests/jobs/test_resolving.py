"""A person's word on an attempt in doubt: what may be said when, and what becomes of the credits."""

from __future__ import annotations

import pytest

from jobs.answers import TaskSeen
from jobs.lifecycle import EventType as E
from jobs.lifecycle import ItemState as S
from jobs.record import Money, Record, rebuys
from jobs.resolving import Said, Word, refusal, resolved
from tests.jobs.workbench import INTENT, START, folded

OPENED = (E.INTENT, INTENT)
DOUBT = (E.SEND_ENDED, {"outcome": "ambiguous", "ambiguous": True})
ACCEPTED = (E.ACCEPTED, {"task_id": "task_1", "reserved_credits": 12})
IN_DOUBT = folded("i1-0", OPENED, DOUBT, (E.UNCERTAIN, {"reason": "no answer"}))
VANISHED = folded("i1-0", OPENED, ACCEPTED, (E.VANISHED, {"reason": "404"}))
STALLED = folded("i1-0", OPENED, ACCEPTED, (E.STALLED, {"reason": "late"}))
TASK = TaskSeen(id="task_9", status="succeeded", reserved_credits=15)


def said(word: Word) -> Said:
    return Said(word=word, by="ada", task=TASK if word is Word.ADOPT else None)


@pytest.mark.parametrize(
    ("record", "word", "state", "delta"),
    [
        (IN_DOUBT, Word.ADOPT, S.ACCEPTED, Money(reserved=5)),
        (IN_DOUBT, Word.ASSUME_NOT_CREATED, S.REJECTED, Money(reserved=-10)),
        (IN_DOUBT, Word.WRITE_OFF, S.FAILED, Money(reserved=-10, settled=10)),
        (VANISHED, Word.WRITE_OFF, S.FAILED, Money(reserved=-12, settled=12)),
        (STALLED, Word.WRITE_OFF, S.FAILED, Money(reserved=-12, settled=12)),
    ],
)
def test_a_word_moves_the_item_and_its_credits_and_names_who_said_it(
    record: Record, word: Word, state: S, delta: Money
) -> None:
    change = resolved(record, said(word), at_s=START + 9.0)

    assert change.record.state is state
    assert change.delta == delta
    assert change.scope == "run"
    assert change.event.data["by"] == "ada"
    assert change.record.version == record.version + 1


def test_an_adopted_task_is_the_items_and_no_send_is_counted_for_it() -> None:
    change = resolved(IN_DOUBT, said(Word.ADOPT), at_s=START)

    assert change.record.attempt is not None
    assert (change.record.attempt.task_id, change.record.attempt.sends) == ("task_9", 1)
    assert change.record.error_code is None


@pytest.mark.parametrize(("word", "again"), [(Word.ASSUME_NOT_CREATED, True), (Word.WRITE_OFF, False)])
def test_only_what_was_never_created_is_bought_again_by_the_next_run(word: Word, again: bool) -> None:
    record = resolved(IN_DOUBT, said(word), at_s=START).record

    assert rebuys(record, resubmit_failed=9) is again


@pytest.mark.parametrize("word", Word)
@pytest.mark.parametrize(
    "record",
    [
        folded(),
        folded("i1-0", OPENED),
        folded("i1-0", OPENED, ACCEPTED),
        folded("i1-0", OPENED, (E.REJECTED, {"code": "validation_failed", "message": ""})),
        folded("i1-0", OPENED, ACCEPTED, (E.SUCCEEDED, {"charge": 10, "urls": []})),
        folded("i1-0", OPENED, ACCEPTED, (E.FAILED, {"charge": 0, "code": "generation_failed"})),
        folded("i1-0", (E.SKIPPED, {"code": "budget_exhausted"})),
    ],
    ids=lambda record: record.state.value,
)
def test_nothing_can_be_said_of_what_is_not_in_doubt(record: Record, word: Word) -> None:
    why = refusal(record, word)

    assert why
    with pytest.raises(AssertionError):
        resolved(record, said(word), at_s=START)


@pytest.mark.parametrize("record", [VANISHED, STALLED], ids=lambda record: record.state.value)
@pytest.mark.parametrize("word", [Word.ADOPT, Word.ASSUME_NOT_CREATED])
def test_a_task_that_was_named_once_cannot_be_denied_or_replaced(record: Record, word: Word) -> None:
    assert "only be written off" in (refusal(record, word) or "")
