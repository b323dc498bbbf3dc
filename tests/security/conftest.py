"""One service for all security tests, and a fresh desk for each."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.stage import Desk, Stage, on_stage


@pytest.fixture(scope="session")
def _service() -> Iterator[Stage]:
    with on_stage() as stage:
        yield stage


@pytest.fixture
def stage(_service: Stage) -> Stage:
    """The service, with nothing remembered and nothing twisted."""
    _service.play()
    return _service


@pytest.fixture
def desk(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], no_waiting: None
) -> Desk:
    """A folder of its own for the real command."""
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "outside").mkdir()
    return Desk(folder, Path(os.environ["HOME"]), stage, monkeypatch, capfd)  # noqa: TID251 - the test's own home


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that anybody logs, down to the last detail."""
    written, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(written), root.level
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)r %(exc_text)s"))
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
