"""The run's end of the control socket. Whatever a guest does, the run goes on at its own pace.

A few guests at a time, each with a few seconds and one short line; the rest wait in the kernel, where they cost
nothing. One question is heeded after the other, with a pause between them, so that not even a flood of good ones takes
more than a share of the loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from jobs.steering import VERSION, Ask, Misunderstood, read_ask
from runner.control import EXCHANGE_S, LINE_BYTES_MAX, distrust, peer_uid, reachable, socket_path
from runner.errors import RunnerError, UsageError
from runner.people import account_name

__all__ = ["Heed", "control_door"]

GUESTS_MAX: Final = 8  # at once; people at the controls are few
GAP_S: Final = 0.02  # between two answers: fifty a second are more than anybody reads
LAST_WORD_S: Final = 1.0  # at the end of the run, for answers that are on their way
NO_ROOM_S: Final = 1.0  # the process has no file left for a guest: the run needs them more

# Does what was asked, for the person named; gives what the answer says beyond `v` and `ok`. Raises RunnerError.
Heed = Callable[[Ask, str], Awaitable[Mapping[str, object]]]


@asynccontextmanager
async def control_door(ledger: Path, heed: Heed) -> AsyncIterator[str | None]:
    """Listen while the block runs. Gives why nobody can be heard, if so: a run without controls is still a run."""
    try:
        path = socket_path(ledger)
        listener, made = _listen(path)
    except (OSError, RunnerError) as problem:
        yield f"this run cannot be steered from another shell: {problem}"
        return
    door = _Door(listener, heed)
    guard = asyncio.create_task(door.open(), name="control")
    try:
        yield None
    finally:
        with suppress(OSError):
            if path.lstat().st_ino == made:
                path.unlink()
        await door.close(guard)


def _listen(path: Path) -> tuple[socket.socket, int]:
    """A socket at `path`, and its inode. Nobody else could use it for a moment: it is made in a private folder, moved.

    What a dead run left is replaced; whoever listens owns the ledger's lock, so no other run can be alive there.
    """
    with suppress(FileNotFoundError):
        why = distrust(path)
        if why is not None:
            raise UsageError(f"{path} {why}")
    path.parent.mkdir(mode=0o700, exist_ok=True)  # beside a database there is no ledger that made it
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".ctl-") as folder:
        made = Path(folder, "s")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            with reachable(made) as name:
                listener.bind(name)
            made.chmod(0o600)
            listener.listen(GUESTS_MAX)
            inode = made.lstat().st_ino
            made.rename(path)
        except OSError:
            listener.close()
            raise
    return listener, inode


class _Door:
    """Lets guests in, hears one line of each, answers, and sees them out."""

    def __init__(self, listener: socket.socket, heed: Heed) -> None:
        self._listener = listener
        self._heed = heed
        self._seats = asyncio.Semaphore(GUESTS_MAX)
        self._turn = asyncio.Lock()
        self._closed = False
        self._guests: set[asyncio.Task[None]] = set()
        self._heard: set[asyncio.Task[None]] = set()  # those of them whose answer is on its way

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._seats.acquire()
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError:  # a guest that left at once, or no file is free for one
                self._seats.release()
                await asyncio.sleep(NO_ROOM_S)
                continue
            guest = asyncio.create_task(self._serve(connection), name="control-guest")
            self._guests.add(guest)
            guest.add_done_callback(self._forget)

    def _forget(self, guest: asyncio.Task[None]) -> None:
        self._guests.discard(guest)
        self._heard.discard(guest)

    async def close(self, guard: asyncio.Task[None]) -> None:
        """Hear nobody any more. What is being done is done whole; who is still asking is sent away."""
        async with self._turn:
            self._closed = True
        for task in (guard, *(self._guests - self._heard)):
            task.cancel()
        if self._heard:
            _, late = await asyncio.wait(self._heard, timeout=LAST_WORD_S)
            for task in late:
                task.cancel()
        await asyncio.gather(guard, *self._guests, return_exceptions=True)
        self._listener.close()

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection.setblocking(False)
            uid = peer_uid(connection)
            if uid not in (None, os.geteuid()):
                return
            async with asyncio.timeout(EXCHANGE_S):
                line = await _line(loop, connection)
            if line is None:
                return
            guest = asyncio.current_task()
            assert guest is not None, "a guest has a task"
            self._heard.add(guest)
            answer = await self._answer(line, account_name(os.geteuid() if uid is None else uid))
            async with asyncio.timeout(EXCHANGE_S):
                await loop.sock_sendall(connection, json.dumps({"v": VERSION, **answer}).encode() + b"\n")
        except (OSError, TimeoutError):
            return  # a guest that went away, or does not speak
        finally:
            connection.close()
            self._seats.release()

    async def _answer(self, line: bytes, by: str) -> Mapping[str, object]:
        ask = _asked(line)
        if isinstance(ask, Misunderstood):
            return _no("control-misunderstood", ask.message, ask.next_step)
        async with self._turn:
            if self._closed:
                return _no("run-ending", "The run has just ended. Nothing was changed.", "see `rivya-batch status`")
            try:
                return {"ok": True, **await self._heed(ask, by)}
            except RunnerError as problem:
                return _no(problem.code, problem.message, problem.next_step)
            except Exception as fault:  # noqa: BLE001 - a fault in steering must not end what is being bought
                return _no("internal", f"A fault of rivya-batch itself: {type(fault).__name__}.", "report it")
            finally:
                await asyncio.sleep(GAP_S)


async def _line(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bytes | None:
    """The guest's line; None when it said nothing. One that is too long is cut, and so not understood."""
    heard = b""
    while b"\n" not in heard and len(heard) <= LINE_BYTES_MAX:
        more = await loop.sock_recv(connection, LINE_BYTES_MAX)
        if not more:
            break
        heard += more
    return heard or None


def _asked(line: bytes) -> Ask | Misunderstood:
    line, end, rest = line.partition(b"\n")
    if not end or rest or len(line) > LINE_BYTES_MAX:
        return Misunderstood(f"A request is one line of at most {LINE_BYTES_MAX} bytes.", "send one line")
    try:
        return read_ask(json.loads(line))
    except (ValueError, RecursionError):
        return Misunderstood("A request is one line of JSON.", "send JSON")


def _no(code: str, message: str, next_step: str) -> Mapping[str, object]:
    return {"ok": False, "code": code, "message": message, "next": next_step}
