"""The page of a run that may be at work: what it is now, and what has changed since somebody was told."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jobs.catalogue import Catalogue
from jobs.report.facts import ReportFile, Source
from jobs.report.page_model import page_model
from jobs.steps import Notice
from runner.page_data import ResultFile, page_data, position, source_of
from runner.report.page_file import is_shown, told_file
from runner.report.posters import can_draw
from runner.settings import Settings

__all__ = ["LivePage", "Moment", "media_of", "news"]

# What the page holds for all items together: small, and sent whole.
_WHOLE: Final = (
    "caps",
    "credits",
    "failures",
    "jobs",
    "lacking",
    "models",
    "money",
    "notes",
    "params",
    "prompts",
    "references",
    "run",
    "times",
)

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The page at one position of the ledger, and the files it names, by item and number."""

    position: tuple[int, int, str]
    made_at_s: float
    is_alive: bool
    model: JsonObject
    files: Mapping[tuple[str, int], ResultFile]


class LivePage:
    """Reads a run again and again. Plain calls, for a thread: a reader waits for the disk."""

    def __init__(self, run_id: str, settings: Settings, catalogue: Catalogue, tell: Callable[[Notice], str]) -> None:
        self.run_id = run_id
        self._store = settings.store
        self._catalogue = catalogue
        self._tell = tell
        self._source: Source | None = None

    def position(self) -> tuple[int, int, str]:
        """Where the ledger stands; the page has changed when this has."""
        return position(self._store, self.run_id)

    def moment(self) -> Moment:
        """The page now."""
        at = self.position()  # before the rest is read: what comes in between is seen again
        data = page_data(self._store, self.run_id, now_s=time.time(), tell=self._tell)
        if self._source is None:
            self._source = source_of(data.summary)
        model = page_model(
            data.run,
            data.with_files(_served),
            data.events,
            catalogue=self._catalogue,
            source=self._source,
            live=True,
        )
        return Moment(
            position=at,
            made_at_s=data.run.made_at_s,
            is_alive=data.run.state == "alive",
            model=model,
            files={(file.identity, file.n): file for file in data.files},
        )


def news(before: Moment, now: Moment) -> JsonObject:
    """What somebody who knows `before` has to be told: changed items whole, and what is of all items together."""
    was, items = _items(before), _items(now)
    told: JsonObject = {
        "items": [item for identity, item in items.items() if was.get(identity) != item],
        "page": {name: now.model[name] for name in _WHOLE if now.model[name] != before.model[name]},
    }
    if list(was) != list(items):
        told["order"] = list(items)
    return told


def media_of(moment: Moment, identity: str, n: int) -> Path | None:
    """The file of a result, if the ledger names it, it lies in the run's folder, and browsers show its kind."""
    file = moment.files.get((identity, n))
    return file.path if file is not None and file.is_there and is_shown(file) else None


def _items(moment: Moment) -> dict[str, JsonObject]:
    items = moment.model["items"]
    assert isinstance(items, list), "a page has items"
    return {item["id"]: item for item in items}


def _served(file: ResultFile) -> ReportFile:
    """By item and number: no name of a file is part of an address."""
    src = f"./media/{file.identity}/{file.n}" if file.is_there else None
    kind = (file.artifact.type or "").partition("/")[0]
    has_poster = src is not None and can_draw() and kind in ("video", "image")
    return told_file(file, src=src, poster=f"./poster/{file.identity}/{file.n}" if has_poster else None)
