"""What people read: the plan, the question, the progress, the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import pytest

from jobs.item import Item, ReferenceFile
from jobs.lifecycle import ItemState
from jobs.matrix import Steps
from jobs.pacing import PacerStatistics
from jobs.plan import Plan, PlannedItem, Standing
from jobs.polling import Noticed
from jobs.pricing import Estimate
from jobs.record import Money, Record
from runner.cli.columns import columns, shortened
from runner.cli.figures import count, duration, size
from runner.cli.gate import confirm, refusal
from runner.cli.plan_screen import explained, plan_object, plan_screen
from runner.cli.summary import done_facts, tell_summary, tell_verdict
from runner.cli.voice import Voice
from runner.errors import UsageError
from runner.onward import Onward
from runner.reporter import RunOutcome, RunStatistics, Trouble


def item(n: int, *, job: str = "reveal", model: str = "seedance-1-5-pro", key: str | None = None) -> Item:
    return Item(
        identity=f"id{n}",
        model=model,
        prompt="p",
        params={},
        references=(),
        repeat=1,
        edition="",
        index=n,
        key=key or f"{job}/{n}",
        job=job,
        output_stem=f"{job}/{n}",
        credits=28,
        price_class=model,
    )


def planned(
    n: int, standing: Standing = Standing.NEW, *, price: int = 28, known: bool = True, **named: str
) -> PlannedItem:
    guess = Estimate(low=price, likely=price, high=price if known else price * 6, known=known)
    return PlannedItem(
        item=item(n, **named),
        standing=standing,
        reason="first run" if standing is Standing.NEW else "succeeded",
        record=None,
        estimate=guess if standing is Standing.NEW else None,
    )


def plan(*items: PlannedItem, cap: int | None = 700, missing: int = 0, books: Money = Money()) -> Plan:  # noqa: B008
    picture = ReferenceFile(
        name="shoe", path="shoe.png", location="/shoe.png", sha256="ab", bytes=1_400_000, mime="image/png", kind="image"
    )
    return Plan(
        run_id="sneaker-reveal",
        items=items,
        uploads=(picture,),
        uploads_known=1,
        books=books,
        cap_credits=cap,
        seconds=523.0,
        missing=missing,
        position=0,
    )


def statistics(
    counts: Mapping[str, int], *, items: int = 10, pauses: Mapping[str, str] = MappingProxyType({})
) -> RunStatistics:
    return RunStatistics(
        counts=counts,
        items=items,
        results={"verified": 3, "gone": 1},
        saved_bytes=61_000_000,
        uploads_done=1,
        uploads_needed=1,
        credits=Money(reserved=28, settled=84),
        doubted_credits=14 if ItemState.UNCERTAIN in counts else 0,
        cap_credits=700,
        pacers=(PacerStatistics(name="creates", ceiling_per_s=1.0, per_s=0.5, unanswered=0, paused_until_s=0.0),),
        pauses=pauses,
        elapsed_s=521.0,
    )


def ended(
    counts: Mapping[str, int],
    *,
    exit_code: int = 0,
    done_before: int = 0,
    troubles: tuple[Trouble, ...] = (),
    pauses: Mapping[str, str] = MappingProxyType({}),
) -> RunOutcome:
    return RunOutcome(
        run_id="sneaker-reveal",
        exit_code=exit_code,
        statistics=statistics(counts, pauses=pauses),
        done_before=done_before,
        creates=3,
        downloads={"verified": 3},
        pauses=pauses,
        troubles=troubles,
        out_dir="out/sneaker-reveal",
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-3, "0s"),
        (59.4, "59s"),
        (60, "1m"),
        (521, "8m 41s"),
        (3600, "1h 00m"),
        (7500, "2h 05m"),
        (360_000, "4d 4h"),
    ],
)
def test_a_length_of_time_takes_at_most_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (61_000_000, "61 MB"),
        (1_940_000_000, "1.9 GB"),
        (10**13, "10000 GB"),
    ],
)
def test_a_number_of_bytes_takes_the_unit_that_keeps_it_short(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


def test_a_number_agrees_with_its_noun() -> None:
    assert [count(n, "item") for n in (0, 1, 2, 1200)] == ["0 items", "1 item", "2 items", "1,200 items"]


def test_columns_are_as_wide_as_what_stands_in_them() -> None:
    assert (
        columns(("a", "n"), [("漢字", "1"), ("x", "1,000")], right=("n",)) == "a         n\n漢字      1\nx     1,000\n"
    )


def test_a_long_word_is_cut_in_the_middle() -> None:
    assert shortened("abcdefghij", 10) == "abcdefghij"
    assert shortened("abcdefghij", 5) == "ab…ij"


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


def summary(outcome: RunOutcome, capfd: pytest.CaptureFixture[str], *, store_flag: Sequence[str] = ()) -> str:
    tell_summary(Voice(), outcome, onward=Onward(command="rivya-batch run a.yaml", store_flag=store_flag))
    return capfd.readouterr().err


def test_the_end_of_an_interrupted_run_says_what_still_runs_at_the_service(capfd: pytest.CaptureFixture[str]) -> None:
    told_lines = summary(ended({ItemState.ACCEPTED: 3, ItemState.SUBMITTING: 1, ItemState.PLANNED: 6}), capfd)

    assert "  open      4 under way, their credits held\n" in told_lines


def test_the_end_says_how_much_of_what_is_held_is_unknown(capfd: pytest.CaptureFixture[str]) -> None:
    told_lines = summary(ended({ItemState.UNCERTAIN: 1}, exit_code=7), capfd)

    assert "  credits   84 spent, 28 held (14 of them in doubt), 588 of the cap left\n" in told_lines


def test_the_end_of_a_good_run_says_what_it_cost_and_where_the_files_are(capfd: pytest.CaptureFixture[str]) -> None:
    assert summary(ended({ItemState.SUCCEEDED: 10}, done_before=4), capfd, store_flag=["--store", "s.db"]) == (
        "\n"
        "sneaker-reveal  6 of 6 done in 8m 41s (4 more were done before)\n"
        "  credits   84 spent, 28 held, 588 of the cap left\n"
        "  missing   1 gone: paid for, and the service no longer has it\n"
        "  files     3 in out/sneaker-reveal (61 MB)\n"
        "next: rivya-batch results sneaker-reveal --store s.db\n"
    )


def test_the_end_of_a_run_says_how_its_polls_did(capfd: pytest.CaptureFixture[str]) -> None:
    outcome = replace(ended({ItemState.SUCCEEDED: 10}), noticed=Noticed(ends=10, polls=34, unseen_s=27.0))

    assert "  polls     3.4 a task; ends were noticed after 1.4 s on average\n" in summary(outcome, capfd)
    assert done_facts(outcome)["polls"] == {"ends": 10, "per_task": 3.4, "delay_s": 1.35}


def test_the_end_of_a_run_with_failures_names_them_and_the_way_on(capfd: pytest.CaptureFixture[str]) -> None:
    trouble = Trouble(
        key="reveal/0",
        identity="i1-8",
        wanted=True,
        state="failed",
        code="generation_failed",
        message="no\nluck",
        task_id="task_8",
        request_id="req_1",
    )
    text = summary(ended({ItemState.SUCCEEDED: 8, ItemState.FAILED: 2}, exit_code=3, troubles=(trouble,)), capfd)

    assert "  failed    2   reveal/0 generation_failed: no\\nluck (task task_8, req_1)\n" in text
    assert "and 1 more\n" in text
    assert "next: rivya-batch retry sneaker-reveal --failed\n      rivya-batch results sneaker-reveal\n" in text


def verdict(outcome: RunOutcome, capfd: pytest.CaptureFixture[str], *, quiet: bool = False) -> list[str]:
    tell_verdict(Voice(quiet=quiet), outcome, onward=Onward(command="rivya-batch run a.yaml"))
    told_lines = capfd.readouterr()
    assert told_lines.out == ""
    return told_lines.err.splitlines()


def test_a_log_ends_with_one_line_that_says_everything(capfd: pytest.CaptureFixture[str]) -> None:
    good = ended({ItemState.SUCCEEDED: 10}, done_before=4)

    *_, line = verdict(good, capfd)

    assert line == (
        "sneaker-reveal: ok; 10 of 10 done; 84 of 700 credits spent, 28 held; took 8m 41s; "
        "next: rivya-batch results sneaker-reveal"
    )
    assert verdict(good, capfd, quiet=True) == []


def test_a_log_of_trouble_names_it_and_every_way_on_before_the_last_line(capfd: pytest.CaptureFixture[str]) -> None:
    bad = ended(
        {ItemState.SUCCEEDED: 8, ItemState.UNCERTAIN: 1, ItemState.FAILED: 1},
        exit_code=7,
        troubles=(in_doubt(ItemState.UNCERTAIN), in_doubt(ItemState.FAILED, key="boat")),
    )

    *before, line = verdict(bad, capfd)

    assert before == [
        "  uncertain 1   kite uncertain",
        "  failed    1   boat failed",
        "  missing   1 gone: paid for, and the service no longer has it",
        "  or        rivya-batch resolve kite --run sneaker-reveal --adopt TASK | --assume-not-created | --write-off",
        "  or        rivya-batch retry sneaker-reveal --failed",
    ]
    assert line == (
        "sneaker-reveal: needs a person (exit 7); 8 of 10 done, 1 failed, 1 uncertain; "
        "84 of 700 credits spent, 28 held; took 8m 41s; "
        "next: rivya-batch show kite --run sneaker-reveal    # what is known of it"
    )
    assert verdict(bad, capfd, quiet=True) == [line]


def test_an_empty_balance_asks_for_a_top_up_and_not_for_a_higher_budget(capfd: pytest.CaptureFixture[str]) -> None:
    text = summary(ended({ItemState.PLANNED: 8}, exit_code=5, pauses={"credits": "HTTP 402"}), capfd)

    assert "next: rivya-batch run a.yaml    # after a top-up\n" in text


@pytest.mark.parametrize(
    ("exit_code", "counts", "told_text"),
    [
        (130, {ItemState.PLANNED: 10}, "next: rivya-batch run a.yaml    # goes on; nothing is bought twice\n"),
        (8, {ItemState.PLANNED: 10}, "next: rivya-batch run a.yaml    # goes on; nothing is bought twice\n"),
        (
            4,
            {ItemState.PLANNED: 10},
            "next: rivya-batch run a.yaml    # with a key that may; nothing is bought twice\n",
        ),
        (3, {ItemState.PLANNED: 8}, "next: rivya-batch run a.yaml    # goes on with what was not bought yet\n"),
        (5, {ItemState.SKIPPED: 2}, "next: rivya-batch run a.yaml    # with more budget; the lowest one set counts\n"),
        (5, {ItemState.SKIPPED: 2}, "  skipped   2 not bought\n"),
        (0, {}, "sneaker-reveal  0 of 10 done"),
    ],
)
def test_the_end_says_how_to_go_on(
    exit_code: int, counts: Mapping[str, int], told_text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert told_text in summary(ended(counts, exit_code=exit_code), capfd)


def in_doubt(state: ItemState, *, key: str = "kite", wanted: bool = True) -> Trouble:
    return Trouble(
        key=key,
        identity=f"i1-{state.value}",
        wanted=wanted,
        state=state.value,
        code=state.value,
        message=None,
        task_id=None,
        request_id=None,
    )


def next_lines(troubles: tuple[Trouble, ...], capfd: pytest.CaptureFixture[str]) -> list[str]:
    counts = Counter(trouble.state for trouble in troubles)
    _, found, text = summary(ended(counts, exit_code=7, troubles=troubles), capfd).partition("next: ")
    assert found
    return [line.strip() for line in text.splitlines()]


RESULTS = "rivya-batch results sneaker-reveal"
ASK_AGAIN = "rivya-batch run a.yaml    # asks for it again; nothing is bought twice"


@pytest.mark.parametrize(
    ("key", "wanted", "name"),
    [
        ("kite", True, "kite --run sneaker-reveal"),
        ("it's,1", True, "'it'\\''s,1' --run sneaker-reveal"),
        ("kite", False, "i1-uncertain"),  # the key is another item's now
        ("a\tb", True, "i1-uncertain"),  # what is printed for it is not it
        ("-kite", True, "i1-uncertain"),  # would be read as a flag
        ("kite" * 99, True, "i1-uncertain"),
    ],
)
def test_what_is_to_be_typed_of_a_doubt_means_this_item_and_no_other(
    key: str, wanted: bool, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert next_lines((in_doubt(ItemState.UNCERTAIN, key=key, wanted=wanted),), capfd) == [
        f"rivya-batch show {name}    # what is known of it",
        f"rivya-batch resolve {name} --adopt TASK | --assume-not-created | --write-off",
        RESULTS,
    ]


@pytest.mark.parametrize("state", [ItemState.VANISHED, ItemState.STALLED])
def test_what_the_service_lost_is_asked_for_again_or_written_off(
    state: ItemState, capfd: pytest.CaptureFixture[str]
) -> None:
    assert next_lines((in_doubt(state),), capfd) == [
        ASK_AGAIN,
        "rivya-batch show kite --run sneaker-reveal    # what is known of it",
        "rivya-batch resolve kite --run sneaker-reveal --write-off    # if it is not worth waiting for",
        RESULTS,
    ]


def test_two_kinds_of_doubt_are_each_given_their_way_on(capfd: pytest.CaptureFixture[str]) -> None:
    lines = next_lines((in_doubt(ItemState.STALLED, key="boat"), in_doubt(ItemState.UNCERTAIN)), capfd)

    assert [line.partition(" --run")[0] for line in lines] == [
        ASK_AGAIN,
        "rivya-batch show kite",
        "rivya-batch resolve kite",
        "rivya-batch show boat",
        "rivya-batch resolve boat",
        RESULTS,
    ]


def test_a_folder_with_a_space_can_be_copied_with_the_command(capfd: pytest.CaptureFixture[str]) -> None:
    text = summary(ended({}), capfd, store_flag=["--store", "my work/l.db"])

    assert "next: rivya-batch results sneaker-reveal --store 'my work/l.db'\n" in text


def test_a_pause_is_told_with_its_reason(capfd: pytest.CaptureFixture[str]) -> None:
    assert "  stopped   the cap is reached\n" in summary(
        ended({}, exit_code=5, pauses={"budget": "the cap is reached"}), capfd
    )
