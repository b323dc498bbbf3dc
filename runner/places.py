"""Where results go, in words: a folder, or `s3://bucket/prefix`. Nothing here opens anything."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

__all__ = ["absolute", "from_here", "is_bucket", "place_from_here", "split_bucket"]

BUCKET_SCHEME = "s3://"


def is_bucket(place: str) -> bool:
    """Whether results go to a bucket instead of a folder."""
    return place.startswith(BUCKET_SCHEME)


def split_bucket(place: str) -> tuple[str, str]:
    """The bucket's name, and the prefix in it, which may be empty."""
    bucket, _, prefix = place.removeprefix(BUCKET_SCHEME).partition("/")
    return bucket, prefix.rstrip("/")


def absolute(place: str) -> str:
    """The place as a ledger keeps it, which may be read from another folder one day."""
    return place.rstrip("/") if is_bucket(place) else str(Path(place).absolute())


def place_from_here(place: str) -> str:
    """The place as a person in the current folder would name it."""
    return place.rstrip("/") if is_bucket(place) else _relative(place, os.getcwd())  # noqa: PTH109


def from_here(file: str | None, place: str | None) -> str | None:
    """A file of a place as a person in the current folder would name it."""
    if file is None:
        return None
    if place is not None and is_bucket(place):
        return f"{place.rstrip('/')}/{file}"
    folder = _relative(place or ".", os.getcwd())  # noqa: PTH109  # a hundred thousand times, without a path object
    return os.path.normpath(f"{folder}/{file}")


@lru_cache(maxsize=64)  # every row of a run asks for the same few
def _relative(folder: str, here: str) -> str:
    return os.path.relpath(folder, here)
