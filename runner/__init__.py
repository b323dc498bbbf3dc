"""The async half of rivya-batch: the only place with await, time, files, network and environment.

For programs: `run_manifest` and `plan_manifest`, and the types of what they give (`runner.api`). They are looked up
when they are asked for, because whatever imports any part of this package imports this file.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.api import ManifestPlan, RunEvent, RunResult, plan_manifest, run_manifest

__all__ = ["ManifestPlan", "RunEvent", "RunResult", "plan_manifest", "run_manifest"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("runner.api"), name)
