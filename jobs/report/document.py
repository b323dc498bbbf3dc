"""The page as one text: markup, style, script and data in one file that asks nobody for anything.

What may run is named by its hash, so that nothing that comes in with a prompt or an error can. Data stands in a block
of its own that no browser runs, and is written so that nothing in it can end the block.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from jobs.escape import for_html, for_script

__all__ = ["Parts", "document", "policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The texts a page is made of; `markup` has a place for each of the others."""

    markup: str
    style: str
    script: str


def document(parts: Parts, model: Mapping[str, object], *, live: bool = False) -> str:
    """The page. `live` lets it listen to the server that it came from."""
    run = model["run"]
    assert isinstance(run, Mapping), "the model of a page says whose it is"
    filled = {
        "POLICY": for_html(policy(parts, live=live)),
        "TITLE": for_html(str(run["id"])),
        "STYLE": parts.style,
        "SCRIPT": parts.script,
        "DATA": for_script(model),
    }
    pieces = parts.markup.split("%%")
    return "".join(filled[piece] if number % 2 else piece for number, piece in enumerate(pieces))


def policy(parts: Parts, *, live: bool) -> str:
    """The content security policy: our script, our style, media from where the page is; nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(parts.script)}'",
            f"style-src '{_hash(parts.style)}'",
            "img-src 'self' data: file:",
            "media-src 'self' data: file:",
            "connect-src 'self'" if live else "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
