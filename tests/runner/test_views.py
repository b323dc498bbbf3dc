"""What the command shows of a ledger: its runs, their results, one item's story."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.lifecycle import EventType, ItemState
from jobs.results import ErrorRow, Output
from runner.clock import stamp
from runner.errors import LedgerUnusable, UsageError
from runner.ledger.sqlite import SqliteLedger, open_ledger
from runner.story import item_story
from runner.views import list_runs, resolve_run, result_rows, run_summary, slowest
from tests.runner.ledger_cases import ACCOUNT, BASE_URL, URL, Teller, begin, item, run_info

ITEMS = [item(number) for number in range(6)]
ONE, TWO, THREE, FOUR, FIVE, SIX = ITEMS


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "ledger.db"


def opened(path: Path) -> SqliteLedger:
    return open_ledger(path, account=ACCOUNT, base_url=BASE_URL, in_thread=False)


async def told(path: Path) -> Teller:
    """A life that ended with one item in each of six states."""
    ledger = opened(path)
    run = run_info(out_dir=str(path.parent / "out"))
    life = await ledger.begin_life(run, ITEMS, at_s=1000.0, pid=os.getpid(), host="studio")
    teller = Teller()
    teller.records = ledger.records([one.identity for one in ITEMS])
    await ledger.record([teller.intent(ONE)])
    await ledger.record(
        [
            teller.tell(
                ONE.identity, EventType.SEND_ENDED, ambiguous=True, outcome="ambiguous", status=502, reason="HTTP 502"
            )
        ]
    )
    await ledger.record([teller.accepted(ONE, task_id="task-one", figure=12), teller.succeeded(ONE, charge=11)])
    await ledger.record(
        [teller.saved(ONE, state="verified", file="reveal/0.mp4", sha256="f" * 64, bytes=7, type="video/mp4")]
    )
    await ledger.record([teller.intent(TWO), teller.tell(TWO.identity, EventType.REJECTED, **REFUSAL)])
    await ledger.record([teller.intent(THREE), teller.accepted(THREE, task_id="task-three")])
    await ledger.record([teller.intent(FOUR), teller.tell(FOUR.identity, EventType.UNCERTAIN, reason="no answer")])
    await ledger.record([teller.tell(FIVE.identity, EventType.SKIPPED, code="budget_exhausted", message="no room")])
    await ledger.end_life(life, at_s=1100.0, exit_code=7)
    await ledger.close()
    return teller


REFUSAL = {"code": "validation_failed", "message": "too long", "request_id": "req-9", "status": 400}


# Runs


def test_there_are_no_runs_before_the_first(path: Path) -> None:
    assert list_runs(path) == []
    assert not path.exists()


async def test_a_run_tells_how_its_items_stand_and_what_they_hold(path: Path) -> None:
    await told(path)

    (run,) = list_runs(path)

    assert run.counts == {
        ItemState.SUCCEEDED: 1,
        ItemState.REJECTED: 1,
        ItemState.ACCEPTED: 1,
        ItemState.UNCERTAIN: 1,
        ItemState.SKIPPED: 1,
        ItemState.PLANNED: 1,
    }
    assert (run.items, run.reserved, run.settled, run.uncertain, run.cap_credits) == (6, 20, 11, 10, 700)
    assert (run.state, run.exit_code, run.lives, run.life.host) == ("ended", 7, 1, "studio")
    assert run == run_summary(path, "night")


async def test_items_no_longer_wanted_are_not_counted(path: Path) -> None:
    await told(path)
    ledger = opened(path)
    await begin(ledger, ONE, TWO, run=run_info())
    await ledger.close()

    assert run_summary(path, "night").items == 2


async def test_a_run_is_alive_while_its_process_holds_the_ledger_and_died_without_a_word_otherwise(path: Path) -> None:
    ledger = opened(path)
    await ledger.begin_life(run_info(), [ONE], at_s=1.0, pid=os.getpid(), host="studio")
    assert run_summary(path, "night").state == "alive"

    await ledger.close()
    assert run_summary(path, "night").state == "died"

    ledger = opened(path)
    await ledger.begin_life(run_info("day"), [ONE], at_s=2.0, pid=os.getpid() + 1, host="studio")
    assert run_summary(path, "day").state == "died"  # the holder is another process than the one that ran it
    await ledger.close()


async def test_the_latest_run_is_meant_when_none_is_named(path: Path) -> None:
    ledger = opened(path)
    for run_id in ("night@2026-05-10", "night@2026-05-11", "day"):
        await begin(ledger, ONE, run=run_info(run_id))
    await ledger.close()

    assert resolve_run(path, None) == "day"
    assert resolve_run(path, "night@2026-05-10") == "night@2026-05-10"
    assert resolve_run(path, "night") == "night@2026-05-11"
    assert [run.run_id for run in list_runs(path)] == ["day", "night@2026-05-11", "night@2026-05-10"]


@pytest.mark.parametrize(
    ("name", "help_"),
    [("nigth@2026-05-10", "did you mean `night@2026-05-10`?"), ("zebra", "there are `night@2026-05-10`")],
)
async def test_an_unknown_run_is_refused_with_what_may_be_meant(path: Path, name: str, help_: str) -> None:
    ledger = opened(path)
    await begin(ledger, ONE, run=run_info("night@2026-05-10"))
    await ledger.close()

    for ask in (resolve_run, run_summary, result_rows):
        with pytest.raises(UsageError) as caught:
            ask(path, name)
        assert (caught.value.code, caught.value.next_step) == ("run-unknown", help_)


async def test_without_a_run_the_way_to_the_first_is_told(path: Path) -> None:
    with pytest.raises(UsageError, match="there is no ledger"):
        resolve_run(path, None)
    await opened(path).close()

    with pytest.raises(UsageError, match="no run yet"):
        resolve_run(path, None)


def test_a_damaged_ledger_is_not_taken_for_a_missing_one(path: Path) -> None:
    path.write_text("no ledger")

    with pytest.raises(LedgerUnusable):
        list_runs(path)


# Results


async def test_a_result_row_tells_what_was_bought_and_where_it_is(path: Path) -> None:
    teller = await told(path)

    row = next(result_rows(path, "night"))

    attempt = teller.records[ONE.identity].attempt
    assert attempt is not None
    assert (row.item, row.identity, row.job, row.run, row.state) == (
        ONE.key,
        ONE.identity,
        "reveal",
        "night",
        "succeeded",
    )
    assert (row.model, row.prompt, row.params) == ("seedance", "shoe number 0", {"duration": "8"})
    assert (row.axes, row.tags) == ({"vars.n": 0}, ("hero",))
    assert (row.task_id, row.idempotency_key, row.attempts, row.sends) == ("task-one", attempt.key, 1, 2)
    assert (row.reserved_credits, row.final_credits) == (12, 11)
    assert row.created_at == "1970-01-01T00:16:41.000Z"
    assert (row.accepted_at, row.finished_at) == ("1970-01-01T00:16:43.000Z", "1970-01-01T00:16:44.000Z")
    assert row.outputs == (
        Output(
            url=URL,
            file="out/reveal/0.mp4",
            sha256="f" * 64,
            bytes=7,
            type="video/mp4",
            state="verified",
        ),
    )
    assert row.error is None


async def test_results_come_in_the_order_of_the_manifest_with_their_errors(path: Path) -> None:
    await told(path)

    rows = list(result_rows(path, "night"))

    assert [row.item for row in rows] == [one.key for one in ITEMS]
    assert rows[1].error == ErrorRow(code="validation_failed", message="too long", request_id="req-9")
    assert rows[3].error == ErrorRow(code="uncertain", message="no answer", request_id=None)
    assert rows[4].error == ErrorRow(code="budget_exhausted", message="no room", request_id=None)
    assert [(row.reserved_credits, row.final_credits) for row in rows] == [
        (12, 11),  # the service's figures
        (None, None),  # rejected: nothing was bought
        (10, None),  # in flight: what we hold, for want of the service's word
        (10, None),
        (None, None),
        (None, None),
    ]
    assert rows[5].created_at is rows[5].idempotency_key is None


async def test_what_a_manifest_no_longer_has_is_shown_on_demand(path: Path) -> None:
    ledger = opened(path)
    await begin(ledger, ONE, TWO)
    await begin(ledger, TWO, THREE)
    await ledger.close()

    assert [row.item for row in result_rows(path, "night")] == [TWO.key, THREE.key]
    assert [row.item for row in result_rows(path, "night", wanted_only=False)] == [ONE.key, TWO.key, THREE.key]


@pytest.mark.parametrize(
    ("figure", "charge", "refund", "final"), [(11, 11, 0, 11), (None, 14, 0, 14), (11, 11, 4, 7), (0, 0, 0, 0)]
)
async def test_the_final_credits_are_the_services_figure_else_ours_less_what_came_back(
    path: Path, figure: int | None, charge: int, refund: int, final: int
) -> None:
    ledger = opened(path)
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE), teller.accepted(ONE)])
    await ledger.record([teller.tell(ONE.identity, EventType.FAILED, final_credits=figure, charge=charge, code="x")])
    if refund:
        await ledger.record([teller.tell(ONE.identity, EventType.REFUNDED, credits=refund)])
    await ledger.close()

    assert next(result_rows(path, "night")).final_credits == final


async def test_a_file_is_found_where_the_life_that_saved_it_put_it(path: Path) -> None:
    ledger = opened(path)
    teller = await begin(ledger, ONE, run=run_info(out_dir=str(path.parent / "old")))
    await ledger.record([teller.intent(ONE), teller.accepted(ONE), teller.succeeded(ONE)])
    await ledger.record([teller.saved(ONE, state="verified", file="a.mp4")])
    await begin(ledger, ONE, run=run_info(out_dir=str(path.parent / "new")))
    await begin(ledger, ONE, run=run_info("day", out_dir=str(path.parent / "day")))
    await ledger.close()

    for run_id in ("night", "day"):
        assert next(result_rows(path, run_id)).outputs[0].file == "old/a.mp4"


async def test_the_slowest_items_are_those_in_flight_the_longest(path: Path) -> None:
    ledger = opened(path)
    teller = await begin(ledger, *ITEMS)
    for one in (THREE, ONE, TWO):
        await ledger.record([teller.intent(one)])
    await ledger.record([teller.accepted(ONE, task_id="task-1")])
    await ledger.record([teller.tell(TWO.identity, EventType.REJECTED, code="x")])
    await ledger.close()

    found = slowest(path, "night")

    assert [(one.item, one.state, one.task_id) for one in found] == [
        (THREE.key, "submitting", None),
        (ONE.key, "accepted", "task-1"),
    ]
    assert [one.item for one in slowest(path, "night", 1)] == [THREE.key]
    assert slowest(path, "day") == []


def test_a_moment_is_written_with_milliseconds_in_utc() -> None:
    assert stamp(1778457600.0) == "2026-05-11T00:00:00.000Z"
    assert stamp(1778457600.9996) == "2026-05-11T00:00:00.999Z"


# One item's story


async def test_an_item_is_found_by_whatever_name_is_at_hand(path: Path) -> None:
    teller = await told(path)
    attempt = teller.records[ONE.identity].attempt
    assert attempt is not None

    words = [ONE.key, ONE.identity, ONE.identity[:12], ONE.identity[3:15], "task-one", attempt.key]

    for run_id in ("night", None):
        assert {item_story(path, run_id, word).identity for word in words} == {ONE.identity}


async def test_a_name_means_what_the_run_wants_now(path: Path) -> None:
    ledger = opened(path)
    changed = replace(TWO, key=ONE.key)
    await begin(ledger, ONE)
    await begin(ledger, changed)
    await begin(ledger, ONE, run=run_info("day"))
    await ledger.close()

    assert item_story(path, "night", ONE.key).identity == TWO.identity
    assert item_story(path, "day", ONE.key).identity == ONE.identity
    assert item_story(path, None, ONE.key).identity == ONE.identity  # the run that ran last


async def test_an_ambiguous_beginning_lists_what_it_may_mean(path: Path) -> None:
    ledger = opened(path)
    twin = replace(TWO, identity=ONE.identity[:20] + "z")
    await begin(ledger, ONE, twin)
    await ledger.close()

    with pytest.raises(UsageError) as caught:
        item_story(path, "night", ONE.identity[:20])

    assert caught.value.code == "item-ambiguous"
    assert ONE.identity in caught.value.message
    assert twin.identity in caught.value.message


@pytest.mark.parametrize("word", ["reveal/n=00", "i1-", ""])
async def test_an_unknown_item_is_refused_with_what_may_be_meant(path: Path, word: str) -> None:
    await told(path)

    with pytest.raises(UsageError) as caught:
        item_story(path, "night", word)

    assert caught.value.code == "item-unknown"
    assert ("reveal/n=0" if word.startswith("reveal") else "results") in caught.value.next_step


async def test_a_story_tells_every_send_with_its_wait_and_its_outcome(path: Path) -> None:
    await told(path)

    story = item_story(path, "night", ONE.key)

    (attempt,) = story.attempts
    assert [(send.n, send.outcome, send.status, send.ambiguous, send.wait_s) for send in attempt.sends] == [
        (1, "ambiguous", 502, True, 1.0),
        (2, "accepted", None, False, 1.0),
    ]
    assert attempt.sends[0].reason == "HTTP 502"
    assert attempt.request_ids == ("req-a",)
    assert (attempt.opened_at, attempt.accepted_at) == ("1970-01-01T00:16:41.000Z", "1970-01-01T00:16:43.000Z")
    assert attempt.state is ItemState.SUCCEEDED
    assert [file.file for file in attempt.files] == ["out/reveal/0.mp4"]
    assert [event.type.value for event in story.events] == [
        "planned",
        "intent",
        "send_ended",
        "accepted",
        "succeeded",
        "saved",
    ]
    assert story.events[0].life_id == 1
    assert [event.seq for event in story.events] == sorted(event.seq for event in story.events)


async def test_a_story_tells_what_the_item_is_and_who_named_it(path: Path) -> None:
    await told(path)
    ledger = opened(path)
    await begin(ledger, replace(ONE, key="other/name"), run=run_info("day"))
    await ledger.close()

    story = item_story(path, "night", ONE.identity)

    assert (story.item, story.run, story.runs) == (ONE.key, "night", ("night", "day"))
    assert (story.model, story.prompt, story.params) == (ONE.model, ONE.prompt, ONE.params)
    assert (story.reference_digests, story.repeat, story.edition) == ((ONE.references[0].sha256,), 1, "")
    assert story.record.state is ItemState.SUCCEEDED
    assert item_story(path, None, ONE.identity).item == "other/name"


async def test_a_story_keeps_the_files_and_sends_of_earlier_purchases(path: Path) -> None:
    ledger = opened(path)
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE), teller.accepted(ONE), teller.succeeded(ONE)])
    await ledger.record([teller.intent(ONE, epoch=1), teller.tell(ONE.identity, EventType.REJECTED, **REFUSAL)])
    await ledger.close()

    first, second = item_story(path, "night", ONE.key).attempts

    assert [file.url for file in first.files] == [URL]
    assert [send.outcome for send in first.sends] == ["accepted"]
    assert (second.files, second.state, second.attempt.epoch) == ((), ItemState.REJECTED, 1)
    assert (second.sends[0].status, second.sends[0].reason, second.request_ids) == (400, "too long", ("req-9",))


async def test_a_persons_word_is_no_send(path: Path) -> None:
    ledger = opened(path)
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE), teller.tell(ONE.identity, EventType.UNCERTAIN, reason="no answer")])
    await ledger.record([teller.tell(ONE.identity, EventType.ACCEPTED, task_id="task-x", by="Ada")])
    await ledger.close()

    story = item_story(path, "night", "task-x")

    assert story.attempts[0].sends == ()
    assert story.events[-1].data["by"] == "Ada"


async def test_stories_and_results_can_be_read_beside_a_run(path: Path) -> None:
    ledger = opened(path)
    teller = await begin(ledger, ONE)
    await ledger.record([teller.intent(ONE)])

    assert next(result_rows(path, "night")).state == "submitting"
    assert item_story(path, None, ONE.key).record == teller.records[ONE.identity]

    await ledger.record([teller.accepted(ONE)])  # looking took no lock of the run's away
    await ledger.close()
