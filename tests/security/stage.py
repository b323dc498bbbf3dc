"""What the security tests stand on: a service that says whatever a test wants, the real command, and a watch on it.

The command runs in this process, over a real socket on loopback. The watch hears of every file it opens to write, every
folder it makes, every process it starts and every address it connects to, through Python's audit events; a test that
holds a harmless payload in its hands and one that holds a harmful one end with the same question: was there anything?
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest

from jobs import catalogue, retry
from runner.cli import loop
from runner.cli.entry import run_command
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.exchange import Fact, SimRequest, SimResponse
from runner.sim.faults import parse_faults
from runner.sim.profile import ApiKey, Profile
from runner.sim.server import SimServer, serve

__all__ = ["KEY", "Desk", "Stage", "Told", "Twist", "Watch", "manifest", "on_stage"]

# Letters that occur nowhere else, and signs that addresses, JSON, HTML and base64 all spell differently.
KEY: Final = "rvya_sk_Kanarienvogel+/7Q&9=x"

Twist = Callable[[SimRequest, SimResponse], SimResponse]

# Thousands of commands read the same two or three lists of models: the same text is parsed once.
_read_models = lru_cache(maxsize=8)(catalogue.parse_packaged)

_SPEED: Final = 100_000.0  # a task of a minute is done before it is asked for


@dataclass(frozen=True, slots=True)
class Told:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


# --- the watch ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Watch:
    """What happened outside of memory while a command ran."""

    written: list[str] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)

    def strays(self, *allowed: Path) -> list[str]:
        """Everything written outside the folders, whatever it is."""
        roots = [os.path.realpath(folder) for folder in allowed]
        return [
            path
            for path in self.written
            if not any(path == root or path.startswith(root + "/") for root in roots)
            and not path.startswith(("/dev/", "/proc/self/"))
            and "__pycache__" not in path
        ]


_watch: Watch | None = None

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATH_EVENTS: Final = frozenset({"os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate", "os.chown"})
_TWO_PATH_EVENTS: Final = frozenset({"os.rename", "os.link", "os.symlink", "shutil.move", "shutil.copyfile"})
_STARTS: Final = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn"})


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _watch is None:
        return
    if event == "open":
        if isinstance(arguments[2], int) and arguments[2] & _WRITES:
            _note(arguments[0])
    elif event in _PATH_EVENTS:
        _note(arguments[0])
    elif event in _TWO_PATH_EVENTS:
        _note(arguments[0])
        _note(arguments[1])
    elif event in _STARTS or event == "sqlite3.load_extension":
        _watch.started.append(f"{event} {arguments!r}")
    elif event == "sqlite3.connect":
        _note(str(arguments[0]).removeprefix("file:").partition("?")[0])
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        _watch.reached.append(str(arguments[1][0]))
    elif event == "socket.getaddrinfo" and arguments[0] is not None:
        _watch.reached.append(str(arguments[0]))


def _note(path: object) -> None:
    """A bare name is relative to a folder that is held open, and cannot lead out of it; everything else is a place."""
    assert _watch is not None
    if isinstance(path, int):
        return
    text = os.fsdecode(path) if isinstance(path, bytes | os.PathLike) else str(path)
    if "/" in text or text in {".", ".."}:
        place = Path(text).absolute()
        _watch.written.append(f"{os.path.realpath(place.parent)}/{place.name}")


sys.addaudithook(_listen)


@contextmanager
def watching() -> Iterator[Watch]:
    """Listen for as long as the block lasts."""
    global _watch  # noqa: PLW0603 - audit hooks cannot be taken off, so one hook looks here
    _watch = watch = Watch()
    try:
        yield watch
    finally:
        _watch = None


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


# --- the service ----------------------------------------------------------------------------------------------------


class Stage:
    """A service on a loopback port. It is the simulator, unless a twist has the last word on an answer."""

    def __init__(self) -> None:
        self.requests: list[SimRequest] = []
        self.origin = ""
        self.speed = _SPEED
        self._twist: Twist | None = None
        self._simulator = Simulator(Profile(), packaged_catalogue())

    def play(self, *, twist: Twist | None = None, faults: object = None, **profile: Any) -> None:
        """Begin anew: an account without tasks, and what is to be different about it."""
        keys = profile.pop("keys", (ApiKey(secret=KEY),))
        settled = Profile(keys=keys, windows=(), **profile)
        simulator = Simulator(settled, packaged_catalogue(), faults=parse_faults(faults))
        simulator.origin, simulator.speed = self.origin, self.speed
        self._simulator, self._twist = simulator, twist
        self.requests.clear()

    def restore(self, facts: Sequence[Fact]) -> None:
        assert not facts, "this service begins with no memory"

    def handle(self, request: SimRequest, now_s: float) -> SimResponse:
        """The simulator's door calls this for every request."""
        self.requests.append(request)
        answer = self._simulator.handle(request, now_s)
        return answer if self._twist is None else self._twist(request, answer)

    def creates(self) -> list[SimRequest]:
        return [request for request in self.requests if request.path == "/api/v1/generations"]


