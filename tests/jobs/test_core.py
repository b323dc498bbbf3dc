"""The core on its own: one decision after another, then thousands of whole runs on a service that misbehaves."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from jobs.answers import SendEnd, Uploaded
from jobs.budget import Books
from jobs.core import DOWNLOAD_BACKLOG_MAX, Core
from jobs.lifecycle import EventType, ItemState
from jobs.polling import Noticed
from jobs.record import rebuys
from jobs.steps import Send, Step, Wait
from jobs.verdict import Pause, SendPolicy
from tests.jobs.workbench import (
    AMBIGUOUS,
    INTENT,
    MONO,
    NOT_SENT,
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
OPENED = (E.INTENT, INTENT)
ACCEPTED = (E.ACCEPTED, {"task_id": "task_1", "reserved_credits": 10})
UNPRICED = (E.ACCEPTED, {"task_id": "task_1", "reserved_credits": None})
FAILED = (E.FAILED, {"charge": 0, "code": "generation_failed"})
SUCCEEDED = (E.SUCCEEDED, {"charge": 10, "urls": ["u1", "u2"]})


def _wait(answer: object) -> float | None:
    assert isinstance(answer, Wait), answer
    return None if answer.until_s is None else answer.until_s - MONO


def _state(core: Core, index: int = 0) -> ItemState:
    return core.state.records[f"i1-{index}"].state


def _bought(core: Core, index: int = 0, *, seconds: float = 0.0, end: SendEnd | None = None) -> Send:
    send = must_send(core, seconds)
    assert send.identity == f"i1-{index}"
    core.create_ended(send, end or seen(f"task_{index}"), at(seconds))
    return send


def _poll_until_ended(core: Core, end: SendEnd, *, seconds: float = 10.0) -> Step:
    return core.poll_ended(must_poll(core, seconds), end, at(seconds))


# Buying


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
    first = _bought(core, end=refused(503))
    again = must_send(core, 5)

    assert (again.key, again.step) == (first.key, Step())


def test_resends_go_before_new_purchases() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    _bought(core, 0, end=AMBIGUOUS)

    assert [must_send(core, 5).identity for _ in range(2)] == ["i1-0", "i1-1"]


def test_a_definite_rejection_gives_the_credits_back_and_is_final_for_the_run() -> None:
    core = made_core(made_item())
    _bought(core, end=refused(400, "validation_failed"))

    assert _state(core) is S.REJECTED
    assert core.state.books.reserved == 0
    assert core.finished()


def test_a_refusal_after_doubt_is_no_rejection() -> None:
    core = made_core(made_item())
    _bought(core, end=AMBIGUOUS)
    core.create_ended(must_send(core, 5), refused(400, "validation_failed"), at(5))

    assert _state(core) is S.SUBMITTING
    assert core.state.books.reserved == 10


def test_a_create_found_open_may_have_arrived_whatever_its_record_says() -> None:
    core = made_core(made_item(), records={"i1-0": folded("i1-0", OPENED)})
    send = must_send(core, 0)
    core.create_ended(send, refused(400, "validation_failed"), at(0))

    assert send.key == "key-0"
    assert _state(core) is S.SUBMITTING


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

    assert _state(core) is S.SUBMITTING


def test_a_doubted_key_is_not_sent_after_its_hour_however_long_the_service_wants_to_wait() -> None:
    core = made_core(made_item())
    _bought(core, end=refused(503, retry_after_s=7200.0))
    answer = core.next_create(at(3700.0))

    assert isinstance(answer, Step)
    assert events_of(answer) == ["uncertain"]
    assert core.finished()
    assert core.state.books.reserved == 10


def test_a_machine_that_slept_counts_the_time_as_well() -> None:
    core = made_core(made_item())
    _bought(core, end=AMBIGUOUS)
    slept = at(5.0)._replace(wall_s=1_000_000.0 + 4000.0)
    answer = core.next_create(slept)

    assert isinstance(answer, Step)
    assert events_of(answer) == ["uncertain"]


def test_a_limited_key_is_clean_and_may_wait_for_hours() -> None:
    core = made_core(made_item())
    _bought(core, end=refused(429, "rate_limited", retry_after_s=3600.0))

    assert must_send(core, 4000.0).identity == "i1-0"


def test_after_its_resends_a_key_is_uncertain_and_its_credits_stay() -> None:
    core = made_core(made_item(), settings={"send_policy": SendPolicy(resends_max=2)})
    for seconds in (0, 10, 20):
        core.create_ended(must_send(core, seconds), refused(500), at(seconds))

    assert _state(core) is S.UNCERTAIN
    assert core.state.books.reserved == 10
    assert core.finished()


def test_an_unknown_class_has_one_attempt_in_flight_until_its_price_is_seen() -> None:
    core = made_core(made_item(0), made_item(1), made_item(2, price_class="other"))
    first, other = must_send(core, 0), must_send(core, 0)
    assert (first.identity, other.identity) == ("i1-0", "i1-2")
    assert _wait(core.next_create(at(0))) is None
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

    assert _wait(core.next_create(at(0))) is None


def test_a_class_goes_on_when_its_first_attempt_came_to_nothing() -> None:
    core = made_core(made_item(0), made_item(1))
    _bought(core, 0, end=refused(400, "validation_failed"))

    assert must_send(core, 1).identity == "i1-1"


def test_a_price_of_nothing_is_no_price() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 0})

    assert must_send(core, 0).step.changes[0].delta.reserved == 10
    assert _wait(core.next_create(at(0))) is None


@pytest.mark.parametrize(("cap", "bound"), [(40, 40), (None, 0)])
def test_without_any_price_the_whole_rest_is_held(cap: int | None, bound: int) -> None:
    core = made_core(made_item(0, base=None), books=Books(cap=cap))

    assert must_send(core, 0).step.changes[0].delta.reserved == bound


def test_a_full_house_buys_nothing_more() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10}, settings={"in_flight_max": 2})
    _bought(core, 0)
    _bought(core, 1)

    assert _wait(core.next_create(at(1))) is None
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

    due_s = _wait(core.next_create(at(0)))
    assert due_s is not None
    assert due_s > 0
    must_send(core, due_s)
    assert _wait(core.next_create(at(due_s))) is None


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

    assert _wait(core.next_create(at(100))) is None


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

    assert _state(core, 1) is S.UNCERTAIN
    assert "another attempt" in str(core.state.records["i1-1"].error_message)


# Money


def test_the_next_item_that_can_never_fit_stops_buying() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, books=Books(cap=15))
    _bought(core, 0)
    assert _wait(core.next_create(at(1))) is None
    assert not core.state.pauses  # what the first one holds may come back

    _poll_until_ended(core, seen("task_0", "succeeded", final=10))
    assert isinstance(core.next_create(at(10)), Step)
    assert Pause.BUDGET in core.state.pauses
    assert core.finished()
    assert events_of(core.leave_unbought(at(10))) == ["skipped"]


def test_a_refund_lets_the_next_item_go() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, books=Books(cap=15))
    _bought(core, 0)
    assert _wait(core.next_create(at(1))) is None
    _poll_until_ended(core, seen("task_0", "failed", final=0))

    assert must_send(core, 10).identity == "i1-1"


def test_credits_held_by_doubt_alone_are_waited_for_by_nobody() -> None:
    core = made_core(
        made_item(0),
        made_item(1),
        prices={"m": 10},
        books=Books(cap=15, reserved=10),
        records={"i1-0": folded("i1-0", OPENED, (E.UNCERTAIN, {"reason": "?"}))},
    )

    assert isinstance(core.next_create(at(0)), Step)
    assert core.finished()


def test_on_exhausted_skip_goes_on_with_cheaper_ones() -> None:
    core = made_core(
        made_item(0, price_class="dear", base=30),
        made_item(1, price_class="cheap", base=5),
        books=Books(cap=20),
        settings={"on_exhausted": "skip"},
    )
    step = core.next_create(at(0))

    assert isinstance(step, Step)
    assert step.changes[0].record.error_code == "budget_exhausted"
    assert must_send(core, 0).identity == "i1-1"


def test_an_item_above_per_item_is_skipped_and_the_rest_goes_on() -> None:
    core = made_core(made_item(0, price_class="dear", base=30), made_item(1), books=Books(cap=1000, per_item=20))
    step = core.next_create(at(0))

    assert isinstance(step, Step)
    assert step.changes[0].record.error_code == "over_per_item"
    assert must_send(core, 0).identity == "i1-1"


def test_an_empty_account_pauses_buying_and_the_item_is_bought_by_a_later_run() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    first = _bought(core, 0, end=refused(402, "insufficient_credits"))
    assert (Pause.CREDITS in core.state.pauses, core.finished()) == (True, True)

    later = made_core(made_item(0), records={"i1-0": core.state.records["i1-0"]})
    send = must_send(later, 0)
    assert send.key != first.key
    assert send.step.changes[0].event.data["ordinal"] == 1


def test_an_empty_account_told_by_a_task_is_the_same() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    _bought(core, 0, end=seen("task_0", "failed", final=0, error="insufficient_credits"))
    assert (_state(core), Pause.CREDITS in core.state.pauses) == (S.FAILED, True)
    assert core.finished()

    later = made_core(made_item(0), records={"i1-0": core.state.records["i1-0"]})
    assert must_send(later, 0).step.changes[0].event.data["ordinal"] == 1


def test_a_charge_above_its_bound_is_told_and_ends_buying_at_the_cap() -> None:
    core = made_core(made_item(0), made_item(1), books=Books(cap=15))
    step = core.create_ended(must_send(core, 0), seen(reserved=20), at(0))

    assert [notice.name for notice in step.notices] == ["price", "paused"]
    assert core.state.books.overshoot == 5
    assert _wait(core.next_create(at(0))) is None


def test_a_charge_above_its_bound_at_the_end_is_told_as_well() -> None:
    core = made_core(made_item(0), books=Books(cap=15))
    _bought(core, 0, end=seen(reserved=None))
    step = _poll_until_ended(core, seen("task_1", "succeeded", reserved=None, final=20))

    assert [(notice.name, notice.data["charged"]) for notice in step.notices] == [("price", 20)]
    assert core.state.pauses == {}  # nothing was left to buy


@pytest.mark.parametrize(
    ("end", "settled", "assumed"),
    [
        (seen(status="succeeded", final=7), 7, False),
        (seen(status="succeeded", final=None), 10, True),
        (seen(status="succeeded", final=0), 10, True),  # documented to stay 0 until late
        (seen(status="failed", final=0), 0, False),  # the documented refund
        (seen(status="failed", final=4), 4, False),
        (seen(status="failed", final=None), 10, True),
    ],
)
def test_an_end_settles_what_the_service_says_or_what_was_held(end: SendEnd, settled: int, assumed: bool) -> None:
    core = made_core(made_item())
    _bought(core, end=seen())
    step = _poll_until_ended(core, end)

    assert (core.state.books.settled, core.state.books.reserved) == (settled, 0)
    assert step.changes[0].event.data["assumed"] is assumed


def test_a_figure_that_only_a_poll_shows_is_held_and_opens_the_class() -> None:
    core = made_core(made_item(0), made_item(1), books=Books(cap=100))
    _bought(core, 0, end=seen(reserved=None))
    assert _wait(core.next_create(at(1))) is None
    step = _poll_until_ended(core, seen("task_1", "processing", reserved=24))

    assert (events_of(step), [notice.name for notice in step.notices]) == (["seen"], ["price"])
    assert core.state.books.reserved == 24
    assert must_send(core, 10).step.changes[0].delta.reserved == 24
    assert events_of(_poll_until_ended(core, seen("task_1", "processing", reserved=24), seconds=20)) == []


def test_the_highest_price_seen_is_what_the_next_attempt_holds() -> None:
    core = made_core(made_item(0), made_item(1), made_item(2), prices={"m": 9})
    _bought(core, 0, end=seen("task_0", reserved=12))
    _bought(core, 1, end=seen("task_1", reserved=8))

    assert must_send(core, 0).step.changes[0].delta.reserved == 12


# Buying again


def test_what_a_person_wrote_off_is_never_bought_again_by_itself() -> None:
    record = folded("i1-0", OPENED, (E.UNCERTAIN, {"reason": "?"}), (E.WRITTEN_OFF, {"charge": 10}))

    assert made_core(made_item(), records={"i1-0": record}, settings={"resubmit_failed": 9}).finished()
    assert not made_core(made_item(), records={"i1-0": record}, retry=True).finished()


def test_a_failure_is_bought_again_as_often_as_the_manifest_says_each_with_its_own_key() -> None:
    core = made_core(made_item(), settings={"resubmit_failed": 2}, prices={"m": 10})
    keys = []
    for n in range(3):
        send = must_send(core, n * 10)
        keys.append(send.key)
        core.create_ended(send, seen(f"task_{n}", "failed", final=1), at(n * 10))

    assert len(set(keys)) == 3
    assert core.finished()
    assert core.state.books.settled == 3


def test_again_opens_a_new_epoch_even_for_a_success() -> None:
    record = folded("i1-0", OPENED, ACCEPTED, SUCCEEDED)
    core = made_core(made_item(), records={"i1-0": record}, again=True)
    data = must_send(core, 0).step.changes[0].event.data

    assert (data["epoch"], data["ordinal"]) == (1, 0)


@pytest.mark.parametrize(
    "history",
    [(OPENED,), (OPENED, ACCEPTED), (OPENED, (E.UNCERTAIN, {"reason": "?"})), (OPENED, ACCEPTED, (E.VANISHED, {}))],
)
def test_again_never_touches_what_is_open_or_in_doubt(
    history: tuple[tuple[EventType, Mapping[str, object]], ...],
) -> None:
    core = made_core(made_item(), records={"i1-0": folded("i1-0", *history)}, again=True, retry=True)
    answer = core.next_create(at(0))

    assert not isinstance(answer, Send) or not answer.step.changes


def test_what_another_run_bought_stays_in_that_runs_books() -> None:
    elsewhere = folded("i1-0", (E.INTENT, {**INTENT, "scope": "other"}), ACCEPTED)
    core = made_core(made_item(), records={"i1-0": elsewhere}, books=Books(cap=5))
    step = _poll_until_ended(core, seen("task_1", "succeeded", final=10))

    assert (step.changes[0].scope, core.state.books.settled) == ("other", 0)


# Trouble


def test_a_refused_key_stops_everything_and_keeps_the_attempt_open() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    _bought(core, 0, end=refused(401, "api_key_revoked"))

    assert core.finished()
    assert (_state(core), core.state.books.reserved) == (S.SUBMITTING, 10)
    assert _wait(core.next_create(at(1000))) is None


def test_a_wrong_address_holds_every_open_create_also_those_that_end_later() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10})
    first, second, third = (must_send(core, 0) for _ in range(3))
    core.create_ended(first, refused(500), at(0))
    core.create_ended(second, refused(302), at(0))
    core.create_ended(third, refused(429), at(1))

    assert core.finished()
    assert {_state(core, n) for n in range(3)} == {S.SUBMITTING}
    assert core.state.books.reserved == 30


def test_nobody_there_for_five_minutes_ends_the_life() -> None:
    core = made_core(made_item())
    seconds = 0.0
    while not core.finished():
        answer = core.next_create(at(seconds))
        if isinstance(answer, Send):
            core.create_ended(answer, NOT_SENT, at(seconds))
        else:
            seconds = _wait(answer) or seconds
    assert 300 <= seconds <= 400
    core.leave_unbought(at(seconds))
    assert set(core.state.pauses) == {Pause.NETWORK}
    assert _state(core) is S.REJECTED, "no byte of it ever left, so its credits are free again"
    assert core.state.books.reserved == 0
    assert rebuys(core.state.records["i1-0"], resubmit_failed=0)


def test_a_silence_that_nobody_tried_to_break_is_not_an_outage() -> None:
    core = made_core(made_item())
    _bought(core, end=refused(429, retry_after_s=900.0))
    core.create_ended(must_send(core, 950), NOT_SENT, at(950))

    assert not core.state.pauses


def test_halt_stops_buying_after_so_many_failures() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10}, settings={"halt_after": 2})
    for n in range(2):
        _bought(core, n, end=refused(400, "validation_failed"))

    assert (core.finished(), list(core.state.pauses)) == (True, [Pause.HALT])
    assert _state(core, 2) is S.PLANNED


def test_a_stop_starts_nothing_and_waits_for_what_has_left() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    send = must_send(core, 0)
    core.stop()

    assert (_wait(core.next_create(at(0))), core.finished()) == (None, False)
    core.create_ended(send, seen(), at(1))
    assert core.finished()
    assert _wait(core.next_poll(at(100))) is None


# Watching


def test_a_task_is_not_asked_for_again_before_the_service_wants() -> None:
    core = made_core(made_item())
    _bought(core)
    core.poll_ended(must_poll(core, 3), refused(500, retry_after_s=100.0), at(3))

    assert isinstance(core.next_poll(at(102)), Wait)
    must_poll(core, 104)


def test_the_first_look_at_a_task_comes_no_later_than_its_timeout() -> None:
    core = made_core(made_item(), settings={"item_timeout_s": 30.0})
    for took_s in range(600, 640):
        core.state.polling.looked("m", 0.0, 0.98 * took_s, ended=False)
        core.state.polling.looked("m", 0.98 * took_s, took_s, ended=True)
    _bought(core)

    must_poll(core, 30)


def test_an_end_says_how_many_looks_it_took_and_how_long_the_task_was_not_seen() -> None:
    core = made_core(made_item())
    _bought(core)
    core.poll_ended(must_poll(core, 3), seen("task_0", "running"), at(3.1))
    core.poll_ended(must_poll(core, 9), refused(503), at(9.1))
    step = core.poll_ended(must_poll(core, 40), seen("task_0", "succeeded", final=10), at(40.1))

    assert (step.changes[0].event.data["polls"], step.changes[0].event.data["unseen_s"]) == (3, 37.0)
    assert core.watching.noticed == Noticed(ends=1, polls=3, unseen_s=37.0)


def test_of_a_task_that_an_earlier_life_left_nobody_knows_how_long_its_end_was_not_seen() -> None:
    accepted = {"task_id": "task_1", "reserved_credits": 10, "request_id": None}
    record = folded("i1-0", (EventType.INTENT, INTENT), (EventType.ACCEPTED, accepted))
    core = made_core(made_item(), records={"i1-0": record})
    step = core.poll_ended(must_poll(core, 0), seen(status="succeeded", final=10), at(0.1))

    assert (step.changes[0].event.data["polls"], step.changes[0].event.data["unseen_s"]) == (1, None)
    assert core.watching.noticed.ends == 0


def test_a_task_is_polled_from_its_first_wait_until_it_ends() -> None:
    core = made_core(made_item())
    _bought(core)
    assert _wait(core.next_poll(at(0))) == pytest.approx(2.1)
    core.poll_ended(must_poll(core, 2.1), seen("task_0", "processing"), at(2.2))
    assert not core.finished()

    core.poll_ended(must_poll(core, 4), seen("task_0", "succeeded", final=10, urls=("u",)), at(4))
    download = core.next_download()
    assert download is not None
    core.download_ended(download, at(5), {"state": "verified"})
    assert core.finished()


def test_a_create_answered_with_an_ended_task_needs_no_poll() -> None:
    core = made_core(made_item())
    _bought(core, end=seen(status="succeeded", final=10, urls=("u",)))

    assert _state(core) is S.SUCCEEDED
    assert _wait(core.next_poll(at(100))) is None
    assert core.next_download() is not None


@pytest.mark.parametrize("status", ["queued", "processing", "paused", "", "SUCCEEDED"])
def test_an_unknown_word_is_no_end(status: str) -> None:
    core = made_core(made_item())
    _bought(core)
    _poll_until_ended(core, seen("task_0", status))

    assert _state(core) is S.ACCEPTED


def test_another_tasks_answer_is_no_answer() -> None:
    core = made_core(made_item())
    _bought(core)
    _poll_until_ended(core, seen("task_9", "succeeded", final=10))

    assert _state(core) is S.ACCEPTED


def test_a_404_is_believed_after_a_minute_and_the_credits_stay() -> None:
    core = made_core(made_item())
    _bought(core)
    _poll_until_ended(core, refused(404, "not_found"), seconds=10)
    assert _state(core) is S.ACCEPTED
    _poll_until_ended(core, refused(404, "not_found"), seconds=70)

    assert (_state(core), core.state.books.reserved, core.finished()) == (S.VANISHED, 10, True)


def test_a_task_without_an_end_stalls_and_frees_its_place() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, settings={"in_flight_max": 1})
    _bought(core)
    _poll_until_ended(core, seen("task_0", "processing"), seconds=1300)

    assert _state(core) is S.STALLED
    assert must_send(core, 1300).identity == "i1-1"


@pytest.mark.parametrize("set_by_s", [-10_000_000.0, 10_000.0])
def test_a_clock_that_is_set_ends_no_task_and_keeps_none_for_ever(set_by_s: float) -> None:
    core = made_core(made_item())
    _bought(core)
    now = at(10)._replace(wall_s=1_000_010.0 + set_by_s)
    core.poll_ended(must_poll(core, 10), seen("task_0", "processing"), now)
    assert _state(core) is S.ACCEPTED

    later = at(1300)._replace(wall_s=1_001_300.0 + set_by_s)
    core.poll_ended(must_poll(core, 1300), seen("task_0", "processing"), later)
    assert _state(core) is S.STALLED


def test_a_poll_is_put_off_by_an_hour_at_most() -> None:
    core = made_core(made_item())
    _bought(core)
    _poll_until_ended(core, refused(503, retry_after_s=1e9))

    due_s = _wait(core.next_poll(at(20)))
    assert due_s is not None
    assert due_s <= 3700


def test_ends_nobody_saw_happen_teach_nothing_about_time() -> None:
    records = {
        f"i1-{n}": folded(f"i1-{n}", OPENED, (E.ACCEPTED, {"task_id": f"t{n}", "reserved_credits": 10}))
        for n in range(6)
    }
    core = made_core(
        *(made_item(n) for n in range(7)), prices={"m": 10}, records=records, books=Books(cap=None, reserved=60)
    )
    for _ in range(6):
        poll = must_poll(core, 28_800)
        core.poll_ended(poll, seen(poll.task_id, "succeeded", final=10), at(28_800))
    _bought(core, 6, seconds=28_800)

    assert _wait(core.next_poll(at(28_800))) == pytest.approx(28_802.1)


def test_a_task_that_an_earlier_life_left_is_asked_for_before_the_run_ends() -> None:
    core = made_core(made_item(), records={"i1-0": folded("i1-0", OPENED, ACCEPTED, (E.VANISHED, {}))})
    assert not core.finished()
    _poll_until_ended(core, seen("task_1", "succeeded", final=10, urls=("u",)), seconds=0)

    assert _state(core) is S.SUCCEEDED


# References and results


def _held(digest: str) -> Uploaded:
    return Uploaded(
        file_id=digest,
        url=f"https://x.test/{digest}",
        kind="image",
        name="r",
        mime_type="image/png",
        duration_s=2.5,
        duration_token="tok",
    )


def test_an_item_waits_for_all_its_references_and_others_do_not() -> None:
    core = made_core(made_item(0, references=2), made_item(1))
    assert core.wanted_uploads() == ["d0", "d1"]
    assert must_send(core, 0).identity == "i1-1"
    core.state.price_seen("m", 10)
    core.uploaded("d0", _held("d0"))
    assert _wait(core.next_create(at(0))) is None
    assert not core.finished()
    core.uploaded("d1", _held("d1"))

    body = must_send(core, 0).step.changes[0].body
    assert body is not None
    assert b'"durationSeconds":2.5,"durationToken":"tok"' in body
    assert body.index(b"/d0") < body.index(b"/d1")


def test_an_upload_that_failed_skips_the_items_that_need_it() -> None:
    core = made_core(made_item(0, references=2), made_item(1, references=1))
    step = core.upload_failed("d1", at(0), code="refused", message="not an image")

    assert [change.record.identity for change in step.changes] == ["i1-0"]
    assert core.wanted_uploads() == ["d0"]
    core.upload_failed("d0", at(0), code="refused", message="not an image")
    assert core.finished()


def test_results_are_saved_oldest_first_and_only_what_is_missing() -> None:
    saved = (E.SAVED, {"n": 1, "url": "u1", "state": "verified"})
    core = made_core(made_item(), records={"i1-0": folded("i1-0", OPENED, ACCEPTED, SUCCEEDED, saved)})
    assert not core.finished()
    download = core.next_download()

    assert download is not None
    assert (download.n, download.url, download.task_id) == (2, "u2", "task_1")
    assert core.next_download() is None
    assert not core.finished()
    assert [one.name for one in core.download_left(download, "HTTP 503", disk=False).notices] == ["left"]
    assert core.finished()
    assert core.download_left(download, "HTTP 503", disk=False) == Step()  # told once
    core.download_left(download, "the disk is full", disk=True)
    assert core.state.pauses == {Pause.DISK: "the disk is full"}


def test_nobody_saves_what_nobody_wants() -> None:
    record = folded("i1-0", OPENED, ACCEPTED, SUCCEEDED)

    assert made_core(made_item(), records={"i1-0": record}, settings={"save_results": False}).finished()


def test_a_heap_of_unsaved_results_stops_new_purchases_but_no_open_one() -> None:
    many = (E.SUCCEEDED, {"charge": 10, "urls": [str(n) for n in range(DOWNLOAD_BACKLOG_MAX)]})
    core = made_core(made_item(0), made_item(1), records={"i1-0": folded("i1-0", OPENED)}, prices={"m": 10})
    core.admit(made_item(2), folded("i1-2", OPENED, ACCEPTED, many), at(0))

    assert must_send(core, 0).identity == "i1-0"
    assert _wait(core.next_create(at(0))) is None
    core.next_download()
    assert must_send(core, 0).identity == "i1-1"
