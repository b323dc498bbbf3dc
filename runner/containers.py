"""What a downloaded file is, by its content, and whether all of it is there.

The name, the address and the Content-Type are what somebody says; the bytes are what it is. Only media get an
extension: a page, a vector drawing with scripts in it, or anything unknown is not media.

HTTP cannot tell a cut body from a whole one when the server gives no length, so the container is asked. Most say where
they end: chunks that must close, a size in the head, boxes that must fill the file exactly. No pixel is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Final

import filetype  # type: ignore[import-untyped]

__all__ = ["Media", "media_of", "mime_of"]

HEAD_BYTES: Final = 512  # more than any signature below needs
TAIL_BYTES: Final = 65_536 + 512  # the largest Ogg page, and room for what cameras append to a JPEG

# Boxes and chunks walked in one file; real ones have dozens, fragmented clips some thousands.
BOXES_MAX: Final = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """`whole`: True or False as the container says, None when it cannot tell."""

    mime: str
    extension: str
    whole: bool | None


def media_of(file: BinaryIO, size_bytes: int) -> Media | None:
    """The medium in `file`, or None when it holds none. Reads a few kilobytes, whatever the size."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    mime = _mime(head)
    if mime not in _KINDS:
        return None
    extension, ending = _KINDS[mime]
    return Media(mime=mime, extension=extension, whole=ending(file, size_bytes) if ending else None)


def mime_of(suffix: str) -> str:
    """The MIME type of a file that was saved under this suffix; what may not open by itself gets none that opens."""
    return next(
        (mime for mime, (extension, _) in _KINDS.items() if f".{extension}" == suffix), "application/octet-stream"
    )


def _mime(head: bytes) -> str:
    if head[4:8] == b"ftyp":
        # By hand: filetype knows few brands, and believes a length of four billion in this very box.
        return _BRANDS.get(head[8:12], "video/mp4")
    if _is_mp3_frame(head):
        return "audio/mpeg"
    found = filetype.guess_mime(head)
    return _RENAMED.get(found, found) if isinstance(found, str) else ""


def _is_mp3_frame(head: bytes) -> bool:
    """Whether a frame of MPEG layer III begins here: filetype knows neither version 2.5 nor frames with a checksum."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # eleven bits of sync, layer III
        return False
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and bitrate != 15 and rate != 3  # each of these is reserved


def _png_whole(file: BinaryIO, size_bytes: int) -> bool | None:
    place = 8
    for _ in range(BOXES_MAX):
        file.seek(place)
        head = file.read(8)
        place += 12 + int.from_bytes(head[:4])  # length, name, content, checksum
        if len(head) < 8 or place > size_bytes:
            return False
        if head[4:] == b"IEND":
            return True
    return None


def _jpeg_whole(file: BinaryIO, size_bytes: int) -> bool | None:
    tail = _tail(file, size_bytes).rstrip(b"\0")
    if tail.endswith(b"\xff\xd9"):
        return True
    # An end mark further up is that of an embedded thumbnail, or something was appended after the picture.
    return None if b"\xff\xd9" in tail else False


def _gif_whole(file: BinaryIO, size_bytes: int) -> bool | None:
    return _tail(file, size_bytes).rstrip(b"\0").endswith(b";")


def _riff_whole(file: BinaryIO, size_bytes: int) -> bool | None:
    file.seek(4)
    promised = int.from_bytes(file.read(4), "little")
    if promised in {0, 0xFFFF_FFFF}:
        return None  # written to a pipe by something that could not go back and fill it in
    return promised + 8 <= size_bytes


def _boxes_whole(file: BinaryIO, size_bytes: int) -> bool | None:
    """MP4 and its kin: boxes one after the other, filling the file exactly, with an index and the media among them."""
    place, names = 0, set[bytes]()
    for _ in range(BOXES_MAX):
        if place == size_bytes:
            return b"mdat" in names and bool(names & {b"moov", b"meta"})
        file.seek(place)
        head = file.read(16)
        length, name = int.from_bytes(head[:4]), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16])
        elif length == 0 and name:
            return None  # "to the end of the file", wherever that was meant to be
        if length < 8:
            return False
        names.add(name)
        place += length
        if place > size_bytes:
            return False
    return None


def _matroska_whole(file: BinaryIO, size_bytes: int) -> bool | None:
    """WebM: a header element, then one segment whose size may be left open."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    header_length, place = _vint(head, 4)
    if header_length is None:
        return None
    segment = place + header_length
    if head[segment : segment + 4] != b"\x18\x53\x80\x67":
        return None
    length, place = _vint(head, segment + 4)
    return None if length is None else place + length <= size_bytes


def _vint(data: bytes, place: int) -> tuple[int | None, int]:
    """An EBML number and the place behind it; None when all its bits are set, which means unknown."""
    first = data[place] if place < len(data) else 0
    width = 9 - first.bit_length()
    if width > 8:
        return None, place
    value = int.from_bytes(data[place : place + width]) & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), place + width


def _ogg_whole(file: BinaryIO, size_bytes: int) -> bool | None:
    tail = _tail(file, size_bytes)
    page = tail.rfind(b"OggS")
    if page < 0 or page + 27 > len(tail):
        return False
    segments = tail[page + 27 : page + 27 + tail[page + 26]]
    ends_exactly = page + 27 + tail[page + 26] + sum(segments) == len(tail)
    return ends_exactly and bool(tail[page + 5] & 4)  # 4: the last page of its stream


def _tail(file: BinaryIO, size_bytes: int) -> bytes:
    file.seek(max(0, size_bytes - TAIL_BYTES), os.SEEK_SET)
    return file.read(TAIL_BYTES)


_BRANDS: Final = {
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"avif": "image/avif",
    b"avis": "image/avif",
}

# filetype's words where they differ from the service's documentation.
_RENAMED: Final = {"audio/x-wav": "audio/wav", "audio/x-flac": "audio/flac"}

# Every medium that may be saved under a name that opens: its extension, and who knows whether it is whole. MP3, AAC
# and FLAC are streams of frames that may end after any.
_KINDS: Final[dict[str, tuple[str, Callable[[BinaryIO, int], bool | None] | None]]] = {
    "image/png": ("png", _png_whole),
    "image/jpeg": ("jpg", _jpeg_whole),
    "image/gif": ("gif", _gif_whole),
    "image/webp": ("webp", _riff_whole),
    "image/avif": ("avif", _boxes_whole),
    "video/mp4": ("mp4", _boxes_whole),
    "video/quicktime": ("mov", _boxes_whole),
    "video/webm": ("webm", _matroska_whole),
    "audio/wav": ("wav", _riff_whole),
    "audio/mp4": ("m4a", _boxes_whole),
    "audio/ogg": ("ogg", _ogg_whole),
    "audio/mpeg": ("mp3", None),
    "audio/aac": ("aac", None),
    "audio/flac": ("flac", None),
}
