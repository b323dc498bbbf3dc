"""One key, and a search for it through all that was written while a test ran.

The search is over both streams, every log record of every library, and every byte of every file: ledger, journals,
sidecars, exports, plans, caches.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Final

from tests.security.leak_search import spellings
from tests.security.stage import KEY, Desk, manifest

__all__ = [
    "ROOT",
    "SOUGHT",
    "everything",
    "set_out",
]

SOUGHT: Final = spellings(KEY, "Kanarienvogel")
ROOT: Final = Path(__file__).parents[2]


def everything(desk: Desk, logs: io.StringIO, *, but: tuple[str, ...] = ()) -> dict[str, bytes]:
    """All that was written while a test ran; `but` names files that the test itself wrote the key into."""
    places = {f"command {n}": f"{told.out}\0{told.err}".encode() for n, told in enumerate(desk.said)}
    places["logs"] = logs.getvalue().encode()
    for folder in (desk.folder, desk.home):
        for file in folder.rglob("*"):
            if file.is_file() and str(file.relative_to(folder)) not in but:
                places[str(file.relative_to(folder))] = file.read_bytes()
            places[f"the name of {file.name[:20]}"] = os.fsencode(file.name)
    return places


_JOB: Final = "{id: j, model: nano-banana-2, prompt: a boat, references: [shoe]}"
_TOP: Final = {"references": "{shoe: {file: shoe.png}}", "retries": "{sends: 2}"}


def set_out(desk: Desk) -> None:
    """A manifest with one item and one reference."""
    desk.write("shoe.png", (ROOT / "manifests/assets/shoe.png").read_bytes())
    desk.write("m.yaml", manifest(_JOB, top=_TOP))
