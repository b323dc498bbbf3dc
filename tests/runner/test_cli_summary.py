"""What people read after a run: what was done, what it cost, and the way on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import pytest

from jobs.lifecycle import ItemState
from jobs.paces import PacerStatistics
from jobs.polling import Noticed
from jobs.record import Money
from runner.cli.summary import done_facts, tell_summary, tell_verdict
from runner.cli.voice import Voice
from runner.onward import Onward
from runner.reporter import RunOutcome, RunStatistics, Trouble


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
