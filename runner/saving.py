"""Saving a result: download, verify, name, a sidecar beside it. For a link that died the service gives a fresh one."""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from jobs.core import Core
from jobs.item import Item
from jobs.retry import backoff_s
from jobs.steps import Download
from runner.blobs import Blobs
from runner.clock import Clock, stamp
from runner.downloads import Saved, download
from runner.engine import Look
from runner.errors import AddressRefused, FetchError, LinkDead
from runner.exchange import Fetcher
from runner.sidecar import Sidecar, write_sidecar

__all__ = ["ResultSaver"]

# How often a dead link is replaced by asking for the task again before the result counts as gone.
FRESH_LINKS_MAX = 3

# Looks at a task for one fresh link, a few seconds in all: enough for a hiccup, short beside the other results waiting.
LOOKS_MAX = 4


class ResultSaver:
    """The engine's `Saver` over a fetcher and a folder."""

    def __init__(
        self, core: Core, *, fetcher: Fetcher, blobs: Blobs, clock: Clock, run_id: str, sidecars: bool
    ) -> None:
        self._core = core
        self._fetcher = fetcher
        self._blobs = blobs
        self._clock = clock
        self._run_id = run_id
        self._sidecars = sidecars

    async def __call__(self, item: Item, wanted: Download, look: Look) -> Mapping[str, object]:
        """The data of the `saved` event. Raises FetchError when another life should try again, and what `Blobs` do."""
        url = wanted.url
        for asked in range(1 + FRESH_LINKS_MAX):
            try:
                if asked:
                    url = await self._fresh(wanted, look)
                saved = await self._save(item, wanted, url)
            except LinkDead:
                continue
            except (_NoLink, AddressRefused) as error:
                return {"state": "gone", "reason": error.message}
            return {
                "url": url,
                "state": saved.state,
                "file": saved.file,
                "sha256": saved.sha256,
                "bytes": saved.bytes,
                "type": saved.mime,
                "reason": saved.reason,
            }
        return {"state": "gone", "reason": f"the address died, and so did {FRESH_LINKS_MAX} fresh ones"}

    async def _save(self, item: Item, wanted: Download, url: str) -> Saved:
        # `~` is in no planned name, so a second result can never take the place of another item's first.
        stem = item.output_stem if wanted.n == 1 else f"{item.output_stem}~{wanted.n}"
        saved = await download(self._fetcher, self._blobs, url=url, stem=stem)
        if self._sidecars:
            await write_sidecar(self._blobs, self._sidecar(item, wanted, saved))
        return saved

    async def _fresh(self, wanted: Download, look: Look) -> str:
        """Today's address of the same result. Raises _NoLink, or FetchError when the service tells nothing for now.

        A task that succeeded may for a moment be shown at work again: that is no reason to give up what was paid for.
        """
        reason = ""
        for tries in range(1, LOOKS_MAX + 1):
            end = await look(wanted.task_id)
            if end.status == 404 or (end.task is not None and end.task.status == "succeeded"):
                urls = end.task.urls if end.task else ()
                if len(urls) < wanted.n:
                    raise _NoLink("the address has died and the service gives no fresh one")
                return urls[wanted.n - 1]
            reason = end.reason or "the task seems to run again"
            await anyio.sleep(backoff_s(tries, self._core.state.settings.spread()))
        raise FetchError(f"no fresh address in {LOOKS_MAX} tries, last: {reason}")

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
            finished_at=stamp(finished_at_s),
        )


class _NoLink(FetchError):  # noqa: N818  # the name says what happened
    """The task is known and has no such result any more, or is not known any more."""
