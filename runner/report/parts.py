"""The page's own texts, as they lie in this package: markup, style, and the script in its order."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from jobs.report.document import Parts

__all__ = ["page_parts"]

# Each is one subject; together they are one script, and a later one may use what an earlier one names.
SCRIPTS: Final = (
    "dom",
    "words",
    "model",
    "marks",
    "media",
    "cell",
    "matrix",
    "sheet",
    "viewer",
    "follow",
    "axes",
    "charts",
    "trouble",
    "keys",
    "live",
    "main",
)


@cache
def page_parts() -> Parts:
    """The parts of every page."""
    folder = resources.files("runner.report") / "page"
    script = "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return Parts(
        markup=(folder / "page.html").read_text(encoding="utf-8"),
        style=(folder / "page.css").read_text(encoding="utf-8"),
        script=script,
    )
