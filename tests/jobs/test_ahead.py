"""A create may be decided on a little before its slot, so that its intent is durable when that comes."""

from __future__ import annotations

import pytest

from jobs.answers import Phase, SendEnd
from jobs.calls import Calls
from jobs.core import Core
from jobs.leasing import LeasedPacer
from jobs.rates import Rate
from jobs.steps import Send
from jobs.verdict import Pause
from tests.jobs.core_steps import bought, waits_s
from tests.jobs.workbench import MONO, at, events_of, made_core, made_item, must_send, refused, seen

SLOW = Rate(count=1, window_s=10.0)


def after_one() -> Core:
    """One item is bought at 0 and answered at 0; the next slot is free at 10."""
    core = made_core(*(made_item(number) for number in range(3)), creates=SLOW)
    bought(core)
    return core


def ahead(core: Core, seconds: float, *, ahead_s: float = 1.0) -> Send:
    answer = core.next_create(at(seconds), ahead_s=ahead_s)
    assert isinstance(answer, Send), answer
    return answer


def test_nothing_is_decided_on_earlier_than_allowed() -> None:
    core = after_one()

    assert waits_s(core.next_create(at(8.9), ahead_s=1.0)) == 9.0
    assert waits_s(core.next_create(at(9.9))) == 10.0


def test_what_is_decided_on_ahead_leaves_at_its_slot() -> None:
    send = ahead(after_one(), 9.5)

    assert events_of(send.step) == ["intent"]
    assert send.leave_s == MONO + 10.0


def test_a_slot_that_is_decided_on_is_taken() -> None:
    core = after_one()
    ahead(core, 9.5)

    assert waits_s(core.next_create(at(9.6), ahead_s=1.0)) is None, "only its answer frees the next"


def test_a_create_whose_slot_has_come_leaves() -> None:
    core = after_one()

    assert core.keep_back(ahead(core, 9.5), at(10.0)) is None


def test_a_lease_that_is_over_keeps_back_what_has_not_left() -> None:
    """The process was stopped between the decision and the send, and others may have the slot."""
    pacer = LeasedPacer("creates", SLOW)
    core = made_core(*(made_item(number) for number in range(3)), creates=pacer)
    pacer.lease(SLOW, MONO, fair_per_s=SLOW.per_second, until_s=MONO + 10.5)
    bought(core)
    send = ahead(core, 9.5)
    late = core.keep_back(send, at(10.5))

    assert late is not None
    assert waits_s(core.next_create(at(11.0))) is None
    pacer.lease(SLOW, MONO + 30.0, fair_per_s=SLOW.per_second, until_s=MONO + 40.0)
    assert must_send(core, 30.0).key == send.key


def test_a_slot_of_a_lease_that_ended_is_no_slot_of_the_next_one() -> None:
    """The commit took so long that the slot became another worker's, and this one has got others since."""
    pacer = LeasedPacer("creates", SLOW)
    core = made_core(*(made_item(number) for number in range(3)), creates=pacer)
    pacer.lease(SLOW, MONO, fair_per_s=SLOW.per_second, until_s=MONO + 5.0)
    send = must_send(core, 0.0)
    pacer.lease(SLOW, MONO + 4.0, fair_per_s=SLOW.per_second, until_s=MONO + 9.0)
    assert core.keep_back(send, at(5.0)) is None  # it went on

    pacer.lease(SLOW, MONO + 30.0, fair_per_s=SLOW.per_second, until_s=MONO + 40.0)
    assert core.keep_back(send, at(30.0)) is not None


def test_a_stop_keeps_back_what_has_not_left_and_gives_its_credits_back() -> None:
    core = after_one()
    send = ahead(core, 9.5)
    core.stop()

    assert core.keep_back(send, at(10.0)) is not None
    step = core.leave_unbought(at(10.0))

    assert [change.event.data["code"] for change in step.changes] == ["not_sent"]
    assert core.state.books.reserved == 10, "the first item's alone"


