"""The run's end of the control socket at its edges: no file is free, the run has just ended, its place was taken."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from jobs.steering import Ask, Verb
from runner import control_door as doors
from runner.control import socket_path
from runner.control_call import ask_run
from runner.control_door import GUESTS_MAX, control_door


class Run:
    """A run that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Verb] = []

    async def heed(self, ask: Ask, by: str) -> Mapping[str, object]:
        self.asked.append(ask.verb)
        return {"said": ["done"]}


async def test_a_socket_that_took_the_place_of_ours_is_left_alone(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    path = socket_path(ledger)
    with socket.socket(socket.AF_UNIX) as other:
        async with control_door(ledger, Run().heed):
            path.rename(tmp_path / "ours")
            other.bind(str(path))

        assert path.exists()


async def test_a_run_without_a_file_to_spare_for_a_guest_hears_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    accept, refusals = loop.sock_accept, iter(range(GUESTS_MAX))

    async def accept_later(listener: socket.socket) -> tuple[socket.socket, object]:
        if next(refusals, None) is None:
            return await accept(listener)
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(doors, "NO_ROOM_S", 0.0)
    monkeypatch.setattr(loop, "sock_accept", accept_later)
    run, ledger = Run(), tmp_path / "ledger.db"
    async with control_door(ledger, run.heed):
        answer = await asyncio.to_thread(ask_run, ledger, {"do": "pause"})

    assert (answer["said"], run.asked) == (["done"], [Verb.PAUSE])


async def test_who_comes_while_the_last_answers_leave_is_told_that_the_run_has_ended() -> None:
    run = Run()
    with socket.socket(socket.AF_UNIX) as listener:
        door = doors._Door(listener, run.heed)
        await door.close(asyncio.create_task(asyncio.sleep(0)))

        answer = await door._answer(json.dumps({"v": 1, "do": "pause"}).encode() + b"\n", "ada")

    assert (answer["ok"], answer["code"], run.asked) == (False, "run-ending", [])
