"""The control socket: one question, one answer; nobody else's, never in the run's way."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from jobs.rates import Rate
from jobs.steering import Ask, Dial, Verb
from runner.control import LINE_BYTES_MAX, SOCKET_PATH_BYTES_MAX, peer_uid, socket_path
from runner.control_call import NobodyThere, ask_run, ask_when_there
from runner.control_door import GUESTS_MAX, control_door
from runner.errors import UsageError

TUNE = {"do": "tune", "run": "sweep", "creates": "30/min"}


class Run:
    """A run that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Ask, str]] = []
        self.fails: Exception | None = None

    async def heed(self, ask: Ask, by: str) -> Mapping[str, object]:
        self.asked.append((ask, by))
        if self.fails is not None:
            raise self.fails
        return {"run": ask.run, "said": ["done"]}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@asynccontextmanager
async def listening(ledger: Path, run: Run) -> AsyncIterator[None]:
    async with control_door(ledger, run.heed) as problem:
        assert problem is None
        yield


def said(ledger: Path, *lines: bytes) -> bytes:
    """What comes back to raw bytes, until the run hangs up."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10.0)
        connection.connect(str(socket_path(ledger)))
        heard = b""
        with suppress(ConnectionError):  # who is sent away may not even be let finish
            for line in lines:
                connection.sendall(line)
            while more := connection.recv(65536):
                heard += more
    return heard


async def aside(call: Callable[..., Any], *args: Any) -> Any:
    """A call from another process, as good as."""
    return await asyncio.to_thread(call, *args)


async def test_a_question_is_answered_and_the_person_is_known_by_the_kernel(ledger: Path) -> None:
    run = Run()
    async with listening(ledger, run):
        answer = await aside(ask_run, ledger, TUNE)

    ((ask, by),) = run.asked
    assert answer == {"v": 1, "ok": True, "run": "sweep", "said": ["done"]}
    assert ask == Ask(verb=Verb.TUNE, run="sweep", dials={Dial.CREATES: Rate(count=30, window_s=60.0)})
    assert by


async def test_the_socket_is_its_owners_alone_and_gone_with_the_run(ledger: Path) -> None:
    before = os.umask(0)
    try:
        async with listening(ledger, Run()):
            found = socket_path(ledger).lstat()
            assert stat.S_ISSOCK(found.st_mode)
            assert stat.S_IMODE(found.st_mode) == 0o600
    finally:
        os.umask(before)

    assert list(ledger.parent.iterdir()) == []
    with pytest.raises(NobodyThere):
        ask_run(ledger, TUNE)


async def test_a_folder_whose_name_is_longer_than_a_socket_address_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-long-name-of-a-folder"] * 8)
    folder.mkdir(parents=True)
    ledger, run = folder / "ledger.db", Run()
    assert len(str(socket_path(ledger))) > SOCKET_PATH_BYTES_MAX
    async with listening(ledger, run):
        assert (await aside(ask_run, ledger, TUNE))["ok"]

    assert list(folder.iterdir()) == []


@pytest.fixture
def other(ledger: Path, tmp_path: Path) -> Path:
    """Another name of the ledger, in another folder."""
    ledger.touch()
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.db"
    link.symlink_to(ledger)
    return link


async def test_two_links_to_one_ledger_lead_to_one_run(ledger: Path, other: Path) -> None:
    async with listening(ledger, Run()):
        assert (await aside(ask_run, other, TUNE))["ok"]


async def test_what_a_dead_run_left_is_replaced(ledger: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(socket_path(ledger)))
    left.close()
    with pytest.raises(NobodyThere):
        ask_run(ledger, TUNE)

    async with listening(ledger, Run()):
        assert (await aside(ask_run, ledger, TUNE))["ok"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.symlink_to("/dev/null"), "is a link"),
        (lambda path: path.write_text("mine"), "is no socket"),
        (lambda path: path.mkdir(), "is no socket"),
        (os.mkfifo, "is no socket"),
    ],
)
async def test_what_somebody_else_put_there_is_neither_used_nor_removed(
    ledger: Path, make: Callable[[Path], object], why: str
) -> None:
    path = socket_path(ledger)
    make(path)
    before = path.lstat()

    async with control_door(ledger, Run().heed) as problem:
        assert problem is not None
        assert why in problem
        with pytest.raises(UsageError, match=why):
            await aside(ask_run, ledger, TUNE)

    assert path.lstat().st_ino == before.st_ino


async def test_a_socket_of_another_user_is_not_used(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = socket.socket(socket.AF_UNIX)
    theirs.bind(str(socket_path(ledger)))
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with theirs:
        async with control_door(ledger, Run().heed) as problem:
            assert f"belongs to user {me}" in str(problem)
        with pytest.raises(UsageError, match="belongs to user"):
            ask_run(ledger, TUNE)


async def test_another_user_is_sent_away_unheard(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    monkeypatch.setattr("runner.control_door.peer_uid", lambda _: os.geteuid() + 1)
    async with listening(ledger, run):
        assert await aside(said, ledger, b'{"v": 1, "do": "pause"}\n') == b""

    assert run.asked == []


async def test_the_kernel_names_the_peer() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_uid(one) == os.geteuid()


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"GET / HTTP/1.1\n",
        b"\xff\xfe\n",
        b"[" * 4000 + b"\n",
        b'{"v": 1, "do": "tune", "creates": "' + b"9" * LINE_BYTES_MAX + b'"}\n',
        b'{"v": 2, "do": "pause"}\n',
        b'{"v": 1}\n',
        b'{"v": 1, "do": ["pause"]}\n',
        b'{"v": 1, "do": "explode"}\n',
        b'{"v": 1, "do": "pause", "run": 7}\n',
        b'{"v": 1, "do": "pause", "now": true}\n',
        b'{"v": 1, "do": "pause", "budget": 5}\n',
        b'{"v": 1, "do": "tune"}\n',
        b'{"v": 1, "do": "tune", "budget": -1}\n',
        b'{"v": 1, "do": "tune", "budget": true}\n',
        b'{"v": 1, "do": "tune", "budget": 1e3}\n',
        b'{"v": 1, "do": "tune", "in_flight": 0}\n',
        b'{"v": 1, "do": "tune", "in_flight": 99999999}\n',
        b'{"v": 1, "do": "tune", "creates": "fast"}\n',
        b'{"v": 1, "do": "tune", "creates": "30/min", "colour": 1}\n',
        b'{"v": 1, "do": "pause"}\n{"v": 1, "do": "stop"}\n',
    ],
)
async def test_what_is_not_understood_whole_is_not_done_in_part(ledger: Path, line: bytes) -> None:
    run = Run()
    async with listening(ledger, run):
        answer = json.loads(await aside(said, ledger, line))

    assert run.asked == []
    assert (answer["v"], answer["ok"], answer["code"]) == (1, False, "control-misunderstood")
    assert answer["message"]
    assert answer["next"]


async def test_guests_that_say_nothing_are_seen_out_and_others_still_heard(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.control_door.EXCHANGE_S", 0.2)
    with ExitStack() as silent:
        async with listening(ledger, Run()):
            for _ in range(2 * GUESTS_MAX):  # as many as there are seats, and as many again who wait for one
                one = silent.enter_context(socket.socket(socket.AF_UNIX))
                one.settimeout(0.0)
                with suppress(BlockingIOError):
                    one.connect(str(socket_path(ledger)))
                await asyncio.sleep(0)
            assert (await aside(ask_run, ledger, TUNE))["ok"]


async def test_a_guest_that_does_not_take_its_answer_holds_up_nobody(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.control_door.EXCHANGE_S", 0.2)
    run = Run()

    async def long_winded(ask: Ask, by: str) -> Mapping[str, object]:
        return {"said": ["x" * 4_000_000] if ask.verb is Verb.PAUSE else []}

    async with control_door(ledger, long_winded):
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.connect(str(socket_path(ledger)))
            deaf.sendall(b'{"v": 1, "do": "pause"}\n')
            assert (await aside(ask_run, ledger, TUNE))["ok"]
    assert run.asked == []


async def test_a_flood_of_questions_leaves_the_loop_to_the_run(ledger: Path) -> None:
    """Four shells that ask as fast as they can: the run's own turns still come when they are due."""
    over = threading.Event()

    def flood() -> int:
        asked = 0
        while not over.is_set():
            with suppress(NobodyThere, UsageError):
                ask_run(ledger, {"do": "status"})
                asked += 1
        return asked

    run, late_s = Run(), []
    async with listening(ledger, run):
        shells = [asyncio.create_task(aside(flood)) for _ in range(4)]
        for _ in range(50):
            began_s = time.perf_counter()
            await asyncio.sleep(0.01)
            late_s.append(time.perf_counter() - began_s - 0.01)
        over.set()
        answered = sum(await asyncio.gather(*shells))

    assert answered <= 60, "fifty a second"
    assert sorted(late_s)[len(late_s) // 2] < 0.05


async def test_what_is_being_done_when_the_run_ends_is_done_whole_and_answered(ledger: Path) -> None:
    begun, done = asyncio.Event(), []

    async def slow(ask: Ask, by: str) -> Mapping[str, object]:
        begun.set()
        await asyncio.sleep(0.1)
        done.append(ask.verb)
        return {"said": ["paused"]}

    async with control_door(ledger, slow):
        guest = asyncio.create_task(aside(ask_run, ledger, {"do": "pause"}))
        await begun.wait()

    assert done == [Verb.PAUSE]
    assert (await guest)["said"] == ["paused"]


async def test_what_the_run_refuses_comes_back_in_its_words(ledger: Path) -> None:
    run = Run()
    run.fails = UsageError("The run is ending.", code="run-ending", next_step="wait")
    async with listening(ledger, run):
        with pytest.raises(UsageError) as refused:
            await aside(ask_run, ledger, TUNE)

    assert (refused.value.message, refused.value.code, refused.value.next_step) == (
        "The run is ending.",
        "run-ending",
        "wait",
    )


async def test_a_fault_of_ours_in_steering_ends_nothing(ledger: Path) -> None:
    run = Run()
    run.fails = KeyError("secret")
    async with listening(ledger, run):
        with pytest.raises(UsageError, match="KeyError") as told:
            await aside(ask_run, ledger, TUNE)
        run.fails = None
        assert (await aside(ask_run, ledger, TUNE))["ok"]

    assert "secret" not in told.value.message


def test_a_run_that_is_gone_meanwhile_is_told_and_not_waited_for(ledger: Path) -> None:
    asked: list[int] = []

    def gone() -> UsageError | None:
        asked.append(1)
        return UsageError("it ended") if len(asked) == 3 else None

    with pytest.raises(UsageError, match="it ended"):
        ask_when_there(ledger, TUNE, gone=gone)


def test_a_run_that_lives_and_does_not_listen_is_given_up_in_the_end(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.control_call.PATIENCE_S", 0.2)
    with pytest.raises(UsageError, match="does not listen") as told:
        ask_when_there(ledger, TUNE, gone=lambda: None)

    assert told.value.code == "run-unreachable"


@pytest.mark.parametrize("answer", [b"hello\n", b"[]\n", b'{"v": 9, "ok": true}\n', b"[" * 100_000 + b"\n"])
def test_what_is_no_run_of_ours_is_not_believed(ledger: Path, answer: bytes) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(socket_path(ledger)))
    listener.listen(1)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(answer)

    other = threading.Thread(target=serve)
    other.start()
    with listener:
        with pytest.raises(UsageError, match="no run of this release"):
            ask_run(ledger, TUNE)
        other.join()


def test_a_run_that_hangs_lets_the_command_go(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.control_call.ANSWER_S", 0.2)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(socket_path(ledger)))
        listener.listen(1)
        with pytest.raises(UsageError, match="did not answer within") as told:
            ask_run(ledger, TUNE)

    assert told.value.code == "run-unreachable"
