"""The service is away for minutes: no key is used up for nothing, and none is sent more often than allowed."""

from __future__ import annotations

import pytest

from jobs.answers import SendEnd
from jobs.core import Core
from jobs.lifecycle import EventType, ItemState
from jobs.steps import Poll, Send, Step, Wait
from jobs.verdict import Pause, SendPolicy
from tests.jobs.workbench import AMBIGUOUS, INTENT, MONO, at, folded, made_core, made_item, must_send, refused, seen

DAY_S = 86_400.0


def lived(core: Core, *, back_s: float, away: SendEnd = AMBIGUOUS) -> tuple[list[float], float]:
    """When each create left, and when the life was over, if the service answers from `back_s` on."""
    now_s, left = 0.0, []
    while not core.finished() and now_s < DAY_S:
        answer = core.next_create(at(now_s))
        if isinstance(answer, Send):
            left.append(now_s)
            end = seen(f"task_{answer.identity}", status="succeeded", final=10) if now_s >= back_s else away
            core.create_ended(answer, end, at(now_s + 0.1))
            now_s += 0.1
        elif isinstance(answer, Wait):
            assert answer.until_s is not None, "somebody must be waiting for a moment"
            now_s = max(now_s + 0.001, answer.until_s - MONO)
        else:
            assert isinstance(answer, Step)
    return left, now_s


@pytest.mark.parametrize("away", [AMBIGUOUS, refused(502)], ids=["reset", "502"])
@pytest.mark.parametrize("items", [1, 2, 5, 40])
def test_an_outage_longer_than_five_minutes_ends_the_life_and_leaves_no_item_in_doubt(
    items: int, away: SendEnd
) -> None:
    core = made_core(*(made_item(n) for n in range(items)), prices={"m": 10}, settings={"save_results": False})

    left, over_s = lived(core, back_s=DAY_S, away=away)

    states = {record.state for record in core.state.records.values()}
    assert states <= {ItemState.SUBMITTING, ItemState.PLANNED}
    assert Pause.NETWORK in core.state.pauses
    assert 300.0 <= over_s < 400.0
    assert len(left) <= 17 * items


@pytest.mark.parametrize("back_s", [10.0, 60.0, 100.0, 200.0, 290.0])
@pytest.mark.parametrize("items", [1, 3, 40])
def test_after_a_shorter_one_everything_is_bought(items: int, back_s: float) -> None:
    core = made_core(*(made_item(n) for n in range(items)), prices={"m": 10}, settings={"save_results": False})

    lived(core, back_s=back_s)

    assert {record.state for record in core.state.records.values()} == {ItemState.SUCCEEDED}
    assert core.state.pauses == {}


@pytest.mark.parametrize("resends_max", range(9))
def test_no_key_is_sent_more_often_than_the_manifest_says(resends_max: int) -> None:
    policy = SendPolicy(resends_max=resends_max)
    core = made_core(made_item(), prices={"m": 10}, settings={"send_policy": policy, "save_results": False})

    left, _ = lived(core, back_s=DAY_S)

    assert len(left) <= resends_max + 1


def test_a_single_lost_answer_is_no_outage() -> None:
    policy = SendPolicy(resends_max=1)
    core = made_core(made_item(), prices={"m": 10}, settings={"send_policy": policy, "save_results": False})

    left, _ = lived(core, back_s=0.05)

    assert len(left) == 2
    assert left[1] < 2.0


def test_a_service_that_says_not_now_for_six_hours_ends_the_life_with_every_key_clean() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10}, settings={"save_results": False})

    left, over_s = lived(core, back_s=DAY_S, away=refused(429, "rate_limited"))

    assert 6 * 3600.0 <= over_s < 6.1 * 3600.0
    assert Pause.CREATES in core.state.pauses
    assert {record.state for record in core.state.records.values()} <= {ItemState.SUBMITTING, ItemState.PLANNED}
    assert len(left) < 6 * 130, "a trickle"


def test_five_hours_of_not_now_are_waited_for() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10}, settings={"save_results": False})

    lived(core, back_s=5 * 3600.0, away=refused(429, "rate_limited"))

    assert {record.state for record in core.state.records.values()} == {ItemState.SUCCEEDED}


def test_polls_that_work_do_not_hide_that_creates_do_not() -> None:
    core = made_core(*(made_item(n) for n in range(4)), prices={"m": 10}, settings={"save_results": False})
    core.create_ended(must_send(core, 0), seen("task_0"), at(0))
    now_s, sends = 1.0, 0
    while Pause.CREATES not in core.state.pauses:
        answer = core.next_create(at(now_s))
        if isinstance(answer, Send):
            core.create_ended(answer, refused(502), at(now_s))
            sends += 1
        elif isinstance(poll := core.next_poll(at(now_s)), Poll):
            core.poll_ended(poll, seen("task_0", "processing"), at(now_s))
        now_s += 1.0

    core.leave_unbought(at(now_s))
    states = [record.state for record in core.state.records.values()]
    assert 300.0 <= now_s < 360.0
    assert ItemState.UNCERTAIN not in states
    assert sends <= 17 * 3
    assert not core.finished(), "the task that runs is waited for"


def test_a_long_wish_leaves_a_key_in_doubt_one_more_send_while_it_is_trusted() -> None:
    core = made_core(made_item(), prices={"m": 10})
    core.create_ended(must_send(core, 0), refused(503, retry_after_s=9000.0), at(0))

    answer = core.next_create(at(1))

    assert isinstance(answer, Wait)
    assert answer.until_s is not None
    assert answer.until_s - MONO < 3600.0
    core.create_ended(must_send(core, answer.until_s - MONO + 1.0), seen(), at(3000))
    assert core.state.records["i1-0"].state is ItemState.ACCEPTED


def test_a_key_in_doubt_is_sent_before_it_is_too_old_whatever_a_broken_service_wishes() -> None:
    core = made_core(made_item(), prices={"m": 10})
    core.create_ended(must_send(core, 0), AMBIGUOUS, at(0))
    core.create_ended(must_send(core, 100), refused(429, "rate_limited"), at(100))
    core.create_ended(must_send(core, 1500), refused(502, retry_after_s=9000.0), at(1500))

    core.create_ended(must_send(core, 3400), seen(), at(3400))

    assert core.state.records["i1-0"].state is ItemState.ACCEPTED


def test_what_an_earlier_life_left_is_sent_at_once_even_where_nothing_is_ever_sent_again() -> None:
    items = [made_item(n) for n in range(6)]
    records = {
        one.identity: folded(one.identity, (EventType.INTENT, {**INTENT, "key": f"key-{one.index}"})) for one in items
    }
    core = made_core(*items, records=records, settings={"send_policy": SendPolicy(resends_max=0)})

    sends = [must_send(core, 0) for _ in range(3)]
    for send in sends:
        core.create_ended(send, AMBIGUOUS, at(0))

    assert [must_send(core, 1).identity for _ in range(3)] == [one.identity for one in items[3:]]
