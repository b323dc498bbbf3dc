"""What people read before a run: the plan, and the question whether to spend so much."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jobs.lifecycle import ItemState
from jobs.matrix import Steps
from jobs.plan import PlannedItem, Standing
from jobs.record import Money, Record
from runner.cli.gate import confirm, refusal
from runner.cli.plan_screen import explained, plan_object, plan_screen
from runner.cli.voice import Voice
from runner.errors import UsageError
from tests.runner.plans import plan, planned


def test_the_plan_shows_what_is_new_what_it_costs_and_what_is_guessed() -> None:
    screen = plan_screen(
        plan(
            planned(0),
            planned(1, price=56, known=False),
            planned(2, Standing.DONE),
            planned(3, Standing.OPEN, job="still", model="z-image"),
            missing=2,
        ),
        balance=4310,
        pace="20/min, 8 in flight",
        notes=["a warning"],
    )

    assert screen == (
        "sneaker-reveal: 4 items in 2 jobs, 1 already done, 1 under way\n"
        "\n"
        "  job     model             new  done  open    each  credits\n"
        "  reveal  seedance-1-5-pro    2     1     0  28-56+      84+\n"
        "  still   z-image             0     0     1       -        -\n"
        "\n"
        "  upload   1 reference, 1.4 MB (1 are there already)\n"
        "  spend    84 credits or more, 364 at worst by our guess; cap 700; balance 4,310\n"
        "  time     about 8m 43s at 20/min, 8 in flight\n"
        "  note     base prices: params may cost more; the cap holds in any case\n"
        "  note     2 items of earlier runs no longer in the manifest; what was bought is kept\n"
        "  note     a warning\n"
    )


def test_a_plan_with_nothing_new_spends_nothing() -> None:
    screen = plan_screen(plan(planned(0, Standing.DONE), books=Money(settled=28)))

    assert "spend    nothing\n" in screen
    assert "so far   28 spent, 0 held\n" in screen
    assert "time" not in screen


def test_the_plan_names_what_will_not_end_well_by_itself() -> None:
    def stood(n: int, standing: Standing, state: ItemState) -> PlannedItem:
        record = Record(identity=f"id{n}", state=state, version=2, first_at_s=0.0)
        return replace(planned(n, standing), record=record)

    failed = [stood(0, Standing.DONE, ItemState.FAILED), stood(1, Standing.DONE, ItemState.REJECTED)]
    screen = plan_screen(plan(*failed, stood(2, Standing.OPEN, ItemState.UNCERTAIN), planned(3)))

    assert "  note     2 items failed and will not be bought again by this; see `rivya-batch retry`\n" in screen
    assert "  note     1 item of unknown outcome, held as spent; see `rivya-batch results` and `show`\n" in screen
    assert "note" not in plan_screen(plan(stood(0, Standing.DONE, ItemState.SUCCEEDED)))
    assert "note" not in plan_screen(plan(stood(0, Standing.NEW, ItemState.FAILED)))


def test_the_plan_for_programs_is_one_object_of_counts() -> None:
    told_plan = plan_object(plan(planned(0), planned(1, known=False), planned(2, Standing.DONE)))

    assert {name: told_plan[name] for name in ("items", "new", "done", "open", "credits", "seconds")} == {
        "items": 3,
        "new": 2,
        "done": 1,
        "open": 0,
        "credits": {"low": 56, "likely": 56, "high": 196},
        "seconds": 523.0,
    }
    assert "reasons" not in told_plan
    assert json.dumps(plan_object(plan(planned(0)), explain=True))


def test_the_explanation_counts_each_step_and_gives_each_item_a_reason() -> None:
    steps = Steps(
        rows=1, prompts=1, grid=12, zip=1, product=12, after_exclude=10, after_sample=10, after_include=10, items=20
    )
    nothing = Steps(
        rows=1, prompts=1, grid=1, zip=1, product=1, after_exclude=1, after_sample=1, after_include=1, items=1
    )
    text = explained(plan(planned(0), planned(1, Standing.DONE)), {"reveal": steps, "still": nothing})

    assert text == (
        "  reveal: 12 grid = 12, 10 after exclude, 20 with repeat\n"
        "  still: 1\n"
        "\n"
        "        item      why\n"
        "  new   reveal/0  first run (28 credits)\n"
        "  done  reveal/1  succeeded\n"
    )


def test_the_plan_says_before_it_begins_that_the_budget_is_too_small() -> None:
    two = (planned(0), planned(1))
    note = "  note     not all of it can be bought: 46 credits of the cap are left\n"

    assert note in plan_screen(plan(*two, cap=56, books=Money(settled=10)))
    assert "not all" not in plan_screen(plan(*two, cap=56))
    assert "not all" not in plan_screen(plan(*two, cap=None))


def test_the_explanation_never_cuts_a_key_for_its_middle_tells_items_apart() -> None:
    keys = [f"s/{'x' * 60}={n},{'y' * 60}" for n in (1, 2)]
    text = explained(plan(*(planned(n, key=key) for n, key in enumerate(keys))), {})

    assert all(key in text for key in keys)


def test_an_items_name_cannot_steer_the_terminal_from_inside_a_plan() -> None:
    evil = plan(planned(0, key="a\x1b[2J\rb", job="j\x1b]0;x\x07"))

    assert "\x1b" not in plan_screen(evil) + explained(evil, {"j\x1b": Steps(**dict.fromkeys(STEP_NAMES, 1))})


STEP_NAMES = ("rows", "prompts", "grid", "zip", "product", "after_exclude", "after_sample", "after_include", "items")


class Person(Voice):
    """A voice with somebody at the terminal."""

    answer = ""

    def can_ask(self) -> bool:
        return not self.no_input

    def ask(self, question: str) -> str:
        self.alert(question)
        return self.answer


@pytest.mark.parametrize("answer", ["", "y", "Y", "YES", "Yes", "yes!", "no", "ja", "1"])
def test_nothing_but_yes_goes_on(answer: str) -> None:
    person = Person()
    person.answer = answer

    with pytest.raises(UsageError, match="Nothing was sent") as raised:
        confirm(person, plan(planned(0)))
    assert raised.value.exit_code == 2


def test_yes_goes_on_and_the_question_names_the_cap(capfd: pytest.CaptureFixture[str]) -> None:
    person = Person()
    person.answer = "yes"

    confirm(person, plan(planned(0)))
    confirm(person, plan(planned(0), cap=None))

    told_lines = capfd.readouterr().err
    assert "Spend up to 700 credits? Type yes: " in told_lines
    assert "Spend 28 credits or more, without a cap? Type yes: " in told_lines


@pytest.mark.parametrize(
    ("yes", "cap", "lacking"),
    [(False, 700, "--yes"), (False, None, "--yes --budget 28"), (True, None, "--budget 28")],
)
def test_without_a_terminal_consent_and_a_budget_are_both_needed(yes: bool, cap: int | None, lacking: str) -> None:
    refused = refusal(Person(yes=yes, no_input=True), plan(planned(0), cap=cap), command="rivya-batch run a.yaml")

    assert refused is not None
    assert refused.next_step == f"rivya-batch run a.yaml {lacking}"
    assert refused.exit_code == 2


def test_consent_with_a_budget_needs_nobody() -> None:
    agreed = Person(yes=True, no_input=True)

    assert refusal(agreed, plan(planned(0)), command="") is None
    confirm(agreed, plan(planned(0)))


def test_where_nothing_is_bought_nothing_is_asked() -> None:
    nobody, nothing = Person(no_input=True), plan(planned(0, Standing.DONE), cap=None)

    assert refusal(nobody, nothing, command="") is None
    confirm(nobody, nothing)


def test_a_yes_given_beforehand_without_a_budget_still_goes_on_before_a_person() -> None:
    assert refusal(Person(yes=True), plan(planned(0), cap=None), command="") is None
    confirm(Person(yes=True), plan(planned(0), cap=None))
