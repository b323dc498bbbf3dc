"""Small whole files of every kind a result may be, written by hand from their formats."""

from __future__ import annotations

import struct
import zlib

__all__ = ["SAMPLES"]


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _png() -> bytes:
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _riff(form: bytes, content: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + form + content


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def _mp4(brand: bytes) -> bytes:
    head = _box(b"ftyp", brand + b"\0\0\0\1" + b"isom")
    return head + _box(b"moov", b"\0" * 40) + _box(b"mdat", bytes(range(200)))


def _avif() -> bytes:
    return _box(b"ftyp", b"avif\0\0\0\0mif1") + _box(b"meta", b"\0" * 20) + _box(b"mdat", b"\1" * 50)


def _webm() -> bytes:
    doctype = b"\x42\x82\x84webm"
    segment = b"\x15\x49\xa9\x66\x40\x28" + b"\0" * 40
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(doctype)]) + doctype + b"\x18\x53\x80\x67\x40\x2e" + segment


def _ogg() -> bytes:
    def page(flags: int, content: bytes) -> bytes:
        return b"OggS\0" + bytes([flags]) + b"\0" * 20 + b"\1" + bytes([len(content)]) + content

    return page(2, b"\x01vorbis" + b"\0" * 20) + page(4, b"sound" * 10)


SAMPLES: dict[str, tuple[str, bytes]] = {
    "png": ("image/png", _png()),
    "jpg": ("image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF\0" + b"\1" * 200 + b"\xff\xd9"),
    "gif": ("image/gif", b"GIF89a" + b"\1" * 50 + b"\0;"),
    "webp": ("image/webp", _riff(b"WEBP", b"VP8 " + struct.pack("<I", 40) + b"\1" * 40)),
    "avif": ("image/avif", _avif()),
    "mp4": ("video/mp4", _mp4(b"isom")),
    "mov": ("video/quicktime", _mp4(b"qt  ")),
    "webm": ("video/webm", _webm()),
    "wav": ("audio/wav", _riff(b"WAVE", b"fmt " + struct.pack("<I", 16) + b"\1" * 16 + b"data\4\0\0\0\1\2\3\4")),
    "m4a": ("audio/mp4", _mp4(b"M4A ")),
    "ogg": ("audio/ogg", _ogg()),
    "mp3": ("audio/mpeg", b"ID3\x03\0\0\0\0\0\0" + b"\xff\xfb\x90\x00" + b"\1" * 200),
    "aac": ("audio/aac", b"\xff\xf1\x50\x80" + b"\1" * 200),
    "flac": ("audio/flac", b"fLaC" + b"\1" * 200),
}
