"""What a download must leave free on the disk, so that the ledger can still write down what was paid for."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from runner.errors import DiskFull
from runner.spool import FREE_BYTES_MIN, Spool

SIZE_BYTES = 10_000


@pytest.mark.parametrize(("free_bytes", "fits"), [(SIZE_BYTES + FREE_BYTES_MIN, True), (SIZE_BYTES, False)])
async def test_a_download_that_would_take_the_ledgers_room_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_bytes: int, fits: bool
) -> None:
    monkeypatch.setattr(os, "fstatvfs", lambda _: SimpleNamespace(f_bavail=free_bytes, f_frsize=1))
    with (tmp_path / "part").open("wb") as file:
        spool = Spool(file.fileno(), name="clip.mp4")
        if fits:
            await spool.begin(start=0, total_bytes=SIZE_BYTES, etag=None)
        else:
            with pytest.raises(DiskFull, match="clip"):
                await spool.begin(start=0, total_bytes=SIZE_BYTES, etag=None)
