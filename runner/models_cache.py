"""The catalogue this machine knows: fetched lately, or else the one that came with the release.

`check` and `plan` read it without any network. Whoever is online hands the service's answer to `store_catalogue`. One
file per service, because a simulator's models are not the service's.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import platformdirs

from jobs.catalogue import Catalogue, CatalogueError, parse_packaged, to_json
from jobs.live_models import parse_live
from runner.clock import stamp

__all__ = ["cache_file", "load_catalogue", "packaged_catalogue", "store_catalogue"]

# Prices and models change within months, and every online run refreshes; a week bridges holidays.
CACHE_AGE_S_MAX: Final = 7 * 24 * 3600.0

# The packaged file has 100 KB. Whatever is larger is not ours.
CACHE_BYTES_MAX: Final = 16 * 1024 * 1024


def cache_file(service: str) -> Path:
    """Where the catalogue of the service at this base URL is kept."""
    tag = hashlib.sha256(service.encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("rivya-batch") / f"models-{tag}.json"


@cache
def packaged_catalogue() -> Catalogue:
    """The catalogue of the release, read once: it cannot be changed, neither in the package nor in memory."""
    return parse_packaged((resources.files("jobs") / "data" / "models.json").read_text(encoding="utf-8"))


def load_catalogue(service: str, *, now_epoch_s: float) -> Catalogue:
    """The cached catalogue of a service if it is young and readable, else the packaged one. Never fails."""
    file = cache_file(service)
    try:
        if file.stat().st_size > CACHE_BYTES_MAX:
            return packaged_catalogue()
        cached = parse_packaged(file.read_text(encoding="utf-8"))
        age_s = now_epoch_s - datetime.fromisoformat(cached.fetched_at or "").timestamp()
    except (OSError, ValueError, CatalogueError):
        return packaged_catalogue()
    return cached if 0 <= age_s <= CACHE_AGE_S_MAX else packaged_catalogue()


def store_catalogue(service: str, payload: object, *, now_epoch_s: float) -> Catalogue:
    """The live catalogue out of the answer of GET /models, kept for later. Raises CatalogueError when it is none.

    A cache that cannot be written is no reason to stop: it only saves a request.
    """
    catalogue = parse_live(payload, packaged_catalogue(), stamp(now_epoch_s))
    with suppress(OSError):
        _replace(cache_file(service), to_json(catalogue))
    return catalogue


def _replace(file: Path, text: str) -> None:
    """Whole or not at all, also when two commands do it at once."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".models-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as part:
            part.write(text)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink()
        raise
