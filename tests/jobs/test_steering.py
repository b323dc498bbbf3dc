"""What a person may change of a live run, and what comes of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.budget import Books
from jobs.core import Core
from jobs.lifecycle import ItemState
from jobs.rates import Rate
from jobs.record import Money
from jobs.steering import Ceiling, Dial, Misunderstood, Value, held_words, read_dial, steering_words, turned
from jobs.steps import NOTHING, Send, Step, Wait
from jobs.verdict import Pause
from tests.jobs.workbench import at, events_of, made_core, made_item, must_poll, must_send, refused, seen

PER_MIN_30, PER_MIN_60, PER_MIN_90 = (Rate(count=count, window_s=60.0) for count in (30, 60, 90))


def tune(core: Core, dial: Dial, value: Value, seconds: float = 0.0, *, ceiling: Ceiling | None = None) -> Step:
    """Turn a dial as the runner does."""
    return core.retune(turned(dial, before=core.dial(dial), asked=value, ceiling=ceiling), at(seconds), "wanda")


@pytest.mark.parametrize(
    ("dial", "given", "read"),
    [
        (Dial.CREATES, "30/min", PER_MIN_30),
        (Dial.CREATES, "0/min", None),
        (Dial.CREATES, "10001/s", None),
        (Dial.CREATES, 30, None),
        (Dial.CREATES, "30/min\n", None),
        (Dial.POLLS, "5/s", Rate(count=5, window_s=1.0)),
        (Dial.IN_FLIGHT, "8", 8),
        (Dial.IN_FLIGHT, 100_000, 100_000),
        (Dial.IN_FLIGHT, 100_001, None),
        (Dial.IN_FLIGHT, 0, None),
        (Dial.IN_FLIGHT, "-1", None),
        (Dial.IN_FLIGHT, "٣", None),
        (Dial.IN_FLIGHT, 3.0, None),
        (Dial.BUDGET, "0", 0),
        (Dial.BUDGET, 1_000_000_000, 1_000_000_000),
        (Dial.BUDGET, "1000000001", None),
        (Dial.BUDGET, "9" * 5000, None),
        (Dial.BUDGET, True, None),
        (Dial.BUDGET, None, None),
        (Dial.BUDGET, [5], None),
    ],
)
def test_a_dial_takes_what_its_flag_takes_and_nothing_else(dial: Dial, given: object, read: Value | None) -> None:
    value = read_dial(dial, given)

    if read is None:
        assert isinstance(value, Misunderstood)
        assert "Nothing was changed" in value.message
        assert len(value.message) < 200
    else:
        assert value == read


@pytest.mark.parametrize(
    ("dial", "before", "asked", "ceiling", "words"),
    [
        (Dial.CREATES, PER_MIN_60, PER_MIN_30, None, "creates 60/min -> 30/min"),
        (Dial.CREATES, PER_MIN_30, PER_MIN_30, None, "creates stay at 30/min"),
        (Dial.CREATES, PER_MIN_30, PER_MIN_60, (PER_MIN_90, "a.toml"), "creates 30/min -> 60/min"),
        (
            Dial.CREATES,
            PER_MIN_30,
            PER_MIN_90,
            (PER_MIN_60, "a.toml"),
            "creates 30/min -> 60/min, not 90/min: a.toml allows no more",
        ),
        (
            Dial.BUDGET,
            500,
            900,
            (500, "RIVYA_BATCH_BUDGET"),
            "budget stays at 500 credits, not 900: RIVYA_BATCH_BUDGET allows no more",
        ),
        (Dial.BUDGET, None, 1, None, "budget no limit -> 1 credit"),
        (Dial.BUDGET, 1200, 0, None, "budget 1,200 -> 0 credits"),
        (Dial.IN_FLIGHT, 16, 8, None, "in flight 16 -> 8"),
        (Dial.POLLS, PER_MIN_60, PER_MIN_60, None, "polls stay at 60/min"),
    ],
)
def test_what_was_changed_is_said_with_old_and_new_value_and_with_what_holds_it(
    dial: Dial, before: Value | None, asked: Value, ceiling: tuple[Value, str] | None, words: str
) -> None:
    held = None if ceiling is None else Ceiling(value=ceiling[0], origin=ceiling[1])
    change = turned(dial, before=before, asked=asked, ceiling=held)
    note = change.note("wanda")

    assert change.words == words
    assert steering_words(note.name, note.data) == f"wanda: {words}"


def test_words_of_other_notes_are_not_a_persons() -> None:
    assert steering_words("rate", {"by": "wanda"}) is None
    assert steering_words("paused", {"why": "budget", "reason": "spent"}) is None
    assert steering_words("paused", {"by": "wanda"}) == "wanda: paused: nothing new is bought"
    assert steering_words("resumed", {"by": "wanda"}) == "wanda: resumed"
    assert steering_words("stopped", {"by": "wanda", "now": False}) == "wanda: stopped: nothing new is started"
    assert steering_words("stopped", {"by": "wanda", "now": True}) == "wanda: stopped at once"


def test_a_budget_below_what_is_bought_is_said_to_end_buying() -> None:
    assert held_words(cap=10, money=Money(reserved=4, settled=5)) is None
    assert "nothing more is bought" in str(held_words(cap=9, money=Money(reserved=4, settled=5)))
    assert "9 credits held or spent already" in str(held_words(cap=3, money=Money(reserved=4, settled=5)))


# In the core


def test_a_paused_run_buys_nothing_finishes_what_it_has_and_waits() -> None:
    core = made_core(made_item(0), made_item(1))
    core.create_ended(must_send(core, 0.0), seen("task_0"), at(0.1))
    step = core.hold("wanda")

    assert [(notice.name, notice.data["by"]) for notice in step.notices] == [("paused", "wanda")]
    assert isinstance(core.next_create(at(1.0)), Wait)
    core.poll_ended(must_poll(core, 5.0), seen("task_0", "succeeded", final=10), at(5.1))
    assert not core.finished(), "somebody will say how it goes on"
    assert core.hold("wanda") is NOTHING

    core.let_go("wanda")
    assert must_send(core, 6.0).identity == "i1-1"
    assert core.let_go("wanda") is NOTHING


def test_a_paused_run_with_nothing_left_to_buy_ends() -> None:
    core = made_core(made_item(0))
    core.create_ended(must_send(core, 0.0), seen("task_0"), at(0.1))
    core.hold("wanda")
    core.poll_ended(must_poll(core, 5.0), seen("task_0", "succeeded", final=10), at(5.1))

    assert core.finished()


def test_an_open_create_is_sent_again_while_its_run_is_paused() -> None:
    core = made_core(made_item(0), made_item(1))
    core.create_ended(must_send(core, 0.0), refused(503), at(0.1))
    core.hold("wanda")

    answer = core.next_create(at(100.0))
    assert isinstance(answer, Send)
    assert (answer.identity, answer.step) == ("i1-0", NOTHING)
    assert isinstance(core.next_create(at(101.0)), Wait)


def test_a_paused_run_that_is_stopped_or_refused_its_key_ends() -> None:
    core = made_core(made_item(0))
    core.hold("wanda")
    assert not core.finished()
    core.stop()
    assert core.finished()
    assert core.state.pauses == {}, "it is the stop that ended it"

    core = made_core(made_item(0), made_item(1))
    core.create_ended(must_send(core, 0.0), refused(401, "api_key_invalid"), at(0.1))
    core.hold("wanda")
    assert core.finished()


def test_fewer_places_let_those_that_have_one_finish() -> None:
    core = made_core(*(made_item(n) for n in range(5)), prices={"m": 10})
    for n in range(3):
        core.create_ended(must_send(core, n), seen(f"task_{n}"), at(n + 0.1))
    tune(core, Dial.IN_FLIGHT, 2)
    assert isinstance(core.next_create(at(4.0)), Wait)
    for n in (5, 6):
        poll = must_poll(core, n)
        core.poll_ended(poll, seen(poll.task_id, "succeeded", final=10), at(n + 0.1))
    assert must_send(core, 7.0).identity == "i1-3"

    tune(core, Dial.IN_FLIGHT, 3)
    assert must_send(core, 8.0).identity == "i1-4"


def test_a_rate_is_the_pacers_from_then_on() -> None:
    core = made_core()
    step = tune(core, Dial.CREATES, PER_MIN_30)
    tune(core, Dial.POLLS, PER_MIN_60)

    assert [pacer.rate for pacer in core.pacers] == [PER_MIN_30, PER_MIN_60]
    assert (core.dial(Dial.CREATES), core.dial(Dial.POLLS)) == (PER_MIN_30, PER_MIN_60)
    assert step.notices[0].data["after"] == "30/min"


def test_an_intent_carries_the_budget_that_holds_when_it_is_written() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10}, books=Books(cap=1000))
    caps = [must_send(core, 0.0).step.changes[0].cap_credits]
    for cap in (20, 500):
        tune(core, Dial.BUDGET, cap)
        caps.append(must_send(core, 1.0).step.changes[0].cap_credits)

    assert caps == [1000, 20, 500]


def test_a_budget_below_what_is_held_buys_nothing_more_and_takes_nothing_back() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    core.create_ended(must_send(core, 0.0), seen("task_0"), at(0.1))
    tune(core, Dial.BUDGET, 5)
    step = core.next_create(at(1.0))

    assert isinstance(step, Step)
    assert Pause.BUDGET in core.state.pauses
    assert "0 of the budget's 5 are left" in core.state.pauses[Pause.BUDGET]
    assert (core.state.books.reserved, core.state.books.left) == (10, -5)
    core.poll_ended(must_poll(core, 5.0), seen("task_0", "succeeded", final=10), at(5.1))
    assert core.finished()
    assert events_of(core.leave_unbought(at(6.0))) == ["skipped"]


def test_a_higher_budget_takes_up_what_the_old_one_had_ended() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10}, books=Books(cap=15))
    core.create_ended(must_send(core, 0.0), seen("task_0"), at(0.1))
    tune(core, Dial.BUDGET, 5)
    core.next_create(at(1.0))
    assert Pause.BUDGET in core.state.pauses

    tune(core, Dial.BUDGET, 8)
    assert Pause.BUDGET not in core.state.pauses, "it is looked at again"
    core.next_create(at(2.0))
    assert Pause.BUDGET in core.state.pauses
    tune(core, Dial.BUDGET, 100)
    assert must_send(core, 3.0).identity == "i1-1"


@pytest.mark.parametrize("again", [False, True])
def test_a_higher_budget_takes_up_what_was_passed_over(again: bool) -> None:
    settings = {"on_exhausted": "skip"}
    core = made_core(made_item(0), made_item(1), prices={"m": 10}, books=Books(cap=12, settled=5), settings=settings)
    if again:  # an item that keeps the end it had is passed over as well
        core.state.records["i1-0"] = replace(core.state.records["i1-0"], state=ItemState.FAILED)
    for _ in range(2):
        assert isinstance(core.next_create(at(0.0)), Step)
    assert len(core.state.ready) == 0

    tune(core, Dial.BUDGET, 25)
    assert [must_send(core, 1.0).identity for _ in range(2)] == ["i1-0", "i1-1"]
    assert core.state.books.reserved == 20


def test_a_lower_budget_revives_nothing() -> None:
    settings = {"on_exhausted": "skip"}
    core = made_core(made_item(0), prices={"m": 10}, books=Books(cap=9, settled=5), settings=settings)
    assert isinstance(core.next_create(at(0.0)), Step)
    tune(core, Dial.BUDGET, 8)

    assert len(core.state.ready) == 0


def test_only_budgets_are_mended_by_budgets() -> None:
    """An item above `per_item` stays out, whatever the whole budget is."""
    core = made_core(made_item(0, base=30), books=Books(cap=100, per_item=20))
    assert isinstance(core.next_create(at(0.0)), Step)
    tune(core, Dial.BUDGET, 1000)

    assert len(core.state.ready) == 0
    assert core.state.records["i1-0"].error_code == "over_per_item"
