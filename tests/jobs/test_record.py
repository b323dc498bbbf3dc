"""An item's record is the fold of its events, and money moves nowhere else."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from jobs.lifecycle import EventType, IllegalMove, ItemState
from jobs.record import Artifact, Money, Record, fold, money_of, rebuys
from tests.jobs.workbench import INTENT, START, event, folded

E, S = EventType, ItemState
Told = tuple[EventType, Mapping[str, object]]

OPENED: Told = (E.INTENT, INTENT)
ACCEPTED: Told = (E.ACCEPTED, {"task_id": "task_1", "reserved_credits": 10, "request_id": "req_1"})
UNPRICED: Told = (E.ACCEPTED, {"task_id": "task_1", "reserved_credits": None})
DOUBT: Told = (E.SEND_ENDED, {"outcome": "ambiguous", "ambiguous": True})
REJECTED: Told = (E.REJECTED, {"code": "validation_failed", "message": "no", "request_id": "req_2"})
UNCERTAIN: Told = (E.UNCERTAIN, {"reason": "nobody knows"})
SUCCEEDED: Told = (E.SUCCEEDED, {"charge": 7, "final_credits": 7, "urls": ["a", "b"]})
FAILED: Told = (E.FAILED, {"charge": 0, "final_credits": 0, "code": "generation_failed", "message": "no luck"})
WRITTEN_OFF: Told = (E.WRITTEN_OFF, {"charge": 10})
VANISHED: Told = (E.VANISHED, {"reason": "404"})
STALLED: Told = (E.STALLED, {"reason": "20 min"})
NOT_CREATED: Told = (E.REJECTED, {"code": "not_created", "by": "somebody"})


def _made(*told: Told) -> Record:
    return folded("i1-0", *told)


def _money(reserved: int, settled: int) -> Money:
    return Money(reserved=reserved, settled=settled)


@pytest.mark.parametrize(
    ("told", "state", "money"),
    [
        ((), S.PLANNED, _money(0, 0)),
        ((OPENED,), S.SUBMITTING, _money(10, 0)),
        ((OPENED, DOUBT, DOUBT), S.SUBMITTING, _money(10, 0)),
        ((OPENED, REJECTED), S.REJECTED, _money(0, 0)),
        ((OPENED, ACCEPTED), S.ACCEPTED, _money(10, 0)),
        ((OPENED, (E.ACCEPTED, {"task_id": "t", "reserved_credits": 25})), S.ACCEPTED, _money(25, 0)),
        ((OPENED, (E.ACCEPTED, {"task_id": "t", "reserved_credits": 4})), S.ACCEPTED, _money(10, 0)),
        ((OPENED, (E.ACCEPTED, {"task_id": "t", "reserved_credits": None})), S.ACCEPTED, _money(10, 0)),
        ((OPENED, ACCEPTED, (E.SEEN, {})), S.ACCEPTED, _money(10, 0)),
        ((OPENED, UNPRICED, (E.SEEN, {"reserved_credits": 30})), S.ACCEPTED, _money(30, 0)),
        ((OPENED, UNPRICED, (E.SEEN, {"reserved_credits": 4})), S.ACCEPTED, _money(10, 0)),
        ((OPENED, ACCEPTED, SUCCEEDED), S.SUCCEEDED, _money(0, 7)),
        ((OPENED, ACCEPTED, (E.SUCCEEDED, {"charge": 30})), S.SUCCEEDED, _money(0, 30)),
        ((OPENED, ACCEPTED, FAILED), S.FAILED, _money(0, 0)),
        ((OPENED, ACCEPTED, (E.FAILED, {"charge": 10})), S.FAILED, _money(0, 10)),
        ((OPENED, DOUBT, UNCERTAIN), S.UNCERTAIN, _money(10, 0)),
        ((OPENED, DOUBT, UNCERTAIN, WRITTEN_OFF), S.FAILED, _money(0, 10)),
        ((OPENED, DOUBT, UNCERTAIN, NOT_CREATED), S.REJECTED, _money(0, 0)),
        ((OPENED, DOUBT, UNCERTAIN, (E.ACCEPTED, {"task_id": "t", "by": "me"})), S.ACCEPTED, _money(10, 0)),
        ((OPENED, ACCEPTED, VANISHED), S.VANISHED, _money(10, 0)),
        ((OPENED, ACCEPTED, STALLED), S.STALLED, _money(10, 0)),
        ((OPENED, ACCEPTED, STALLED, VANISHED, (E.SEEN, {})), S.ACCEPTED, _money(10, 0)),
        ((OPENED, ACCEPTED, VANISHED, SUCCEEDED), S.SUCCEEDED, _money(0, 7)),
        ((OPENED, ACCEPTED, SUCCEEDED, (E.REFUNDED, {"credits": 3})), S.SUCCEEDED, _money(0, 4)),
        ((OPENED, ACCEPTED, (E.FAILED, {"charge": 10}), (E.REFUNDED, {"credits": 10})), S.FAILED, _money(0, 0)),
        (((E.SKIPPED, {"code": "budget_exhausted"}),), S.SKIPPED, _money(0, 0)),
    ],
)
def test_credits_are_held_until_somebody_knows(told: tuple[Told, ...], state: ItemState, money: Money) -> None:
    record = _made(*told)

    assert (record.state, money_of(record)) == (state, money)
    assert record.version == len(told) + 1


def test_no_record_holds_nothing() -> None:
    assert money_of(None) == Money()


def test_an_intent_opens_an_attempt_with_its_bound() -> None:
    record = _made(OPENED)

    assert record.attempt is not None
    assert (record.attempt.key, record.attempt.bound, record.attempt.scope) == ("key-0", 10, "run")
    assert (record.attempt.opened_at_s, record.attempt.server_at_s) == (START, START)
    assert (record.attempts, record.sends) == (1, 0)


def test_doubt_is_there_for_good() -> None:
    clean: Told = (E.SEND_ENDED, {"outcome": "limited", "ambiguous": False})

    assert _made(OPENED, clean).attempt.ambiguous is False  # type: ignore[union-attr]
    assert _made(OPENED, DOUBT, clean).attempt.ambiguous is True  # type: ignore[union-attr]


def test_sends_are_counted_when_something_left() -> None:
    unsent: Told = (E.SEND_ENDED, {"outcome": "not_sent", "ambiguous": False})
    record = _made(OPENED, unsent, DOUBT, ACCEPTED)

    assert record.sends == 2
    assert record.attempt is not None
    assert record.attempt.sends == 2


def test_a_persons_word_is_no_send() -> None:
    adopted = _made(OPENED, DOUBT, UNCERTAIN, (E.ACCEPTED, {"task_id": "t", "by": "me"}))

    assert (adopted.sends, _made(OPENED, DOUBT, UNCERTAIN, NOT_CREATED).sends) == (1, 1)


def test_a_new_attempt_starts_clean_and_remembers_how_often_it_failed() -> None:
    again: Told = (E.INTENT, {**INTENT, "key": "key-1", "ordinal": 1})
    record = _made(OPENED, DOUBT, ACCEPTED, FAILED, again)

    assert record.attempt is not None
    assert (record.attempt.key, record.attempt.ambiguous, record.attempt.sends, record.attempt.task_id) == (
        "key-1",
        False,
        0,
        None,
    )
    assert (record.attempts, record.sends, record.failures) == (2, 2, 1)
    assert (record.error_code, record.error_message, record.request_id) == (None, None, None)


def test_a_persons_new_epoch_forgets_failures_and_results() -> None:
    again: Told = (E.INTENT, {**INTENT, "key": "key-1", "epoch": 1})

    assert _made(OPENED, ACCEPTED, FAILED, again).failures == 0
    assert _made(OPENED, ACCEPTED, SUCCEEDED, again).artifacts == ()


def test_a_success_lists_its_results_from_one() -> None:
    record = _made(OPENED, ACCEPTED, SUCCEEDED)

    assert record.artifacts == (Artifact(n=1, url="a"), Artifact(n=2, url="b"))


def test_a_saved_result_replaces_its_entry_and_no_other() -> None:
    saved = {"n": 1, "url": "a2", "state": "verified", "file": "a.png", "sha256": "ff", "bytes": 9, "type": "image/png"}
    record = _made(OPENED, ACCEPTED, SUCCEEDED, (E.SAVED, saved))

    assert record.artifacts == (
        Artifact(n=1, url="a2", state="verified", file="a.png", sha256="ff", bytes=9, type="image/png"),
        Artifact(n=2, url="b"),
    )
    assert money_of(record) == _money(0, 7)


@pytest.mark.parametrize(
    ("told", "code", "message", "request_id"),
    [
        ((OPENED, REJECTED), "validation_failed", "no", "req_2"),
        ((OPENED, ACCEPTED, FAILED), "generation_failed", "no luck", "req_1"),
        ((OPENED, DOUBT, UNCERTAIN), "uncertain", "nobody knows", None),
        ((OPENED, ACCEPTED, VANISHED), "vanished", "404", "req_1"),
        ((OPENED, ACCEPTED, STALLED), "stalled", "20 min", "req_1"),
        ((OPENED, ACCEPTED, VANISHED, (E.SEEN, {})), None, None, "req_1"),
        ((OPENED, ACCEPTED, STALLED, (E.SEEN, {})), "stalled", "20 min", "req_1"),
        ((OPENED, DOUBT, UNCERTAIN, ACCEPTED), None, None, "req_1"),
        ((OPENED, DOUBT, UNCERTAIN, WRITTEN_OFF), "written_off", None, None),
        (((E.SKIPPED, {"code": "over_per_item", "message": "dear"}), (E.PLANNED, {})), None, None, None),
    ],
)
def test_a_record_says_what_went_wrong_last(
    told: tuple[Told, ...], code: str | None, message: str | None, request_id: str | None
) -> None:
    record = _made(*told)

    assert (record.error_code, record.error_message, record.request_id) == (code, message, request_id)


@pytest.mark.parametrize("back", [0, -1, 8])
def test_a_refund_is_at_most_what_was_charged(back: int) -> None:
    with pytest.raises(AssertionError, match="refund"):
        _made(OPENED, ACCEPTED, SUCCEEDED, (E.REFUNDED, {"credits": back}))


@pytest.mark.parametrize("charge", [1.0, "7", True, None])
def test_a_charge_is_a_whole_number(charge: object) -> None:
    with pytest.raises(AssertionError, match="whole numbers"):
        _made(OPENED, ACCEPTED, (E.SUCCEEDED, {"charge": charge}))


def test_an_illegal_event_changes_nothing() -> None:
    record = _made(OPENED, ACCEPTED, SUCCEEDED)

    with pytest.raises(IllegalMove):
        fold(record, event(*FAILED))
    assert record == _made(OPENED, ACCEPTED, SUCCEEDED)


def test_events_of_another_item_are_refused() -> None:
    with pytest.raises(AssertionError, match="another item"):
        fold(_made(), event(*OPENED, identity="i1-9"))


POOR: Told = (E.REJECTED, {"code": "insufficient_credits", "message": ""})
BORN_POOR: Told = (E.FAILED, {"charge": 0, "code": "insufficient_credits"})
REOPENED: Told = (E.INTENT, {**INTENT, "key": "key-1", "ordinal": 1})


@pytest.mark.parametrize(
    ("told", "resubmit_failed", "expected"),
    [
        ((), 0, True),
        (((E.SKIPPED, {"code": "budget_exhausted"}),), 0, True),
        ((OPENED, REJECTED), 5, False),
        ((OPENED, DOUBT, UNCERTAIN, NOT_CREATED), 0, True),
        ((OPENED, POOR), 0, True),
        ((OPENED, ACCEPTED, BORN_POOR), 0, True),
        ((OPENED, ACCEPTED, (E.FAILED, {"charge": 1, "code": "insufficient_credits"})), 0, False),
        ((OPENED, ACCEPTED, FAILED), 0, False),
        ((OPENED, ACCEPTED, FAILED), 1, True),
        ((OPENED, ACCEPTED, FAILED, REOPENED, ACCEPTED, FAILED), 1, False),
        ((OPENED, ACCEPTED, FAILED, REOPENED, ACCEPTED, FAILED), 2, True),
        ((OPENED, DOUBT, UNCERTAIN, WRITTEN_OFF), 0, False),
        ((OPENED, DOUBT, UNCERTAIN, WRITTEN_OFF), 5, False),
        ((OPENED, ACCEPTED, SUCCEEDED), 5, False),
        ((OPENED,), 5, False),
        ((OPENED, ACCEPTED), 5, False),
        ((OPENED, DOUBT, UNCERTAIN), 5, False),
        ((OPENED, ACCEPTED, VANISHED), 5, False),
        ((OPENED, ACCEPTED, STALLED), 5, False),
    ],
)
def test_only_what_definitely_came_to_nothing_is_bought_again_by_itself(
    told: tuple[Told, ...], resubmit_failed: int, expected: bool
) -> None:
    assert rebuys(_made(*told), resubmit_failed=resubmit_failed) is expected
