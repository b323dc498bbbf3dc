"""Bytes of a text file, as text: UTF-8 and nothing else, with the place of the first byte that is not."""

from __future__ import annotations

import codecs
import re
from typing import Final

from jobs.findings import Finding
from jobs.lines import Lines

__all__ = ["BYTE_ORDER_MARK", "CONTROL", "decode"]

BYTE_ORDER_MARK: Final = "\ufeff"

# What no text of ours may hold; NEL (85) is a line break.
CONTROL: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_UTF16_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(data: bytes, file: str) -> tuple[str | None, list[Finding]]:
    """Return the text of `data`, or the one finding that says where it stops being UTF-8.

    A byte order mark stays in the text: data files may start with one (spreadsheets write it), a manifest may not.
    """
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        place = Lines(before, file).place(len(before))
        if data.startswith(_UTF16_MARKS):
            message, remedy = "the file is UTF-16, not UTF-8", "save it as UTF-8 (in most editors: Save with encoding)"
        else:
            message = f"byte 0x{data[error.start]:02x} is not UTF-8 text"
            remedy = "save the file as UTF-8; older editors write Latin-1 or Windows-1252"
        return None, [Finding(code="not-utf8", message=message, place=place, help=remedy)]
