"""`resolve`: from an item that nobody can judge to a run that goes on, with the command a person types."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.lifecycle import EventType
from jobs.runstate import RunState
from jobs.steps import Now
from runner.cli.entry import run_command
from runner.ledger.sqlite import open_ledger
from tests.jobs.workbench import made_core

MANIFEST = """\
version: 1
name: boats
budget: {credits: 9}
limits: {creates: 50/s, polls: 50/s, first_poll: 10ms, poll_gap: 10ms}
jobs:
  - id: boat
    model: z-image
    prompt: a paper boat
  - id: kite
    model: z-image
    prompt: a paper kite
"""
STORE = Path(".rivya/sim.db")

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    Path("boats.yaml").write_text(MANIFEST, encoding="utf-8")

    def run(*args: str) -> tuple[int, str, str]:
        code = run_command(args)
        streams = capfd.readouterr()
        return code, streams.out, streams.err

    return run


def shown(command: Command, item: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(command("show", item, "--sim", "--json")[1])
    return found


async def _forget_the_answer(item: str) -> None:
    """What a lost answer leaves: an intent, a doubt, and at last no honest way to learn more."""
    ledger = open_ledger(STORE, account="sim", base_url="simulator", in_thread=False)
    try:
        (past,) = [one for one in ledger.past_items("boats") if one.key == item]
        state: RunState = made_core(books=None).state
        state.records[past.identity] = ledger.records([past.identity])[past.identity]
        intent = {"epoch": 0, "ordinal": 0, "key": "rvb1-lost", "bound": 1, "price_class": "z-image", "scope": "boats"}
        moment = Now(0.0, 1_700_000_000.0)
        for event_type, data, body in (
            (EventType.INTENT, {**intent, "server_at_s": moment.wall_s}, b"{}"),
            (EventType.SEND_ENDED, {"outcome": "ambiguous", "ambiguous": True}, None),
            (EventType.UNCERTAIN, {"reason": "9 sends without an answer"}, None),
        ):
            await ledger.record(state.move(past.identity, event_type, moment, data, body=body).changes)
    finally:
        await ledger.close()


@pytest.fixture
def in_doubt(command: Command) -> Command:
    """One item bought and done, one in doubt."""
    assert command("run", "boats.yaml", "--sim", "--yes", "--select", "boat")[0] == 0
    assert command("run", "boats.yaml", "--sim", "--yes", "--budget", "1")[0] == 5
    asyncio.run(_forget_the_answer("kite"))
    return command


def test_a_run_with_an_item_in_doubt_ends_with_7_and_says_how_to_resolve_it(in_doubt: Command) -> None:
    code, _, err = in_doubt("run", "boats.yaml", "--sim", "--yes")

    assert code == 7
    assert "rivya-batch resolve 'kite' --sim --adopt TASK | --assume-not-created | --write-off" in err
    assert "next: rivya-batch resolve kite --sim --adopt TASK" in in_doubt("show", "kite", "--sim")[2]


def test_what_was_never_created_is_bought_by_the_next_run(in_doubt: Command) -> None:
    code, _, err = in_doubt("resolve", "kite", "--assume-not-created", "--sim", "--yes")

    assert code == 0
    assert "kite is rejected now and holds nothing" in err.replace(", and", " and")
    assert in_doubt("run", "boats.yaml", "--sim", "--yes")[0] == 0
    story = shown(in_doubt, "kite")
    assert story["state"] == "succeeded"
    assert len(story["attempts"]) == 2  # type: ignore[arg-type]


def test_what_is_written_off_counts_as_spent_and_is_asked_for_no_more(in_doubt: Command) -> None:
    code, out, _ = in_doubt("resolve", "kite", "--write-off", "--sim", "--yes", "--json")

    assert code == 0
    told = json.loads(out)
    assert (told["state"], told["reserved"], told["settled"]) == ("failed", 0, 1)
    assert in_doubt("run", "boats.yaml", "--sim", "--yes")[0] == 3
    assert len(shown(in_doubt, "kite")["attempts"]) == 1  # type: ignore[arg-type]
    assert "  resolved   written_off by " in in_doubt("show", "kite", "--sim")[1]


def test_a_task_of_another_attempt_cannot_be_adopted(in_doubt: Command) -> None:
    task = shown(in_doubt, "boat")["attempts"][0]["task_id"]  # type: ignore[index]

    code, _, err = in_doubt("resolve", "kite", "--adopt", task, "--sim", "--yes")

    assert code == 2
    assert "error[task-taken]" in err
    assert shown(in_doubt, "kite")["state"] == "uncertain"


def test_a_task_that_the_service_does_not_know_cannot_be_adopted(in_doubt: Command) -> None:
    code, _, err = in_doubt("resolve", "kite", "--adopt", "task_never", "--sim", "--yes")

    assert code == 2
    assert "error[task-unknown]" in err
    assert shown(in_doubt, "kite")["state"] == "uncertain"


def test_an_adopted_task_is_polled_and_saved_and_nothing_is_bought(command: Command) -> None:
    assert command("run", "boats.yaml", "--sim", "--yes")[0] == 0
    task = shown(command, "kite")["attempts"][0]["task_id"]  # type: ignore[index]
    STORE.unlink()  # the ledger is lost; the service still has both tasks
    assert command("run", "boats.yaml", "--sim", "--yes", "--select", "boat")[0] == 0
    assert command("run", "boats.yaml", "--sim", "--yes", "--budget", "1")[0] == 5
    asyncio.run(_forget_the_answer("kite"))

    code, _, err = command("resolve", "kite", "--adopt", task, "--sim", "--yes")

    assert code == 0
    assert f"task      {task} is succeeded at the service" in err
    assert command("run", "boats.yaml", "--sim", "--yes")[0] == 0
    story = shown(command, "kite")
    assert story["state"] == "succeeded"
    assert story["attempts"][0]["task_id"] == task  # type: ignore[index]
    assert story["attempts"][0]["sends"][0]["outcome"] == "ambiguous"  # type: ignore[index]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        ([], "usage"),
        (["--write-off", "--assume-not-created"], "usage"),
        (["--write-off"], "not-confirmed"),
    ],
)
def test_a_word_has_to_be_one_and_agreed_to(args: list[str], code: str, in_doubt: Command) -> None:
    exit_code, _, err = in_doubt("resolve", "kite", "--sim", *args)

    assert exit_code == 2
    assert f"error[{code}]" in err
    assert shown(in_doubt, "kite")["state"] == "uncertain"


def test_a_word_on_an_item_that_is_done_is_refused(in_doubt: Command) -> None:
    code, _, err = in_doubt("resolve", "boat", "--write-off", "--sim", "--yes")

    assert code == 2
    assert "error[cannot-resolve]: `boat` is succeeded: it has succeeded, and that is final" in err
