"""One result from its address to a file that can be trusted: fetched, judged by its content, named, kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import stamina

from runner.blobs import Blobs, Writer
from runner.containers import Media, media_of
from runner.errors import FetchError
from runner.exchange import Fetched, Fetcher, Resume

__all__ = ["Saved", "download"]

# Tries of one address in all. A cut body goes on where it ended, if the host lets it.
TRIES: Final = 5
FIRST_WAIT_S: Final = 0.5
WAIT_MAX_S: Final = 30.0

# A longer Retry-After goes to the caller: meanwhile there are other results to fetch.
RETRY_AFTER_MAX_S: Final = 120.0

# Opens with nothing by a double click, which is the point.
INERT_SUFFIX: Final = ".quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A file on disk. `file` is relative to the output folder.

    verified: of a known type and whole, by its length or its own structure. unverified: of a known type, but neither
    says whether all of it came. quarantined: damaged, or no media; kept under a name that opens nothing, with `reason`.
    """

    file: str
    sha256: str
    bytes: int
    mime: str | None
    state: Literal["verified", "unverified", "quarantined"]
    reason: str = ""
    adopted: bool = False  # the same file was there already


class _Damaged(Exception):  # noqa: N818  # a state of the bytes, seen only below
    """All bytes came, and they are not what they should be."""


class _Received:
    """Passes the bytes on to the writer and remembers where a broken body may go on."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._bytes = 0
        self._etag: str | None = None

    async def begin(self, *, start: int, total_bytes: int | None, etag: str | None) -> None:
        await self._writer.begin(start=start, total_bytes=total_bytes, etag=etag)
        if start == 0:
            self._bytes, self._etag = 0, etag

    async def write(self, chunk: bytes) -> None:
        await self._writer.write(chunk)
        self._bytes += len(chunk)

    def resume(self) -> Resume | None:
        return Resume(start=self._bytes, etag=self._etag) if self._bytes and self._etag else None

    def forget(self) -> None:
        self._etag = None


async def download(fetcher: Fetcher, blobs: Blobs, *, url: str, stem: str) -> Saved:
    """The result at `url`, saved as `stem` plus the extension its content asks for.

    Raises LinkDead when the address has died (poll the task for a fresh one), another FetchError when the host gave
    nothing usable, DiskFull and OutputUnusable. What came whole but wrong is not an error: it is quarantined.
    """
    async with await blobs.create(stem) as writer:
        received = _Received(writer)
        media: Media | None = None
        fetched: Fetched | None = None
        try:
            async for attempt in stamina.retry_context(
                on=_worth_another_try, attempts=TRIES, timeout=None, wait_initial=FIRST_WAIT_S, wait_max=WAIT_MAX_S
            ):
                with attempt:
                    fetched = await _fetch(fetcher, url, received)
                    media = await writer.examine(media_of)
                    _check(media, fetched)
        except _Damaged as damage:
            return await _keep(writer, suffix=INERT_SUFFIX, media=media, state="quarantined", reason=str(damage))
        assert media is not None
        assert fetched is not None
        proven = media.whole or fetched.total_bytes is not None
        return await _keep(
            writer,
            suffix=f".{media.extension}",
            media=media,
            state="verified" if proven else "unverified",
            reason="" if proven else "the host gave no length and the format has no end mark",
        )


async def _fetch(fetcher: Fetcher, url: str, received: _Received) -> Fetched:
    resume = received.resume()
    try:
        fetched = await fetcher.fetch(url, sink=received, resume=resume)
    except FetchError:
        if resume is not None and resume == received.resume():
            received.forget()  # the host does not like to go on, or it stands still: the next try begins afresh
        raise
    received.forget()  # if these bytes turn out damaged, more of the same file will not mend them
    return fetched


def _check(media: Media | None, fetched: Fetched) -> None:
    if fetched.received_bytes == 0:
        raise _Damaged("the host sent an empty file")
    if media is None:
        said = f", said to be {fetched.content_type}" if fetched.content_type else ""
        raise _Damaged(f"the content is no known media{said}")
    if media.whole is False:
        raise _Damaged(f"the {media.extension} file ends too early")


def _worth_another_try(error: Exception) -> bool | float:
    if isinstance(error, _Damaged):
        return True
    if not isinstance(error, FetchError) or not error.temporary:
        return False
    if error.retry_after_s is None:
        return True
    return error.retry_after_s if error.retry_after_s <= RETRY_AFTER_MAX_S else False


async def _keep(
    writer: Writer,
    *,
    suffix: str,
    media: Media | None,
    state: Literal["verified", "unverified", "quarantined"],
    reason: str,
) -> Saved:
    kept = await writer.publish(suffix)
    return Saved(
        file=kept.path,
        sha256=kept.sha256,
        bytes=kept.size_bytes,
        mime=media.mime if media else None,
        state=state,
        reason=reason,
        adopted=kept.adopted,
    )
