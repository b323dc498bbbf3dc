"""The note beside each result."""

from __future__ import annotations

import json

from runner.blobs_memory import MemoryBlobs
from runner.sidecar import Sidecar, write_sidecar


async def test_it_lies_beside_its_file_and_reads_as_json() -> None:
    blobs = MemoryBlobs()
    sidecar = Sidecar(
        item="reveal/params.duration=8",
        identity="i1:abc",
        run="r1",
        model="seedance-1-5-pro",
        prompt="schön \x1b[31m\u202e",
        params={"duration": "8"},
        axes={"params.duration": "8"},
        tags=("a",),
        task_id="task_1",
        credits=28,
        file="reveal/8.mp4",
        sha256="0" * 64,
        bytes=3,
        type="video/mp4",
        state="verified",
    )

    path = await write_sidecar(blobs, sidecar)

    assert path == "reveal/8.mp4.json"
    text = blobs.files[path].decode()
    read = json.loads(text)
    assert (read["item"], read["credits"], read["params"], read["tags"]) == (sidecar.item, 28, {"duration": "8"}, ["a"])
    assert read["prompt"] == sidecar.prompt
    assert "schön" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
