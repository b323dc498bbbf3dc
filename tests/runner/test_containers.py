"""What a file is comes from its bytes, and so does whether all of it is there."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.containers import Media, media_of
from tests.runner.media_samples import SAMPLES

# Formats that end after any frame cannot say that something is missing.
ENDLESS = {"mp3", "aac", "flac"}


def judged(data: bytes) -> Media | None:
    return media_of(io.BytesIO(data), len(data))


@pytest.mark.parametrize("extension", SAMPLES)
def test_every_kind_is_known_by_its_content(extension: str) -> None:
    mime, data = SAMPLES[extension]

    assert judged(data) == Media(mime=mime, extension=extension, whole=None if extension in ENDLESS else True)


@pytest.mark.parametrize("extension", sorted(SAMPLES.keys() - ENDLESS - {"gif", "jpg"}))
def test_no_cut_passes_for_whole(extension: str) -> None:
    _, data = SAMPLES[extension]

    for length in range(len(data)):
        media = judged(data[:length])
        assert media is None or media.whole is not True, length


@pytest.mark.parametrize("extension", ["gif", "jpg"])
def test_a_cut_picture_misses_its_end_mark(extension: str) -> None:
    _, data = SAMPLES[extension]

    assert all(not media.whole for media in (judged(data[:n]) for n in range(len(data) - 1)) if media)


@pytest.mark.parametrize("extension", ["png", "webp", "wav"])
def test_something_appended_does_not_make_a_file_damaged(extension: str) -> None:
    media = judged(SAMPLES[extension][1] + b"trailer")

    assert media is not None
    assert media.whole is True


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!doctype html><html><body>Not found</body></html>",
        b"<html><script>alert(1)</script>",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<svg/>",
        b'{"error":"expired"}',
        b"#!/bin/sh\nrm -rf ~\n",
        b"\x7fELF\x02\x01\x01" + b"\0" * 100,
        b"MZ" + b"\0" * 100,
        b"PK\x03\x04" + b"\0" * 100,
        b"%PDF-1.7\n",
        b"\x1f\x8b\x08" + b"\0" * 100,
        b"\0" * 1000,
        b"II*\0" + b"\0" * 100,
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_no_media_gets_no_name_that_opens(data: bytes) -> None:
    assert judged(data) is None


def box(name: bytes, content: bytes = b"", *, size: int | None = None) -> bytes:
    return struct.pack(">I", 8 + len(content) if size is None else size) + name + content


FTYP = box(b"ftyp", b"isom\0\0\0\1isom")


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (FTYP + box(b"moov") + box(b"mdat", b"x"), True),
        (FTYP + box(b"mdat", b"x") + box(b"moov"), True),
        (FTYP + box(b"moov") + box(b"moof") + box(b"mdat", b"x"), True),
        (FTYP + box(b"moov") + b"\0\0\0\1mdat" + struct.pack(">Q", 20) + b"four", True),
        (FTYP + box(b"mdat", b"x"), False),  # the index was to come last
        (FTYP + box(b"moov"), False),
        (FTYP, False),
        (FTYP + box(b"moov") + box(b"mdat", b"x", size=100), False),
        (FTYP + box(b"moov") + b"\0\0\0\1mdat" + struct.pack(">Q", 2**63) + b"four", False),
        (FTYP + box(b"moov") + box(b"mdat", b"x", size=0), None),
        (FTYP + box(b"moov", size=7), False),
        (FTYP + box(b"moov") + box(b"mdat") + b"\0\0", False),
        (box(b"ftyp", b"isom", size=0xFFFF_FFFF), False),
        (FTYP + box(b"free") * 100_001, None),
    ],
    ids=range(14),
)
def test_boxes_must_fill_an_mp4_exactly(data: bytes, whole: bool | None) -> None:
    media = judged(data)

    assert media is not None
    assert media.whole is whole


@pytest.mark.parametrize("size", [0, 0xFFFF_FFFF])
def test_a_streamed_wave_cannot_tell_its_length(size: int) -> None:
    data = bytearray(SAMPLES["wav"][1])
    data[4:8] = struct.pack("<I", size)

    media = judged(bytes(data))

    assert media is not None
    assert media.whole is None


def test_a_live_webm_cannot_tell_its_length() -> None:
    data = SAMPLES["webm"][1].replace(b"\x18\x53\x80\x67\x40\x2e", b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff")

    media = judged(data)

    assert media is not None
    assert media.whole is None


@given(st.sampled_from(sorted(SAMPLES)), st.integers(0, 400), st.binary(max_size=64))
def test_no_bytes_make_it_raise(extension: str, place: int, noise: bytes) -> None:
    data = SAMPLES[extension][1]

    judged(data[:place] + noise + data[place + len(noise) :])


@pytest.mark.parametrize("head", ["fffb9000", "fffa9000", "fff39000", "ffe318c4", "ffe25000", "49443304"])
def test_sound_of_every_version_with_and_without_checksum_is_known(head: str) -> None:
    assert judged(bytes.fromhex(head) + bytes(500)) == Media(mime="audio/mpeg", extension="mp3", whole=None)


@pytest.mark.parametrize("head", ["ffeb9000", "ffe3f000", "ffe39c00", "fffe3c00", "ff", "ffe3", "fffd9000"])
def test_what_only_begins_like_a_frame_of_sound_is_none(head: str) -> None:
    """A reserved version, bit rate or sample rate, a byte order mark, another layer, or too little to tell."""
    assert judged(bytes.fromhex(head)) is None