def test_what_is_kept_back_after_creates_were_given_up_is_given_up_too() -> None:
    core = made_core(*(made_item(number) for number in range(3)), creates=Rate(count=2, window_s=10.0))
    bought(core)
    first = must_send(core, 5.0)
    second = ahead(core, 9.5)
    core.create_ended(first, SendEnd(phase=Phase.ANSWERED, status=302, reason="a redirect"), at(9.7))

    step = core.keep_back(second, at(10.0))

    assert step is not None
    assert [change.event.data["code"] for change in step.changes] == ["not_sent"]
    assert len(core.state.slots) == 1, "the first item's, which runs"


def test_a_person_s_pause_keeps_back_what_has_not_left_until_they_let_it_go_on() -> None:
    core = after_one()
    send = ahead(core, 9.5)
    core.hold("ana")

    assert core.keep_back(send, at(10.0)) is not None
    assert waits_s(core.next_create(at(30.0))) is None
    core.let_go("ana")

    assert must_send(core, 31.0).key == send.key


def test_a_service_that_asks_to_wait_keeps_back_what_was_decided_on_before_and_its_key_goes_out_later() -> None:
    core = made_core(*(made_item(number) for number in range(3)), creates=Rate(count=2, window_s=10.0))
    bought(core)
    first = must_send(core, 5.0)
    second = ahead(core, 9.5)
    core.create_ended(first, refused(429, "rate_limited", retry_after_s=60.0), at(9.7))

    assert core.keep_back(second, at(10.0)) is not None
    assert (waits_s(core.next_create(at(10.0))) or 0.0) >= 60.0
    one = must_send(core, 200.0)
    core.create_ended(one, seen("task_9"), at(201.0))
    other = must_send(core, 400.0)

    assert {one.key, other.key} == {first.key, second.key}
    assert (one.step.changes, other.step.changes) == ((), ()), "their intents are in the ledger"


def test_a_slot_that_hangs_on_an_answer_is_none_to_decide_on_before_it_came() -> None:
    core = made_core(made_item(0))
    limits, pacers = core.state.limits, core.pacers
    limits.calls = Calls(30, window_s=1.0, answered_s=(), now_s=MONO)
    for pacer in pacers:
        pacer.shared = limits.calls
    now_s = MONO
    for _ in range(30):  # and no answer to any of them for seconds
        now_s = max(now_s, pacers[1].due_s(now_s))
        pacers[1].leave(now_s)

    answer = core.next_create(at(5.0), ahead_s=0.05)

    assert waits_s(answer) == pytest.approx(5.0 + 1 / 30)


@pytest.mark.parametrize("pause", [Pause.CREDITS, Pause.DISK, Pause.HALT, Pause.VANISHED])
def test_what_was_decided_on_before_buying_ended_is_not_bought(pause: Pause) -> None:
    core = after_one()
    send = ahead(core, 9.5)
    core.state.pause(pause, "it is over")
    step = core.keep_back(send, at(10.0))

    assert step is not None
    assert [(change.event.type, change.event.data["code"]) for change in step.changes] == [("rejected", "not_sent")]
    assert core.state.books.reserved == 10, "the first item's alone"
    assert len(core.state.slots) == 1
    assert not core.buying.busy


def test_what_was_decided_on_before_the_budget_was_used_up_is_bought() -> None:
    core = after_one()
    send = ahead(core, 9.5)
    core.state.pause(Pause.BUDGET, "the next item does not fit")

    assert core.keep_back(send, at(10.0)) is None


def test_a_create_that_is_in_doubt_when_buying_ends_is_still_sent_again() -> None:
    core = after_one()
    send = ahead(core, 9.5)
    core.create_ended(send, refused(502), at(10.1))
    core.state.pause(Pause.HALT, "too many failed")
    again = must_send(core, 100.0)

    assert again.key == send.key
    assert core.keep_back(again, at(100.0)) is None
