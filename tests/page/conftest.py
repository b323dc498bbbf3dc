"""A browser, and runs to look at: clips of the simulator, made once for all tests of the page."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

# Read before the variables of the person who runs the tests are taken away.
NAMED = os.environ.get("RIVYA_BATCH_CHROMIUM")  # noqa: TID251 - the tests' own setting
# A busy machine is slow, and right all the same.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

# The command, with a simulator whose clips are there at once: what is looked at here is what becomes of them.
HURRIED = """\
import sys
from runner import simulated
from runner.cli.entry import run_command
simulated.SIM_SPEED = 10_000.0
sys.exit(run_command(sys.argv[1:]))
"""

KNOWN = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

MANIFEST = """\
version: 1
name: reveal
budget: {credits: 2000}
limits: {creates: 50/s, polls: 50/s, in_flight: 16, first_poll: 10ms, poll_gap: 10ms}
references:
  shoe: {file: shoe.png}
jobs:
  - id: motion
    model: seedance-1-5-pro
    prompt: >-
      A sneaker on {{ vars.surface }}, {{ '{{ brackets }}' }} and {{ '{% percent %}' }}: "quoted" # no comment
    references: [shoe]
    params: {resolution: 480p, duration: 4}
    tags: ["{{ vars.surface }}"]
    matrix:
      grid:
        vars.surface: [marble, asphalt, linen]
        params.aspectRatio: [16:9, 9:16]
        params.fixed_lens: [true, false]
    report: {x: vars.surface, y: params.fixed_lens, pages: [params.aspectRatio]}
  - id: still
    model: z-image
    prompt: [a lamp, a mug]
    repeat: 2
"""


@dataclass(slots=True)
class Ran:
    """A folder in which a run was done and its page written."""

    folder: Path
    page: Path

    @property
    def address(self) -> str:
        return self.page.as_uri()


@dataclass(slots=True)
class Seen:
    """What a page did while it was open."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def clips(self) -> list[str]:
        return [address for address in self.requests if ".mp4" in address or "/media/" in address]


def _chromium() -> str | None:
    return NAMED or next((found for name in KNOWN if (found := shutil.which(name))), None)


# Only for one file: while the driver is there it holds the event loop, which other tests of this process need. A scope
# of the folder would last for the session, as test folders are no packages.
@pytest.fixture(scope="module")
def _playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="module")
def browser(_playwright: Playwright) -> Iterator[Browser]:
    program = _chromium()
    if program is None:
        pytest.skip("there is no Chromium here: install one, or name one in RIVYA_BATCH_CHROMIUM")
    # Chromium's own sandbox does not start for root, as who builds in a container is; the pages in here are ours.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    opened = _playwright.chromium.launch(executable_path=program, args=arguments)
    yield opened
    opened.close()


Look = Callable[..., tuple[Page, Seen]]


# What a page does that nobody else may see is told on its console.
LISTEN = """document.addEventListener('securitypolicyviolation', (bite) =>
  console.error(`policy: ${bite.violatedDirective} ${bite.blockedURI}`));"""


@pytest.fixture(scope="module")
def contexts(browser: Browser) -> Callable[..., BrowserContext]:
    """A window's settings, each made once: to make one takes longer than to look at a page."""
    made: dict[tuple[tuple[str, object], ...], BrowserContext] = {}

    def context(**options: object) -> BrowserContext:
        wanted = tuple(sorted(options.items()))
        if wanted not in made:
            made[wanted] = browser.new_context(accept_downloads=True, **options)  # type: ignore[arg-type]
            made[wanted].add_init_script(LISTEN)
        return made[wanted]

    return context


@pytest.fixture
def look(contexts: Callable[..., BrowserContext]) -> Iterator[Look]:
    """Open an address and listen to what the page does; a script that fails or a policy that bites fails the test."""
    pages: list[Page] = []
    seen: list[Seen] = []

    def opened(address: str, *, width: int = 1280, height: int = 800, **options: object) -> tuple[Page, Seen]:
        page = contexts(**options).new_page()
        pages.append(page)
        heard = Seen()
        seen.append(heard)
        page.set_viewport_size({"width": width, "height": height})
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: heard.requests.append(request.url))
        page.on("pageerror", lambda problem: heard.errors.append(str(problem)))
        page.on("console", lambda line: heard.errors.append(line.text) if line.text.startswith("policy:") else None)

        def dismiss(dialog: object) -> None:
            heard.dialogs.append(dialog.message)  # type: ignore[attr-defined]
            dialog.dismiss()  # type: ignore[attr-defined]

        page.on("dialog", dismiss)
        page.goto(address)
        return page, heard

    yield opened
    for page in pages:
        page.evaluate("localStorage.clear()")  # marks and theme are this test's own
        page.close()
    assert [problem for one in seen for problem in one.errors] == []
    assert [dialog for one in seen for dialog in one.dialogs] == []


def _command(*args: str, cwd: Path | None = None) -> int:
    """A command in a process of its own, as the browser's driver holds this one's event loop. Its exit code."""
    words = [sys.executable, "-c", HURRIED, *args, "--yes", "-q", "--no-progress"]
    return subprocess.run(words, cwd=cwd, stdout=subprocess.DEVNULL, check=False).returncode


@pytest.fixture
def run() -> Callable[..., int]:
    return _command


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    shutil.copy(Path(__file__).parents[2] / "manifests" / "assets" / "shoe.png", folder / "shoe.png")
    (folder / "reveal.yaml").write_text(MANIFEST, encoding="utf-8")
    for words in (("run", "reveal.yaml", "--sim"), ("report", "--sim")):
        assert _command(*words, cwd=folder) == 0
    return folder


@pytest.fixture
def ran(_made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """A run of clips and stills with its page, in a folder of the test's own."""
    folder = tmp_path / "ran"
    shutil.copytree(_made, folder)
    with closing(sqlite3.connect(folder / ".rivya" / "sim.db")) as ledger, ledger:  # it names folders in full
        for table, column in (("lives", "out_dir"), ("runs", "out_dir"), ("runs", "manifest_path")):
            ledger.execute(f"UPDATE {table} SET {column} = replace({column}, ?, ?)", (str(_made), str(folder)))
    monkeypatch.chdir(folder)
    return Ran(folder, folder / "out" / "reveal" / "report.html")
