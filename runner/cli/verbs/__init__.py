"""One file per verb; `runner.cli.lazy` imports the one that is called."""

from __future__ import annotations

__all__: list[str] = []
