"""S-03: a key while we break, and in a process that crashes."""

from __future__ import annotations

import io
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote

import pytest

import runner.engine
import runner.saving
from tests.security.canary import ROOT, SOUGHT, everything, set_out
from tests.security.canary_answers import b64
from tests.security.leak_search import found_in
from tests.security.stage import KEY, Desk


def _break_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: object, *_: object) -> None:
        headers = {"Authorization": f"Bearer {KEY}"}
        raise ValueError(f"cannot send {headers}") from KeyError(KEY)

    monkeypatch.setattr(runner.engine.Engine, "_create", broken)


def _break_saver(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError(f"Bearer {KEY}")

    monkeypatch.setattr(runner.saving, "download", broken)


def _break_wire(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError(f"{b64(KEY)} {quote(KEY)} {KEY}")

    monkeypatch.setattr("runner.service.task_from", broken)


def _break_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError(f"disk I/O error {KEY}")

    monkeypatch.setattr("runner.ledger.sqlite.SqliteLedger.record", broken, raising=True)


def _interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise KeyboardInterrupt(KEY)

    monkeypatch.setattr("runner.service.Service.credits", broken)


FAULTS: Final = {
    "in the engine": (_break_engine, 1),
    "while saving": (_break_saver, 1),
    "while reading an answer": (_break_wire, 1),
    "in the ledger": (_break_ledger, 1),
    "an interruption": (_interrupt, 130),
}


@pytest.mark.parametrize("flags", [(), ("-vv",), ("-vv", "--json")], ids=str)
@pytest.mark.parametrize("name", FAULTS)
def test_the_key_is_nowhere_when_we_break(
    name: str, flags: tuple[str, ...], desk: Desk, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_it, code = FAULTS[name]
    set_out(desk)
    break_it(monkeypatch)
    told = desk.run("run", "m.yaml", "--yes", *flags)

    assert told.code == code, told.err
    assert ("Traceback" in told.err) is (bool(flags) and code == 1)
    assert found_in(everything(desk, logs), SOUGHT) == []


# --- a process of its own ---------------------------------------------------------------------------------------------


@pytest.fixture
def _cores_are_kept() -> Iterator[None]:
    """As on machines that keep what crashed, as far as the hard limit lets us."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.usefixtures("_cores_are_kept")
def test_the_process_shows_its_key_to_nobody(desk: Desk) -> None:
    """As others on the machine see it: its command line, its children, what it leaves behind when it is killed."""
    desk.stage.play(faults=[{"match": {"endpoint": "create"}, "do": {"delay_s": 20}}])
    set_out(desk)
    environment = {
        **{name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")},  # noqa: TID251 - its home
        "PYTHONPATH": str(ROOT),
        "PYTHONASYNCIODEBUG": "1",
        "RIVYA_API_KEY": KEY,
        "RIVYA_BASE_URL": desk.stage.origin,
    }
    line = [sys.executable, "-X", "dev", "-W", "default", "-m", "runner", "run", "m.yaml", "--yes", "-vv"]
    with subprocess.Popen(
        line,
        cwd=desk.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as life:
        wait_until_s = time.monotonic() + 40
        while not desk.stage.creates() and time.monotonic() < wait_until_s:
            time.sleep(0.02)
        process = Path(f"/proc/{life.pid}")
        seen = {f"{name} of the process": (process / name).read_bytes() for name in ("cmdline", "comm", "status")}
        children = [child.read_text() for child in process.glob("task/*/children")]
        limits = (process / "limits").read_text()
        life.send_signal(signal.SIGABRT)  # a crash, as an assertion in a library ends a process
        out, err = life.communicate(timeout=30)
    seen |= {"stdout": out, "stderr": err}
    seen |= {str(file): file.read_bytes() for file in desk.folder.rglob("*") if file.is_file()}

    assert desk.stage.creates(), "it never came to a create"
    assert [child for child in children if child.strip()] == [], "it has children, who inherit its environment"
    core = next(one for one in limits.splitlines() if one.startswith("Max core file size"))
    assert core.split()[4] == "0", "a core dump would hold the key"
    assert found_in(seen, SOUGHT) == []