@contextmanager
def on_stage() -> Iterator[Stage]:
    """A stage with its own thread and loop, for as long as the block lasts."""
    stage, ready, stop = Stage(), threading.Event(), threading.Event()

    async def perform() -> None:
        served: SimServer
        async with serve(stage, speed=_SPEED, fidelity="fast") as served:  # type: ignore[arg-type]
            stage.origin = served.base_url
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(perform()), daemon=True)
    thread.start()
    assert ready.wait(60)
    stage.play()
    try:
        yield stage
    finally:
        stop.set()
        thread.join(10)


# --- the command ----------------------------------------------------------------------------------------------------


class Desk:
    """A folder where the real command is run, with a key and a service that a test chooses."""

    def __init__(
        self, folder: Path, home: Path, stage: Stage, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.folder = folder
        self.stage = stage
        self.home = home
        self.said: list[Told] = []
        self._capfd = capfd
        self._beside = _tree(folder.parent, below=folder)
        monkeypatch.chdir(folder)
        monkeypatch.setenv("RIVYA_API_KEY", KEY)
        monkeypatch.setenv("RIVYA_BASE_URL", stage.origin)
        # Doubt is waited for as the product does, in thousandths of its time.
        monkeypatch.setattr(retry, "BACKOFF_FIRST_S", 0.01)
        monkeypatch.setattr(retry, "BACKOFF_CAP_S", 0.02)
        monkeypatch.setattr("runner.models_cache.parse_packaged", _read_models)
        # uvloop connects without Python's knowledge, and so without an audit event.
        monkeypatch.setattr(loop, "new_event_loop", asyncio.new_event_loop)

    def write(self, name: str, content: str | bytes) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        return file

    def run(self, *args: str) -> Told:
        """One command line. Whatever it was, it wrote, started and reached nothing that is not its own."""
        self._capfd.readouterr()
        with watching() as watch:
            code = run_command(args)
        streams = self._capfd.readouterr()
        told = Told(code, streams.out, streams.err)
        self.said.append(told)
        assert watch.strays(self.folder, self.home) == [], "written outside its folders"
        assert _tree(self.folder.parent, below=self.folder) == self._beside, "something appeared beside its folder"
        assert watch.started == [], "a process was started"
        assert [host for host in watch.reached if not _is_here(host)] == [], "a foreign host was asked"
        return told

    def files(self) -> list[Path]:
        """Every file that is there now, the hidden ones too."""
        return sorted(path for path in self.folder.rglob("*") if path.is_file() or path.is_symlink())


def _tree(folder: Path, *, below: Path) -> list[str]:
    """Everything in a folder but what is below another."""
    return sorted(str(path) for path in folder.rglob("*") if below not in path.parents)


_FAST: Final = "limits: {creates: 500/s, polls: 500/s, in_flight: 64, first_poll: 10ms, poll_gap: 10ms}"


def manifest(*jobs: str, name: str = "m", top: Mapping[str, str] | None = None) -> str:
    """A manifest that runs as fast as it can; `jobs` are flow or block mappings, `top` more keys at the top."""
    head = {"version": "1", "name": name, "budget": "{credits: 100000}", **(top or {})}
    lines = [*(f"{key}: {value}" for key, value in head.items()), _FAST, "jobs:"]
    wanted = jobs or ("{id: j, model: z-image, prompt: a boat}",)
    lines += ["  - " + job.strip().replace("\n", "\n    ") for job in wanted]
    return "\n".join(lines) + "\n"


def answered(answer: SimResponse, status: int, body: bytes, **headers: str) -> SimResponse:
    """Another answer in the place of the simulator's own."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replace(answer, status=status, body=body, media=None, headers={**answer.headers, **named})
