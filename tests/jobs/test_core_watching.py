"""The core on its own, watching tasks: when each is asked for, and what is an end."""

from __future__ import annotations

import pytest

from jobs.budget import Books
from jobs.lifecycle import EventType, ItemState
from jobs.polling import Noticed
from jobs.steps import Wait
from tests.jobs.core_steps import ACCEPTED, OPENED, bought, poll_ended, state_of, waits_s
from tests.jobs.workbench import (
    INTENT,
    at,
    folded,
    made_core,
    made_item,
    must_poll,
    must_send,
    refused,
    seen,
)

E, S = EventType, ItemState


def test_a_task_is_not_asked_for_again_before_the_service_wants() -> None:
    core = made_core(made_item())
    bought(core)
    core.poll_ended(must_poll(core, 3), refused(500, retry_after_s=100.0), at(3))

    assert isinstance(core.next_poll(at(102)), Wait)
    must_poll(core, 104)


def test_the_first_look_at_a_task_comes_no_later_than_its_timeout() -> None:
    core = made_core(made_item(), settings={"item_timeout_s": 30.0})
    for took_s in range(600, 640):
        core.state.polling.looked("m", 0.0, 0.98 * took_s, ended=False)
        core.state.polling.looked("m", 0.98 * took_s, took_s, ended=True)
    bought(core)

    must_poll(core, 30)


def test_an_end_says_how_many_looks_it_took_and_how_long_the_task_was_not_seen() -> None:
    core = made_core(made_item())
    bought(core)
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
    bought(core)
    assert waits_s(core.next_poll(at(0))) == pytest.approx(2.1)
    core.poll_ended(must_poll(core, 2.1), seen("task_0", "processing"), at(2.2))
    assert not core.finished()

    core.poll_ended(must_poll(core, 4), seen("task_0", "succeeded", final=10, urls=("u",)), at(4))
    download = core.next_download()
    assert download is not None
    core.download_ended(download, at(5), {"state": "verified"})
    assert core.finished()


def test_a_create_answered_with_an_ended_task_needs_no_poll() -> None:
    core = made_core(made_item())
    bought(core, end=seen(status="succeeded", final=10, urls=("u",)))

    assert state_of(core) is S.SUCCEEDED
    assert waits_s(core.next_poll(at(100))) is None
    assert core.next_download() is not None


@pytest.mark.parametrize("status", ["queued", "processing", "paused", "", "SUCCEEDED"])
def test_an_unknown_word_is_no_end(status: str) -> None:
    core = made_core(made_item())
    bought(core)
    poll_ended(core, seen("task_0", status))

    assert state_of(core) is S.ACCEPTED


def test_another_tasks_answer_is_no_answer() -> None:
    core = made_core(made_item())
    bought(core)
    poll_ended(core, seen("task_9", "succeeded", final=10))

    assert state_of(core) is S.ACCEPTED


def test_a_404_is_believed_after_a_minute_and_the_credits_stay() -> None:
    core = made_core(made_item())
    bought(core)
    poll_ended(core, refused(404, "not_found"), seconds=10)
    assert state_of(core) is S.ACCEPTED
    poll_ended(core, refused(404, "not_found"), seconds=70)

    assert (state_of(core), core.state.books.reserved, core.finished()) == (S.VANISHED, 10, True)


def test_a_task_without_an_end_stalls_and_frees_its_place() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, settings={"in_flight_max": 1})
    bought(core)
    poll_ended(core, seen("task_0", "processing"), seconds=1300)

    assert state_of(core) is S.STALLED
    assert must_send(core, 1300).identity == "i1-1"


@pytest.mark.parametrize("set_by_s", [-10_000_000.0, 10_000.0])
def test_a_clock_that_is_set_ends_no_task_and_keeps_none_for_ever(set_by_s: float) -> None:
    core = made_core(made_item())
    bought(core)
    now = at(10)._replace(wall_s=1_000_010.0 + set_by_s)
    core.poll_ended(must_poll(core, 10), seen("task_0", "processing"), now)
    assert state_of(core) is S.ACCEPTED

    later = at(1300)._replace(wall_s=1_001_300.0 + set_by_s)
    core.poll_ended(must_poll(core, 1300), seen("task_0", "processing"), later)
    assert state_of(core) is S.STALLED


def test_a_poll_is_put_off_by_an_hour_at_most() -> None:
    core = made_core(made_item())
    bought(core)
    poll_ended(core, refused(503, retry_after_s=1e9))

    due_s = waits_s(core.next_poll(at(20)))
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
    bought(core, 6, seconds=28_800)

    assert waits_s(core.next_poll(at(28_800))) == pytest.approx(28_802.1)


def test_a_task_that_an_earlier_life_left_is_asked_for_before_the_run_ends() -> None:
    core = made_core(made_item(), records={"i1-0": folded("i1-0", OPENED, ACCEPTED, (E.VANISHED, {}))})
    assert not core.finished()
    poll_ended(core, seen("task_1", "succeeded", final=10, urls=("u",)), seconds=0)

    assert state_of(core) is S.SUCCEEDED


def test_tasks_that_stalled_hold_up_no_run_however_long_the_answers_take() -> None:
    core = made_core(made_item(0), made_item(1))
    bought(core, 0)
    bought(core, 1)
    first, second = must_poll(core, 1300), must_poll(core, 1300)
    core.poll_ended(first, seen(first.task_id, "processing"), at(1400))
    third = must_poll(core, 1500)
    core.poll_ended(second, seen(second.task_id, "processing"), at(1600))

    assert (state_of(core, 0), state_of(core, 1)) == (S.STALLED, S.STALLED)
    assert waits_s(core.next_poll(at(5000))) is None
    core.poll_ended(third, seen(third.task_id, "processing"), at(5000))
    assert core.finished()
