"""The command `rivya-batch`: arguments in, one library call, text out, an exit code."""

from __future__ import annotations

from runner.cli.entry import main

__all__ = ["main"]
