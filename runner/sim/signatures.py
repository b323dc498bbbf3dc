"""What a file is, told by its first bytes, and how long a clip in it plays."""

from __future__ import annotations

import struct

__all__ = ["playing_seconds", "sniff"]

_QUICKTIME_BRANDS = frozenset({b"qt  "})
_AUDIO_BRANDS = frozenset({b"M4A ", b"M4B ", b"F4A "})
_IMAGE_BRANDS = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"mif1": "image/heic"}
_EBML_HEAD_BYTES = 64  # the document type stands in the first element
_GUESSED_BYTES_PER_S = 16_000  # 128 kbit/s, for containers whose length is not worth parsing here


def sniff(data: bytes) -> str | None:
    """The MIME type the signature stands for; None when no known signature is there."""
    for start, mime_type in (
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"OggS", "audio/ogg"),
        (b"ID3", "audio/mpeg"),
    ):
        if data.startswith(start):
            return mime_type
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _iso_media(data[8:12])
    if data[:4] == b"\x1aE\xdf\xa3":
        return "video/webm" if b"webm" in data[:_EBML_HEAD_BYTES] else "video/x-matroska"
    if len(data) >= 2 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:  # a frame of MPEG audio; layer 0 is AAC
        return "audio/mpeg" if data[1] & 0x06 else "audio/aac"
    return None


def _iso_media(brand: bytes) -> str:
    if brand in _QUICKTIME_BRANDS:
        return "video/quicktime"
    if brand in _AUDIO_BRANDS:
        return "audio/mp4"
    return _IMAGE_BRANDS.get(brand, "video/mp4")


def playing_seconds(data: bytes, mime_type: str) -> float | None:
    """How long a video or audio file plays, roughly; None for a still."""
    if mime_type.startswith("image/"):
        return None
    try:
        if mime_type == "audio/wav":
            (bytes_per_s,) = struct.unpack_from("<I", data, 28)
            return float(round(max(len(data) - 44, 0) / bytes_per_s, 3))
        if (at := data.find(b"mvhd")) >= 0:
            long_form = data[at + 4] == 1
            scale, length = struct.unpack_from(">IQ" if long_form else ">II", data, at + (24 if long_form else 16))
            return float(round(length / scale, 3))
    except (struct.error, ZeroDivisionError, IndexError):
        pass
    return round(max(len(data) / _GUESSED_BYTES_PER_S, 0.1), 3)
