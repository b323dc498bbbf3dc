"""Saving a result: download, verify, name, a sidecar beside it. For a link that died the service gives a fresh one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from jobs.core import Core
from jobs.item import Item
from jobs.steps import Download
from runner.blobs import Blobs
from runner.clock import Clock
from runner.downloads import Saved, download
from runner.engine import Sender
from runner.errors import AddressRefused, FetchError, LinkDead
from runner.exchange import Fetcher
from runner.sidecar import Sidecar, write_sidecar

__all__ = ["ResultSaver"]

# Dead links in a row, each replaced by asking the task again, before a result counts as gone.
FRESH_LINKS_MAX = 3


class ResultSaver:
    """The engine's `Saver` over a fetcher and a folder."""

    def __init__(
        self, core: Core, *, fetcher: Fetcher, blobs: Blobs, sender: Sender, clock: Clock, run_id: str, sidecars: bool
    ) -> None:
        self._core = core
        self._fetcher = fetcher
        self._blobs = blobs
        self._sender = sender
        self._clock = clock
        self._run_id = run_id
        self._sidecars = sidecars

    async def __call__(self, item: Item, wanted: Download) -> Mapping[str, object] | None:
        """The data of the `saved` event; None when another life should try again.

        Raises DiskFull and OutputUnusable.
        """
        stem = item.output_stem if wanted.n == 1 else f"{item.output_stem}-{wanted.n}"
        url: str | None = wanted.url
        for _ in range(FRESH_LINKS_MAX):
            if url is None:
                break
            try:
                saved = await download(self._fetcher, self._blobs, url=url, stem=stem)
                if self._sidecars:
                    await write_sidecar(self._blobs, self._sidecar(item, wanted, saved))
            except LinkDead:
                url = await self._fresh(wanted)
                if url == "":
                    return None
                continue
            except AddressRefused as error:
                return {"state": "gone", "reason": error.message}
            except FetchError:
                return None
            return {
                "url": url,
                "state": saved.state,
                "file": saved.file,
                "sha256": saved.sha256,
                "bytes": saved.bytes,
                "type": saved.mime,
                "reason": saved.reason,
            }
        return {"state": "gone", "reason": "the address has died and the service gives no fresh one"}

    async def _fresh(self, wanted: Download) -> str | None:
        """Today's link of the same result; None when the task has none, empty when the service did not answer."""
        end = await self._sender.status(wanted.task_id)
        if end.task is None:
            return None if end.status == 404 else ""
        return end.task.urls[wanted.n - 1] if len(end.task.urls) >= wanted.n else None

    def _sidecar(self, item: Item, wanted: Download, saved: Saved) -> Sidecar:
        attempt = self._core.state.attempt(item.identity)
        finished_at_s = attempt.finished_at_s or self._clock.now().wall_s
        return Sidecar(
            item=item.key,
            identity=item.identity,
            run=self._run_id,
            model=item.model,
            prompt=item.prompt,
            params=item.params,
            axes=item.axes,
            tags=item.tags,
            task_id=wanted.task_id,
            credits=attempt.settled,
            file=saved.file,
            sha256=saved.sha256,
            bytes=saved.bytes,
            type=saved.mime,
            state=saved.state,
            finished_at=datetime.fromtimestamp(finished_at_s, UTC).isoformat(timespec="milliseconds"),
        )
