"""A file that takes its name only when it is whole has reached the disk by then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.whole_files import whole_file


def test_what_takes_the_name_is_on_the_disk_before_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, done = tmp_path / "results.csv", list[tuple[str, int]]()
    sync, replace = os.fsync, Path.replace

    def seen_sync(handle: int) -> None:
        done.append(("flushed", os.fstat(handle).st_size))
        sync(handle)

    def seen_replace(part: Path, target: Path) -> Path:
        done.append(("named", part.stat().st_size))
        return replace(part, target)

    monkeypatch.setattr(os, "fsync", seen_sync)
    monkeypatch.setattr(Path, "replace", seen_replace)
    with whole_file(file) as part:
        part.write_bytes(b"whole")

    assert done == [("flushed", 5), ("named", 5)]
    assert file.read_bytes() == b"whole"
