"""A reference is uploaded as it was planned, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.sources import REFERENCE_BYTES_MAX
from runner.uploads import read_reference

SHA = hashlib.sha256(b"shoe").hexdigest()


async def test_the_planned_bytes_come_back(tmp_path: Path) -> None:
    (tmp_path / "shoe.png").write_bytes(b"shoe")

    assert await read_reference(str(tmp_path / "shoe.png"), sha256=SHA) == b"shoe"


def _too_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(REFERENCE_BYTES_MAX + 1)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "cannot be read"),
        (Path.mkdir, "directory"),
        (os.mkfifo, "is no regular file"),
        (lambda path: path.symlink_to(path), "cannot be read"),
        (lambda path: path.write_bytes(b"boot"), "is not the file it was"),
        (lambda path: path.write_bytes(b""), "is not the file it was"),
        (lambda path: path.symlink_to("/dev/zero"), "is no regular file"),
        (_too_large, "has more than"),
    ],
    ids=["gone", "folder", "fifo", "loop", "changed", "emptied", "device", "huge"],
)
async def test_anything_else_is_refused_with_the_way_on(
    tmp_path: Path, make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "shoe.png")

    with pytest.raises(UsageError, match=why) as caught:
        await read_reference(str(tmp_path / "shoe.png"), sha256=SHA)

    assert caught.value.code == "reference-changed"
