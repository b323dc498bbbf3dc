"""A saved plan: what was agreed to, and what it was made from. `run plan.json` refuses when any of it moved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from jobs.plan import identities_digest
from runner.errors import StalePlan, UsageError
from runner.prepare import Prepared, prepare
from runner.selection import Choices
from runner.settings import Settings

__all__ = ["SETTING_FLAGS", "Flags", "SavedPlan", "prepare_saved", "read_saved", "saved_plan"]

PLAN_VERSION = 1

# The flags that are settings, as they were typed.
Flags = Mapping[str, str | int | None]

# All that a saved plan may set. A plan may come from a stranger, so it has no word on where requests go and which key
# goes with them.
SETTING_FLAGS = ("budget", "creates", "polls", "in_flight", "engine")


def saved_plan(prepared: Prepared, *, flags: Flags) -> dict[str, object]:
    """The plan as a JSON-able value, exact enough to be refused when anything moved. `flags` are those of settings."""
    given = {name: value for name, value in flags.items() if value is not None}
    return {
        "plan_version": PLAN_VERSION,
        "choices": asdict(prepared.choices),
        "flags": given,
        **_fingerprint(prepared),
    }


def _fingerprint(prepared: Prepared) -> dict[str, object]:
    plan = prepared.plan
    return {
        "manifest": str(prepared.path.absolute()),
        "manifest_digest": prepared.digest,
        "run": plan.run_id,
        "items": identities_digest(prepared.items),
        "credits": [plan.low, plan.likely, plan.high],
        "cap": plan.cap_credits,
        "ledger_position": plan.position,
    }


_MOVED = {
    "manifest_digest": "the manifest, or a file it names, changed",
    "run": "the run's name or edition changed",
    "items": "the items are others",
    "credits": "prices changed",
    "cap": "the budget changed",
    "ledger_position": "the ledger moved on: something was bought or ended since",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A file written by `plan -o`: what was asked for, and what it came to then."""

    path: Path
    manifest: Path
    choices: Choices
    flags: Flags
    fingerprint: Mapping[str, object]


def read_saved(plan_path: Path) -> SavedPlan:
    """A saved plan as it was written; whether it still fits is for `prepare_saved` to see. Raises StalePlan."""
    try:
        saved = dict(json.loads(plan_path.read_text(encoding="utf-8")))
        if saved["plan_version"] != PLAN_VERSION or not set(saved["flags"]) <= set(SETTING_FLAGS):
            raise ValueError  # noqa: TRY301 - the same answer as for a file that is none of ours
        choices = dict(saved["choices"])
        for name in ("select", "exclude"):
            choices[name] = tuple(choices[name])
        choices["pick_files"], choices["picks"] = tuple(choices.get("pick_files", ())), dict(choices.get("picks", {}))
        return SavedPlan(
            path=plan_path,
            manifest=Path(saved["manifest"]),
            choices=Choices(**choices),
            flags=dict(saved["flags"]),
            fingerprint=saved,
        )
    except OSError as problem:
        raise UsageError(
            f"{plan_path} cannot be read: {problem.strerror}. Nothing was sent.",
            next_step="make it with `rivya-batch plan FILE -o plan.json`",
        ) from None
    except (ValueError, KeyError, TypeError):
        raise StalePlan(f"{plan_path} is no plan of this release. Nothing was sent.") from None


def prepare_saved(saved: SavedPlan, *, settings: Settings) -> Prepared:
    """The saved plan, made again and compared. Raises StalePlan when anything moved."""
    prepared = prepare(saved.manifest, settings=settings, choices=saved.choices)
    now = _fingerprint(prepared)
    moved = [why for name, why in _MOVED.items() if saved.fingerprint.get(name) != now[name]]
    if moved:
        raise StalePlan(f"{saved.path} no longer fits: {'; '.join(moved)}. Nothing was sent.")
    return prepared
