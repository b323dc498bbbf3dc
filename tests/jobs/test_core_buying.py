"""The core on its own, buying: which key is sent when, and until when one may be sent again."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from jobs.answers import SendEnd
from jobs.budget import Books
from jobs.lifecycle import EventType, ItemState
from jobs.steps import Send, Step
from jobs.verdict import SendPolicy
from tests.jobs.core_steps import ACCEPTED, OPENED, bought, state_of, waits_s
from tests.jobs.workbench import (
    AMBIGUOUS,
    INTENT,
    at,
    events_of,
    folded,
    made_core,
    made_item,
    must_poll,
    must_send,
    refused,
    seen,
)

E, S = EventType, ItemState
UNPRICED = (E.ACCEPTED, {"task_id": "task_1", "reserved_credits": None})


def test_an_intent_comes_with_its_key_its_bytes_and_the_cap() -> None:
    core = made_core(made_item(), books=Books(cap=25))
    send = must_send(core, 0)
    change = send.step.changes[0]

    assert events_of(send.step) == ["intent"]
    assert change.cap_credits == 25
    assert change.body is not None
    assert send.key.encode() in change.body
    assert (core.state.books.reserved, change.delta.reserved) == (10, 10)


def test_a_resend_has_the_same_key_and_nothing_to_commit() -> None:
    core = made_core(made_item())
    first = bought(core, end=refused(503))
    again = must_send(core, 5)

    assert (again.key, again.step) == (first.key, Step())


def test_resends_go_before_new_purchases() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    bought(core, 0, end=AMBIGUOUS)

    assert [must_send(core, 5).identity for _ in range(2)] == ["i1-0", "i1-1"]


def test_a_definite_rejection_gives_the_credits_back_and_is_final_for_the_run() -> None:
    core = made_core(made_item())
    bought(core, end=refused(400, "validation_failed"))

    assert state_of(core) is S.REJECTED
    assert core.state.books.reserved == 0
    assert core.finished()


def test_a_refusal_after_doubt_is_no_rejection() -> None:
    core = made_core(made_item())
    bought(core, end=AMBIGUOUS)
    core.create_ended(must_send(core, 5), refused(400, "validation_failed"), at(5))

    assert state_of(core) is S.SUBMITTING
    assert core.state.books.reserved == 10


def test_a_create_found_open_may_have_arrived_whatever_its_record_says() -> None:
    core = made_core(made_item(), records={"i1-0": folded("i1-0", OPENED)})
    send = must_send(core, 0)
    core.create_ended(send, refused(400, "validation_failed"), at(0))

    assert send.key == "key-0"
    assert state_of(core) is S.SUBMITTING


def test_a_create_found_open_after_an_hour_is_uncertain() -> None:
    old = {**INTENT, "server_at_s": 1_000_000.0 - 3600.0}
    item = made_item()
    core = made_core(settings={})
    record = folded("i1-0", (E.INTENT, old))
    step = core.admit(item, record, at(3600.0))

    assert events_of(step) == ["uncertain"]
    assert core.finished()
    assert "60 min" in str(step.changes[0].event.data["reason"])


def test_the_age_of_a_key_is_told_by_the_service_when_our_clock_was_set() -> None:
    core = made_core()
    core.state.contact(SendEnd(phase=seen().phase, status=200, server_epoch_s=1_000_000.0 + 7200.0), at(0))
    fresh = folded("i1-0", (E.INTENT, {**INTENT, "server_at_s": 1_000_000.0 + 7190.0}))
    stale = folded("i1-1", (E.INTENT, {**INTENT, "server_at_s": 1_000_000.0 + 3600.0}))

    assert core.admit(made_item(0), fresh, at(0)) == Step()
    assert events_of(core.admit(made_item(1), stale, at(0))) == ["uncertain"]


def test_a_clock_that_ran_backwards_makes_an_open_create_uncertain() -> None:
    core = made_core()

    assert events_of(core.admit(made_item(), folded("i1-0", OPENED), at(-60.0))) == ["uncertain"]


@pytest.mark.parametrize("skew_s", [5.0, -5.0, 7200.0, -7200.0])
def test_clocks_that_differ_do_not_make_a_new_key_old(skew_s: float) -> None:
    core = made_core(made_item())
    end = SendEnd(phase=seen().phase, status=502, server_epoch_s=1_000_000.0 + skew_s)
    core.create_ended(must_send(core, 0), end, at(0.5))

    assert state_of(core) is S.SUBMITTING


def test_a_doubted_key_is_not_sent_after_its_hour_however_long_the_service_wants_to_wait() -> None:
    core = made_core(made_item())
    bought(core, end=refused(503, retry_after_s=7200.0))
    answer = core.next_create(at(3700.0))

    assert isinstance(answer, Step)
    assert events_of(answer) == ["uncertain"]
    assert core.finished()
    assert core.state.books.reserved == 10


def test_a_machine_that_slept_counts_the_time_as_well() -> None:
    core = made_core(made_item())
    bought(core, end=AMBIGUOUS)
    slept = at(5.0)._replace(wall_s=1_000_000.0 + 4000.0)
    answer = core.next_create(slept)

    assert isinstance(answer, Step)
    assert events_of(answer) == ["uncertain"]


def test_a_limited_key_is_clean_and_may_wait_for_hours() -> None:
    core = made_core(made_item())
    bought(core, end=refused(429, "rate_limited", retry_after_s=3600.0))

    assert must_send(core, 4000.0).identity == "i1-0"


def test_after_its_resends_a_key_is_uncertain_and_its_credits_stay() -> None:
    core = made_core(made_item(), settings={"send_policy": SendPolicy(resends_max=2)})
    for seconds in (0, 10, 20):
        core.create_ended(must_send(core, seconds), refused(500), at(seconds))

    assert state_of(core) is S.UNCERTAIN
    assert core.state.books.reserved == 10
    assert core.finished()


def test_an_unknown_class_has_one_attempt_in_flight_until_its_price_is_seen() -> None:
    core = made_core(made_item(0), made_item(1), made_item(2, price_class="other"))
    first, other = must_send(core, 0), must_send(core, 0)
    assert (first.identity, other.identity) == ("i1-0", "i1-2")
    assert waits_s(core.next_create(at(0))) is None
    core.create_ended(first, seen(reserved=12), at(0))

    second = must_send(core, 0)
    assert second.step.changes[0].record.attempt.bound == 12  # type: ignore[union-attr]


@pytest.mark.parametrize("history", [(OPENED,), (OPENED, UNPRICED)])
def test_an_unknown_class_waits_for_an_attempt_of_an_earlier_life(
    history: tuple[tuple[EventType, Mapping[str, object]], ...],
) -> None:
    core = made_core(made_item(0), made_item(1), records={"i1-0": folded("i1-0", *history)})
    if len(history) == 1:
        assert must_send(core, 0).identity == "i1-0"

    assert waits_s(core.next_create(at(0))) is None


def test_a_class_goes_on_when_its_first_attempt_came_to_nothing() -> None:
    core = made_core(made_item(0), made_item(1))
    bought(core, 0, end=refused(400, "validation_failed"))

    assert must_send(core, 1).identity == "i1-1"


def test_a_price_of_nothing_is_no_price() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 0})

    assert must_send(core, 0).step.changes[0].delta.reserved == 10
    assert waits_s(core.next_create(at(0))) is None


@pytest.mark.parametrize(("cap", "bound"), [(40, 40), (None, 0)])
def test_without_any_price_the_whole_rest_is_held(cap: int | None, bound: int) -> None:
    core = made_core(made_item(0, base=None), books=Books(cap=cap))

    assert must_send(core, 0).step.changes[0].delta.reserved == bound


def test_a_full_house_buys_nothing_more() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10}, settings={"in_flight_max": 2})
    bought(core, 0)
    bought(core, 1)

    assert waits_s(core.next_create(at(1))) is None
    core.poll_ended(must_poll(core, 10), seen("task_0", "succeeded", final=10), at(10))
    assert must_send(core, 10).identity == "i1-2"


def test_three_bad_sends_in_a_row_put_no_new_key_at_risk() -> None:
    core = made_core(*(made_item(n) for n in range(5)), prices={"m": 10})
    sends = [must_send(core, 0) for _ in range(3)]
    for send in sends:
        core.create_ended(send, AMBIGUOUS, at(0))
    tried = []
    while isinstance(answer := core.next_create(at(30)), Send):
        tried.append(answer)
    assert {send.identity for send in tried} == {"i1-0", "i1-1", "i1-2"}

    core.create_ended(tried[0], seen("task_0"), at(30))
    assert must_send(core, 30).identity == "i1-3"


def test_when_the_bad_ones_are_given_up_one_new_key_tests_the_service() -> None:
    core = made_core(
        *(made_item(n) for n in range(5)), prices={"m": 10}, settings={"send_policy": SendPolicy(resends_max=0)}
    )
    for send in [must_send(core, 0) for _ in range(3)]:
        core.create_ended(send, refused(500), at(0))

    due_s = waits_s(core.next_create(at(0)))
    assert due_s is not None
    assert due_s > 0
    must_send(core, due_s)
    assert waits_s(core.next_create(at(due_s + 59))) == due_s + 60
    assert must_send(core, due_s + 60).identity == "i1-4"  # the one before may hang where this one is answered


def test_a_full_house_after_bad_sends_waits_for_an_end_not_for_the_clock() -> None:
    taken = {
        f"i1-{n}": folded(f"i1-{n}", OPENED, (E.ACCEPTED, {"task_id": f"t{n}", "reserved_credits": 10})) for n in (0, 1)
    }
    opened = {f"i1-{n}": folded(f"i1-{n}", OPENED) for n in (2, 3, 4)}
    core = made_core(
        *(made_item(n) for n in range(6)),
        prices={"m": 10},
        records=taken | opened,
        books=Books(cap=1000, reserved=50),
        settings={"in_flight_max": 2, "send_policy": SendPolicy(resends_max=0)},
    )
    for send in [must_send(core, 0) for _ in range(3)]:
        core.create_ended(send, AMBIGUOUS, at(0))

    assert waits_s(core.next_create(at(100))) is None


@pytest.mark.parametrize("resends_max", [0, 1])
def test_a_task_of_another_attempt_is_no_answer(resends_max: int) -> None:
    core = made_core(
        made_item(0),
        made_item(1),
        prices={"m": 10},
        records={"i1-0": folded("i1-0", OPENED, ACCEPTED)},
        settings={"send_policy": SendPolicy(resends_max=resends_max)},
    )
    for n in range(resends_max + 1):
        core.create_ended(must_send(core, 10 * n), seen("task_1"), at(10 * n))

    assert state_of(core, 1) is S.UNCERTAIN
    assert "another attempt" in str(core.state.records["i1-1"].error_message)
