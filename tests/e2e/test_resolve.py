"""`resolve`: from an item that nobody can judge to a run that goes on, with the command a person types."""

from __future__ import annotations

import asyncio
import io
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs.lifecycle import EventType
from jobs.runstate import RunState
from jobs.steps import Now
from runner.cli.entry import run_command
from runner.cli.verbs import resolve
from runner.cli.voice import Voice
from runner.ledger.sqlite import open_ledger
from runner.story import item_story
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
NIGHT = """\
version: 1
name: night
edition: "{{ run.date }}"
budget: {credits: 9}
jobs:
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


async def _forget_the_answer(item: str, *, run: str = "boats", key: str = "rvb1-lost", task: str | None = None) -> None:
    """What a lost answer leaves: an intent, a doubt, and at last no honest way to learn more.

    With a `task` the service had named one before it knew nothing of it any more.
    """
    ledger = open_ledger(STORE, account="sim", base_url="simulator", in_thread=False)
    try:
        (past,) = [one for one in ledger.past_items(run) if one.key == item]
        state: RunState = made_core(books=None).state
        state.records[past.identity] = ledger.records([past.identity])[past.identity]
        intent = {"epoch": 0, "ordinal": 0, "key": key, "bound": 1, "price_class": "z-image", "scope": run}
        moment = Now(0.0, 1_700_000_000.0)
        steps: list[tuple[EventType, dict[str, object]]] = [
            (EventType.INTENT, {**intent, "server_at_s": moment.wall_s}),
            (EventType.SEND_ENDED, {"outcome": "ambiguous", "ambiguous": True}),
        ]
        if task is None:
            steps.append((EventType.UNCERTAIN, {"reason": "9 sends without an answer"}))
        else:
            steps.append((EventType.ACCEPTED, {"task_id": task, "reserved_credits": 1}))
            steps.append((EventType.VANISHED, {"reason": "the service does not know it"}))
        for event_type, data in steps:
            body = b"{}" if event_type is EventType.INTENT else None
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
    assert "rivya-batch resolve kite --run boats --sim --adopt TASK | --assume-not-created | --write-off" in err
    assert "next: rivya-batch resolve kite --run boats --sim --adopt TASK" in in_doubt("show", "kite", "--sim")[2]


def test_what_was_never_created_is_bought_by_the_next_run(in_doubt: Command) -> None:
    code, _, err = in_doubt("resolve", "kite", "--assume-not-created", "--sim", "--yes")

    assert code == 0
    assert "kite of boats is rejected now, and holds nothing" in err
    assert in_doubt("run", "boats.yaml", "--sim", "--yes")[0] == 0
    story = shown(in_doubt, "kite")
    assert story["state"] == "succeeded"
    assert len(story["attempts"]) == 2  # type: ignore[arg-type]


def test_what_is_written_off_counts_as_spent_and_is_not_bought_again(in_doubt: Command) -> None:
    code, out, _ = in_doubt("resolve", "kite", "--write-off", "--sim", "--yes", "--json")

    assert code == 0
    told = json.loads(out)
    assert (told["run"], told["state"], told["reserved"], told["settled"]) == ("boats", "failed", 0, 1)
    assert told["warnings"] == []
    assert in_doubt("run", "boats.yaml", "--sim", "--yes")[0] == 3
    assert len(shown(in_doubt, "kite")["attempts"]) == 1  # type: ignore[arg-type]
    assert "  resolved   write-off by " in in_doubt("show", "kite", "--sim")[1]


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
    assert "error[cannot-resolve]: `boat` of boats is succeeded: it has succeeded, and that is final" in err


def test_a_word_that_does_not_fit_names_the_item_to_look_at(in_doubt: Command) -> None:
    task = shown(in_doubt, "boat")["attempts"][0]["task_id"]  # type: ignore[index]

    refused = in_doubt("resolve", "boat", "--write-off", "--sim", "--yes")[2]
    taken = in_doubt("resolve", "kite", "--adopt", task, "--sim", "--yes")[2]
    nothing_said = in_doubt("resolve", "kite", "--sim")[2]

    assert "next: see what is known of it with `rivya-batch show boat --run boats --sim`" in refused
    assert "next: see which item that is with `rivya-batch show rvb1-" in taken
    assert "next: see what is known with `rivya-batch show kite --run boats --sim`" in nothing_said


def test_an_item_that_moved_meanwhile_is_left_alone_and_named(
    in_doubt: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = item_story(STORE, "boats", "kite")
    assert in_doubt("resolve", "kite", "--write-off", "--sim", "--yes")[0] == 0
    monkeypatch.setattr(resolve, "item_story", lambda *_: story)  # what was known a moment ago

    code, _, err = in_doubt("resolve", "kite", "--assume-not-created", "--sim", "--yes")

    assert code == 2
    assert "error[cannot-resolve]: `kite` of boats moved meanwhile: it is failed now" in err
    assert "next: look at it again with `rivya-batch show kite --run boats --sim`" in err


def test_a_task_that_the_service_lost_can_be_written_off_and_nothing_else(command: Command) -> None:
    assert command("run", "boats.yaml", "--sim", "--yes", "--budget", "1", "--select", "boat")[0] == 0
    assert command("run", "boats.yaml", "--sim", "--yes", "--budget", "1")[0] == 5
    asyncio.run(_forget_the_answer("kite", task="task_lost"))
    code, _, err = command("run", "boats.yaml", "--sim", "--yes")
    assert code == 7
    assert err.endswith("; next: rivya-batch run boats.yaml --sim    # asks for it again; nothing is bought twice\n")
    assert "rivya-batch resolve kite --run boats --sim --write-off    # if it is not worth waiting for\n" in err
    assert command("resolve", "kite", "--assume-not-created", "--sim", "--yes")[0] == 2

    code, _, err = command("resolve", "kite", "--write-off", "--sim", "--yes")

    assert code == 0
    assert "  task      task_lost\n" in err
    assert "kite of boats is failed now, with 1 credit spent" in err


@pytest.fixture
def two_nights(command: Command) -> Command:
    """The same item in doubt in two editions of a run."""
    Path("night.yaml").write_text(NIGHT, encoding="utf-8")
    for night in ("2026-01-01", "2026-01-02"):
        assert command("run", "night.yaml", "--date", night, "--sim", "--yes", "--budget", "0")[0] == 5
        asyncio.run(_forget_the_answer("kite", run=f"night@{night}", key=f"rvb1-{night}"))
    return command


def of_night(command: Command, night: str) -> object:
    return json.loads(command("show", "kite", "--run", f"night@{night}", "--sim", "--json")[1])["state"]


def test_what_is_printed_for_one_night_never_acts_on_another(two_nights: Command) -> None:
    first = ["--run", "night@2026-01-01"]
    told = two_nights("resolve", "kite", *first, "--write-off", "--no-input", "--sim")[2]
    assert "  run       night@2026-01-01\n" in told
    shown_next = two_nights("show", "kite", *first, "--sim")[2]
    assert "next: rivya-batch resolve kite --run night@2026-01-01 --sim --adopt TASK" in shown_next
    (to_copy,) = [line.removeprefix("next: ") for line in told.splitlines() if line.startswith("next: ")]

    assert two_nights(*shlex.split(to_copy)[1:])[0] == 0

    assert (of_night(two_nights, "2026-01-01"), of_night(two_nights, "2026-01-02")) == ("failed", "uncertain")


def test_an_item_that_is_named_by_its_key_at_the_service_is_named_with_its_run(two_nights: Command) -> None:
    told = two_nights("show", "rvb1-2026-01-01", "--sim")[2]

    assert "next: rivya-batch resolve kite --run night@2026-01-01 --sim" in told


def test_an_item_that_only_an_earlier_night_has_is_told_with_its_run(two_nights: Command) -> None:
    Path("night.yaml").write_text(NIGHT.replace("id: kite", "id: boat"), encoding="utf-8")
    assert two_nights("run", "night.yaml", "--date", "2026-01-03", "--sim", "--yes", "--budget", "0")[0] == 5

    code, _, err = two_nights("resolve", "kite", "--write-off", "--sim", "--yes")

    assert code == 2
    assert "next: the run night@2026-01-02 has an item of this name: add --run night@2026-01-02\n" in err


def test_an_item_whose_key_went_to_another_is_named_by_its_identity(in_doubt: Command) -> None:
    Path("boats.yaml").write_text(MANIFEST.replace("a paper kite", "a silk kite"), encoding="utf-8")
    assert in_doubt("run", "boats.yaml", "--sim", "--yes")[0] == 0
    assert shown(in_doubt, "kite")["state"] == "succeeded"

    code, out, err = in_doubt("show", "rvb1-lost", "--sim")

    assert code == 0
    identity = next(line.split()[1] for line in out.splitlines() if line.startswith("  identity "))
    assert f"next: rivya-batch resolve {identity} --sim --adopt TASK" in err
    assert in_doubt("resolve", identity, "--write-off", "--sim", "--yes")[0] == 0


def test_what_a_ledger_says_of_itself_is_told_also_when_resolve_opens_it_first(in_doubt: Command) -> None:
    moved = Path("moved")
    moved.mkdir()
    shutil.copy(STORE, moved / "l.db")
    kite = ["resolve", "kite", "--write-off", "--sim", "--yes", "--json", "-q", "--store", "moved/l.db"]

    code, out, err = in_doubt(*kite)

    assert code == 0
    assert "was moved or copied since it was last used" in err
    assert err.startswith("warning: the ledger ")
    assert [err] == [f"warning: {one}\n" for one in json.loads(out)["warnings"]]


@pytest.mark.parametrize(
    ("args", "question"),
    [
        (["--write-off"], "Count the 1 credit of `kite` of boats as spent, and wait for its results no more?"),
        (
            ["--assume-not-created"],
            "If `kite` of boats was created after all, the next run pays for it twice. Assume that it was not?",
        ),
    ],
)
@pytest.mark.parametrize(("answer", "exit_code"), [("no", 2), ("yes", 0)])
def test_the_question_says_of_which_item_and_only_yes_is_a_yes(
    args: list[str],
    question: str,
    answer: str,
    exit_code: int,
    in_doubt: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Voice, "can_ask", lambda _: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))

    code, _, err = in_doubt("resolve", "kite", *args, "--sim", "-q")

    assert code == exit_code
    assert f"{question} Type yes: " in err
    assert (shown(in_doubt, "kite")["state"] == "uncertain") == (answer == "no")


@pytest.mark.parametrize(
    ("name", "told"), [("ann", "ann"), ("", "user 1"), ("service", "user 1"), ("runner", "user 1")]
)
def test_a_word_is_a_persons_also_when_their_account_is_called_like_one_of_ours(
    name: str, told: str, in_doubt: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1)
    monkeypatch.setattr("pwd.getpwuid", lambda _: SimpleNamespace(pw_name=name))

    assert in_doubt("resolve", "kite", "--write-off", "--sim", "--yes")[0] == 0

    assert f"  resolved   write-off by {told}, " in in_doubt("show", "kite", "--sim")[1]
