"""`rivya-batch doctor`: looks at this machine and at the settings; sends nothing."""

from __future__ import annotations

import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import click

from jobs.escape import for_terminal
from runner.cli.columns import columns
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.voice import Voice
from runner.errors import RunnerError
from runner.ledger.opening import open_reader
from runner.ledger.store import Database, local_place
from runner.settings import Settings
from runner.version import VERSION

__all__ = ["command"]

# Below this a ledger or a clip may not fit, and a full disk stops a run.
FREE_BYTES_LOW = 1024 * 1024 * 1024

_PACKAGES = ("aiohttp", "anyio", "click", "jinja2", "orjson", "pydantic", "pyyaml", "rich", "stamina", "uvloop")
_MEDIA = ("pillow", "av")

Verdict = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing looked at; `fail` means that a run cannot work here."""

    name: str
    verdict: Verdict
    text: str


@verb("doctor", example="rivya-batch doctor", more="Sends nothing; `rivya-batch credits` tries the key.")
@click.pass_obj
def command(voice: Voice) -> int:
    settings = settings_for(voice)
    checks, values = list(_checks(settings)), list(_values(settings))
    if voice.json:
        voice.object(
            {
                "version": VERSION,
                "checks": [{"name": c.name, "verdict": c.verdict, "text": c.text} for c in checks],
                "settings": {name: {"value": value, "origin": origin} for name, value, origin in values},
            }
        )
    else:
        voice.data(f"rivya-batch {VERSION}\n\n")
        voice.data(columns(("check", "", ""), [(c.name, c.verdict, for_terminal(c.text)) for c in checks], indent=2))
        voice.data("\n")
        rows = [tuple(map(for_terminal, row)) for row in values]
        voice.data(columns(("setting", "value", "from"), rows, indent=2))
    return 2 if any(check.verdict == "fail" for check in checks) else 0


def _checks(settings: Settings) -> Iterator[Check]:
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield Check(name="python", verdict="ok", text=f"{platform.python_version()} at {sys.executable}; {system}")
    yield _packages("packages", _PACKAGES, needed=True)
    yield _packages("media", _MEDIA, needed=False)
    yield _key(settings)
    if settings.notify_problem:
        yield Check(name="notify", verdict="warn", text=f"{settings.notify_problem} Nobody will be told of a run")
    yield _store(settings.store) if isinstance(settings.store, Path) else _database(settings.store)
    yield _space(local_place(settings.store))


def _packages(name: str, packages: tuple[str, ...], *, needed: bool) -> Check:
    found, missing = [], []
    for package in packages:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    if not missing:
        return Check(name=name, verdict="ok", text=", ".join(found))
    if missing == ["uvloop"]:
        return Check(name=name, verdict="ok", text=", ".join(found) + "; without uvloop, a little slower")
    if needed:
        return Check(name=name, verdict="fail", text=f"missing: {', '.join(missing)}; install rivya-batch again")
    return Check(
        name=name, verdict="warn", text="missing: the simulator serves plainer media without rivya-batch[media]"
    )


def _key(settings: Settings) -> Check:
    origin = settings.origins["key"]
    if settings.key is not None:
        return Check(name="key", verdict="ok", text=f"from {origin}; try it with `rivya-batch credits`")
    if settings.key_problem is not None:
        return Check(
            name="key", verdict="fail", text=f"{settings.key_problem.message} {settings.key_problem.next_step}"
        )
    return Check(name="key", verdict="warn", text="none; only --sim works. Set RIVYA_API_KEY")


def _store(store: Path) -> Check:
    if not store.exists():
        parent = next(place for place in (*store.absolute().parents,) if place.exists())
        if os.access(parent, os.W_OK):
            return Check(name="ledger", verdict="ok", text=f"{store} will be made by the first run")
        return Check(name="ledger", verdict="fail", text=f"{parent} is not writable; name another place with --store")
    mode = stat.S_IMODE(store.stat().st_mode)
    if not os.access(store, os.R_OK | os.W_OK):
        return Check(name="ledger", verdict="fail", text=f"{store} cannot be read and written by you")
    if mode & 0o077:
        return Check(name="ledger", verdict="warn", text=f"{store} is open to others: chmod 600 {store}")
    return Check(name="ledger", verdict="ok", text=f"{store}, {store.stat().st_size:,} bytes")


def _database(store: Database) -> Check:
    try:
        reader = open_reader(store)
    except RunnerError as problem:
        return Check(name="ledger", verdict="fail", text=f"{problem.message}; {problem.next_step}")
    if reader is None:
        return Check(name="ledger", verdict="ok", text=f"{store}, where the first run will make it")
    with reader:
        return Check(name="ledger", verdict="ok", text=f"{store}, {reader.position():,} events")


def _space(store: Path) -> Check:
    place = next(place for place in (*store.absolute().parents,) if place.exists())
    free_bytes = shutil.disk_usage(place).free
    text = f"{free_bytes / 1e9:.1f} GB free where the ledger is"
    return Check(name="disk", verdict="ok" if free_bytes >= FREE_BYTES_LOW else "warn", text=text)


def _values(settings: Settings) -> Iterator[tuple[str, str, str]]:
    yield "base_url", settings.base_url, settings.origins["base_url"]
    yield "store", str(settings.store), settings.origins["store"]
    yield "account", settings.account, settings.origins["account"]
    yield "key", "********" if settings.key is not None else "none", settings.origins["key"]
    for name in ("budget", "creates", "polls", "uploads", "downloads", "in_flight"):
        value = getattr(settings.caps, name)
        yield name, "no limit of yours" if value is None else str(value), settings.origins[name]
