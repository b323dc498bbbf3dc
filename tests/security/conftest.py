"""One service for all security tests, and a fresh desk for each."""

from __future__ import annotations

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
