"""Small pictures of results, so that a page of a thousand is light: a clip's first frame, an image made small.

They need the media extra. Without it images are shown as they are, and a clip shows its first frame when it is pointed
at. A poster lies beside the page under a name made of its result's content, so the next page finds it there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

try:
    import av
    from PIL import Image, ImageOps
except ImportError:  # the media extra is not installed
    av = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

__all__ = ["Poster", "can_draw", "poster_bytes", "poster_name", "posters_beside"]

SIDE_PX: Final = 480  # a cell at its usual size, on a screen with two dots a pixel
QUALITY: Final = 72
# Decoding runs outside the interpreter's lock, so a few at a time use the cores there are.
WORKERS: Final = 4
# What a clip is opened as is said by what its bytes were found to be: no guess of a demuxer that reads other files.
DEMUXERS: Final[Mapping[str, str]] = {"video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "webm"}
IMAGES: Final = ("PNG", "JPEG", "WEBP", "GIF", "AVIF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """A poster's file, and the shape of what it shows: width over height."""

    path: Path
    ratio: float


def can_draw() -> bool:
    """Whether the media extra is here."""
    return av is not None


def poster_bytes(path: Path, mime: str | None) -> bytes | None:
    """A small WebP of a result; None for what has none, or cannot be read."""
    if not can_draw() or mime is None:
        return None
    try:
        picture = _first_frame(path, DEMUXERS[mime]) if mime in DEMUXERS else _image(path, mime)
        if picture is None:
            return None
        picture.thumbnail((SIDE_PX, SIDE_PX))
        drawn = BytesIO()
        picture.convert("RGBA" if "A" in picture.getbands() else "RGB").save(drawn, "WEBP", quality=QUALITY)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None  # PyAV's errors are OSErrors and ValueErrors
    return drawn.getvalue()


def posters_beside(
    folder: Path, results: Iterable[tuple[str, Path, str | None]], *, told: Callable[[int], None]
) -> dict[str, Poster]:
    """The posters of results (name, file, type), in a folder beside the page, made where they are not there yet."""
    wanted = {name: (path, mime) for name, path, mime in results}
    if not can_draw() or not wanted:
        return {}
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in wanted if not (folder / f"{name}.webp").exists()]
    told(len(missing))
    with ThreadPoolExecutor(WORKERS) as workers:
        drawn = dict(zip(missing, workers.map(lambda name: poster_bytes(*wanted[name]), missing), strict=True))
    for name, content in drawn.items():
        if content is not None:
            part = folder / f".{name}-{os.getpid()}"
            part.write_bytes(content)
            part.replace(folder / f"{name}.webp")
    ready = {name: folder / f"{name}.webp" for name in wanted}
    return {
        name: Poster(path=path, ratio=ratio)
        for name, path in ready.items()
        if path.exists()
        for ratio in [_ratio(path)]
        if ratio is not None
    }


def poster_name(path: Path, sha256: str | None) -> str:
    """A name for a result's poster: of its content, or else of its place and size."""
    return (sha256 or hashlib.sha256(f"{path}\0{path.stat().st_size}".encode()).hexdigest())[:24]


def _first_frame(path: Path, demuxer: str) -> Picture | None:
    with av.open(str(path), format=demuxer) as container:
        if not container.streams.video:
            return None
        for frame in container.decode(container.streams.video[0]):
            picture: Picture = frame.to_image()  # type: ignore[no-untyped-call]
            return picture
    return None


def _image(path: Path, mime: str) -> Picture | None:
    if not mime.startswith("image/"):
        return None
    with Image.open(path, formats=IMAGES) as opened:
        opened.draft("RGB", (SIDE_PX * 2, SIDE_PX * 2))
        return ImageOps.exif_transpose(opened).copy()


def _ratio(path: Path) -> float | None:
    try:
        with Image.open(path) as poster:
            return poster.width / poster.height
    except OSError:
        return None
