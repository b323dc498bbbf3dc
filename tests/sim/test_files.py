"""Uploads: what is taken, what is said about it, and what a create may do with it."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from runner.sim.profile import DEMO_KEY, OTHER_ACCOUNT_KEY
from runner.sim.signatures import sniff
from tests.sim.conftest import Talk, form, talk

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
JPEG = b"\xff\xd8\xff\xe0" + bytes(64)
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(16) + b"\x00\x00\x00\x6cmvhd" + bytes(12) + struct.pack(">II", 1000, 2500)
WAV = b"RIFF\x00\x00\x00\x00WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16) + b"data" + bytes(32_004)


@pytest.mark.parametrize(
    ("head", "mime_type"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"GIF89a", "image/gif"),
        (MP4, "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x14ftypM4A ", "audio/mp4"),
        (b"\x00\x00\x00\x14ftypavif", "image/avif"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"\xff\xf1\x50", "audio/aac"),
        (b"OggS", "audio/ogg"),
        (WAV, "audio/wav"),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_a_file_is_what_its_first_bytes_say(head: bytes, mime_type: str | None) -> None:
    assert sniff(head) == mime_type


def test_an_upload_is_described_in_snake_case_and_can_be_read_again(service: Talk) -> None:
    status, file = service.upload(PNG, kind="image", model="seedance-1-5-pro")

    assert status == 200
    assert file == {
        "id": file["id"],
        "object": "file",
        "kind": "image",
        "name": "a",
        "mime_type": "image/png",
        "size": len(PNG),
        "url": f"https://sim.invalid/uploads/{file['id']}.png",
        "duration_seconds": None,
        "duration_token": None,
        "created_at": "1970-01-12T13:46:40.000Z",
        "expires_at": "1970-01-13T13:46:40.000Z",
    }
    assert service.send("GET", f"/api/v1/files/{file['id']}") == (200, file)


@pytest.mark.parametrize(
    ("data", "mime", "kind", "seconds"), [(MP4, "video/mp4", "video", 2.5), (WAV, "audio/wav", "audio", 2.0)]
)
def test_video_and_audio_get_a_duration_and_its_token(
    service: Talk, data: bytes, mime: str, kind: str, seconds: float
) -> None:
    _, file = service.upload(data, mime, kind=kind)

    assert file["duration_seconds"] == seconds
    assert file["duration_token"].startswith("dur_")


@pytest.mark.parametrize(
    ("data", "mime", "fields", "message"),
    [
        (PNG, "image/png", {}, "kind: required"),
        (PNG, "image/png", {"kind": "text"}, "kind: required"),
        (b"", "image/png", {"kind": "image"}, "file: required"),
        (b"hello", "image/png", {"kind": "image"}, "no known media"),
        (b"GIF89a", "image/gif", {"kind": "image"}, "looks like image/gif"),
        (JPEG, "image/png", {"kind": "image"}, "its signature says image/jpeg"),
        (PNG, "image/png", {"kind": "video"}, "looks like image/png"),
        (PNG, "image/png", {"kind": "image", "model": "no-such"}, "no such model"),
        (PNG, "image/png", {"kind": "image", "model": "z-image"}, "takes no image"),
        (MP4, "video/mp4", {"kind": "video", "model": "seedance-1-5-pro"}, "takes no video"),
        (PNG, "image/png", {"kind": "image", "client_request_id": "x" * 129}, "at most 128"),
        (PNG + bytes(10_000_000), "image/png", {"kind": "image"}, "at most 10000000"),
    ],
)
def test_an_upload_that_breaks_a_rule_says_which(
    service: Talk, data: bytes, mime: str, fields: dict[str, str], message: str
) -> None:
    status, answer = service.upload(data, mime, **fields)

    assert (status, answer["error"]["code"]) == (400, "validation_failed")
    assert message in answer["error"]["message"]


def test_a_model_may_take_larger_files_than_usual(service: Talk) -> None:
    assert service.upload(PNG + bytes(20_000_000), kind="image", model="nano-banana-2")[0] == 200


def test_a_broken_form_is_refused(service: Talk) -> None:
    body, headers = form(PNG, kind="image")

    assert service.send("POST", "/api/v1/files", body[:-4], headers)[0] == 400
    assert service.send("POST", "/api/v1/files", body, {"Content-Type": "application/json"})[0] == 400
    assert service.send("POST", "/api/v1/files", body, {"Content-Type": "multipart/form-data"})[0] == 400


def test_bytes_that_look_like_a_boundary_inside_a_file_do_no_harm(service: Talk) -> None:
    assert service.upload(PNG + b"--edge--\r\n--other", kind="image")[1]["size"] == len(PNG) + 17


def test_a_file_belongs_to_its_account(service: Talk) -> None:
    _, file = service.upload(PNG, kind="image")
    service.secret = OTHER_ACCOUNT_KEY

    assert service.code(service.send("GET", f"/api/v1/files/{file['id']}")) == (404, "not_found")


def create_with(service: Talk, *items: Any, model: str = "seedance-1-5-pro") -> tuple[int, str]:
    status, answer = service.create(model=model, prompt="x", params={"referenceMediaItems": list(items)})
    return status, answer["error"]["message"] if status >= 400 else ""


class TestReferences:
    def test_an_uploaded_file_can_be_used(self, service: Talk) -> None:
        _, file = service.upload(PNG, kind="image")

        assert (
            create_with(service, {"url": file["url"], "kind": "image", "name": "a", "mimeType": "image/png"})[0] == 200
        )

    @pytest.mark.parametrize(
        ("item", "message"),
        [
            ("text", "must be an object"),
            ({"kind": "image"}, "url is required"),
            ({"url": "{url}", "kind": "audio"}, "kind must be one of image"),
            ({"url": "{url}", "kind": ["image"]}, "kind must be one of image"),
            ({"url": "{url}", "kind": "image", "mime_type": "image/png"}, "unknown mime_type"),
            ({"url": "{url}", "kind": "image", "name": 5}, "must be strings"),
            ({"url": "https://example.org/a.png", "kind": "image"}, "not uploaded here"),
        ],
    )
    def test_an_item_that_breaks_a_rule_says_which(self, service: Talk, item: Any, message: str) -> None:
        _, file = service.upload(PNG, kind="image")
        if isinstance(item, dict) and item.get("url") == "{url}":
            item = {**item, "url": file["url"]}
        status, said = create_with(service, item)

        assert status == 400
        assert message in said

    def test_counts_and_mixes_are_the_models_own(self, service: Talk) -> None:
        image = {"url": service.upload(PNG, kind="image")[1]["url"], "kind": "image"}
        _, clip = service.upload(MP4, "video/mp4", kind="video")
        video = {"url": clip["url"], "kind": "video", "durationToken": clip["duration_token"]}

        assert create_with(service, *[image] * 2)[0] == 200
        assert create_with(service, *[image] * 3)[0] == 400
        assert create_with(service, image, model="z-image")[0] == 400
        assert create_with(service, video, *[image] * 5, model="happyhorse-1-0")[0] == 200
        assert create_with(service, video, *[image] * 6, model="happyhorse-1-0")[0] == 400
        assert create_with(service, *[image] * 9, model="happyhorse-1-0")[0] == 200

    def test_a_file_of_another_account_is_foreign(self, service: Talk) -> None:
        _, file = service.upload(PNG, kind="image")
        service.secret = OTHER_ACCOUNT_KEY

        assert create_with(service, {"url": file["url"], "kind": "image"})[0] == 400

    def test_a_wrong_kind_of_upload_is_noticed(self, service: Talk) -> None:
        _, still = service.upload(PNG, kind="image")
        item = {"url": still["url"], "kind": "video"}

        assert "is image, not video" in create_with(service, item, model="wan-2-6")[1]


class TestSwitches:
    @pytest.mark.parametrize(("foreign_urls", "status"), [("refuse", 400), ("accept", 200)])
    def test_foreign_addresses(self, foreign_urls: str, status: int) -> None:
        item = {"url": "https://example.org/a.png", "kind": "image"}

        assert create_with(talk(foreign_urls=foreign_urls), item)[0] == status

    @pytest.mark.parametrize(
        ("duration_tokens", "missing", "wrong", "right"),
        [("required", 400, 400, 200), ("checked", 200, 400, 200), ("ignored", 200, 200, 200)],
    )
    def test_duration_tokens(self, duration_tokens: str, missing: int, wrong: int, right: int) -> None:
        service = talk(duration_tokens=duration_tokens)
        _, clip = service.upload(MP4, "video/mp4", kind="video")
        item = {"url": clip["url"], "kind": "video"}
        items = [item, {**item, "durationToken": "dur_x"}, {**item, "durationToken": clip["duration_token"]}]

        assert [create_with(service, item, model="wan-2-6")[0] for item in items] == [missing, wrong, right]

    def test_tokens_and_files_expire(self) -> None:
        service = talk(token_lifetime_s=60.0, file_lifetime_s=120.0)
        _, clip = service.upload(MP4, "video/mp4", kind="video")
        item = {"url": clip["url"], "kind": "video", "durationToken": clip["duration_token"]}
        service.now_s += 60
        assert "durationToken is wrong or has expired" in create_with(service, item, model="wan-2-6")[1]
        service.now_s += 60

        assert "file has expired" in create_with(service, item, model="wan-2-6")[1]
        assert service.send("GET", f"/api/v1/files/{clip['id']}")[0] == 404

    def test_the_status_of_an_upload(self) -> None:
        assert talk(upload_status=201).upload(PNG, kind="image")[0] == 201

    def test_a_file_too_large_may_get_413(self) -> None:
        service = talk(oversize_as="413")

        assert service.upload(PNG + bytes(10_000_000), kind="image")[0] == 413


def test_uploaded_bytes_are_private(service: Talk) -> None:
    _, file = service.upload(PNG, kind="image")
    service.secret = DEMO_KEY

    assert service.send("GET", file["url"].removeprefix("https://sim.invalid"))[0] == 403
