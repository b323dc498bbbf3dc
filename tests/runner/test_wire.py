"""Reading the body of the service's answers: tolerant of change, strict with money, never surprised."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.answers import ErrorSeen, TaskSeen
from runner.wire import credits_from, error_from, gunzipped, json_from, task_from, uploaded_from

DOCUMENTED = {
    "id": "task_1",
    "status": "queued",
    "model": "z-image",
    "reserved_credits": 28,
    "final_credits": 0,
    "created_at": "2026-05-11T00:00:00.000Z",
    "updated_at": "2026-05-11T00:00:00.000Z",
    "result": None,
    "error": None,
}


def body(**changes: object) -> bytes:
    return json.dumps(DOCUMENTED | changes).encode()


def test_the_documented_create_answer_is_read_whole() -> None:
    expected = TaskSeen(
        id="task_1",
        status="queued",
        reserved_credits=28,
        final_credits=0,
    )

    assert task_from(body()) == expected


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (0, 0),
        (1, 1),
        (10**9, 10**9),
        (10**9 + 1, None),
        (10**18, None),
        (10**30, None),
        (-1, None),
        (True, None),
        (False, None),
        (1.0, None),
        (28.5, None),
        (1e3, None),
        ("28", None),
        ("", None),
        (None, None),
        ([28], None),
        ({"amount": 28}, None),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
    ],
)
def test_credits_are_a_sane_whole_number_or_unknown(value: object, read: int | None) -> None:
    finite = not isinstance(value, float) or abs(value) < float("inf")
    seen = task_from(body(reserved_credits=value, final_credits=value))

    if finite:
        assert seen is not None
        assert (seen.reserved_credits, seen.final_credits) == (read, read)
    else:
        assert seen is None  # NaN and Infinity are not JSON: the whole answer is garbage
    assert credits_from(json.dumps({"current_credits": value}).encode()) == read


def test_missing_credits_are_unknown_not_zero() -> None:
    seen = task_from(b'{"id":"t","status":"queued"}')

    assert seen is not None
    assert seen.reserved_credits is None
    assert seen.final_credits is None


@pytest.mark.parametrize("digits", [19, 20, 309, 310, 4300, 4301, 50_000])
def test_numbers_of_any_length_are_no_price(digits: int) -> None:
    seen = task_from(b'{"id":"t","reserved_credits":' + b"9" * digits + b"}")

    assert seen is None or seen.reserved_credits is None


@pytest.mark.parametrize(
    "task_id",
    ["task_1", "a", "0", "x" * 256, "a/b", "a%2Fb", "..a", "a?b#c", '"', "\\", "{}"],
)
def test_a_printable_id_is_taken_as_it_is(task_id: str) -> None:
    seen = task_from(body(id=task_id))

    assert seen is not None
    assert seen.id == task_id


@pytest.mark.parametrize(
    "task_id",
    [
        None,
        "",
        ".",
        "..",
        7,
        7.5,
        True,
        [],
        {},
        ["task_1"],
        "x" * 257,
        "a b",
        "a\nb",
        "a\x00b",
        "tâche",
        "\u202ea",
        "\x7f",
        "�",
        " task_1",
        "task_1\r\nX: 1",
    ],
)
def test_an_insane_id_is_no_task(task_id: object) -> None:
    assert task_from(body(id=task_id)) is None


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b" ",
        b"null",
        b"true",
        b"7",
        b'"task_1"',
        b"[]",
        b'[{"id":"task_1"}]',
        b"{}",
        b"{",
        body()[:-1],
        body() + b"x",
        body() + body(),
        b"<html><body>502 Bad Gateway</body></html>",
        b"\xff\xfe\x00",
        b"\x00" * 100,
        b'{"id": "\xff"}',
        b"\x1f\x8b\x08\x00",
        '{"id":"task_1"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"id":NaN}',
        b'{"id":Infinity}',
        b"{'id':'task_1'}",
        b'{"id":"task_1",}',
        b'{"data":{"id":"task_1"}}',
    ],
    ids=lambda data: repr(data[:30]),
)
def test_garbage_is_no_task_no_error_and_no_upload(garbage: bytes) -> None:
    assert task_from(garbage) is None
    assert error_from(garbage) is None
    assert credits_from(garbage) is None
    assert uploaded_from(garbage, kind="image", name="a.png", mime="image/png") is None


@pytest.mark.parametrize(
    "odd",
    [
        b"\xef\xbb\xbf" + body(),
        b'{"id":"task_1","status":"failed","error":{"code":"generation_failed","message":"cut \\ud83d"}}',
        b'{"id":"task_1","note":"\\ud800\\u0000"}',
        b'{"id":"task_0","id":"task_1"}',
        b'{"id":"task_1","deep":' + b"[" * 500 + b"]" * 500 + b"}",
        b' \r\n\t{"id":"task_1"}\n',
        b'{"id":"task_1","big":' + b"9" * 400 + b"}",
    ],
    ids=["bom", "half an emoji", "lone surrogate", "twice the same key", "nested", "spaces", "400 digits"],
)
def test_what_is_odd_elsewhere_does_not_hide_the_task(odd: bytes) -> None:
    seen = task_from(odd)

    assert seen is not None
    assert seen.id == "task_1"
    if seen.error:
        assert seen.error.message == "cut ?"


@pytest.mark.parametrize(
    ("result", "urls"),
    [
        ({"primary_url": "https://a/1", "urls": ["https://a/1"]}, ("https://a/1",)),
        ({"primary_url": "https://a/1"}, ("https://a/1",)),
        ({"urls": ["https://a/2", "https://a/1"]}, ("https://a/2", "https://a/1")),
        ({"primary_url": "https://a/1", "urls": ["https://a/2", "https://a/1"]}, ("https://a/1", "https://a/2")),
        ({"primary_url": "https://a/1", "urls": ["https://a/2", "https://a/2"]}, ("https://a/1", "https://a/2")),
        ({"primary_url": None, "urls": [None, 7, "", "https://a/2", {"url": "x"}]}, ("https://a/2",)),
        ({"primary_url": "https://a/" + "x" * 9000, "urls": ["https://a/2"]}, ("https://a/2",)),
        ({"primary_url": "https://a/\ud800"}, ()),
        ({"primary_url": 7, "urls": "https://a/1"}, ()),
        ({"primary_url": {"url": "https://a/1"}, "urls": {}}, ()),
        ([], ()),
        ("https://a/1", ()),
        (None, ()),
        ({}, ()),
    ],
)
def test_result_addresses_begin_with_the_primary_one_and_never_repeat(result: object, urls: tuple[str, ...]) -> None:
    seen = task_from(body(status="succeeded", result=result))

    assert seen is not None
    assert seen.urls == urls


def test_a_flood_of_addresses_is_cut() -> None:
    seen = task_from(body(result={"urls": [f"https://a/{n}" for n in range(1000)]}))

    assert seen is not None
    assert len(seen.urls) == 64


@pytest.mark.parametrize(
    ("status", "read"), [("succeeded", "succeeded"), ("paused", "paused"), (None, ""), (7, ""), ([], "")]
)
def test_the_status_is_the_services_word_untouched(status: object, read: str) -> None:
    seen = task_from(body(status=status))

    assert seen is not None
    assert seen.status == read


@pytest.mark.parametrize(
    ("error", "seen"),
    [
        (
            {"code": "api_key_missing", "message": "A key is required.", "requestId": "req_1"},
            ErrorSeen(code="api_key_missing", message="A key is required.", request_id="req_1"),
        ),
        ({"code": "x", "message": "m", "request_id": "r"}, ErrorSeen(code="x", message="m", request_id="r")),
        ({"code": "generation_failed", "message": "m"}, ErrorSeen(code="generation_failed", message="m")),
        ({"code": "x"}, ErrorSeen(code="x", message="")),
        ({"code": "x", "message": ["no"], "requestId": 7}, ErrorSeen(code="x", message="")),
        ({"code": "", "message": "m"}, None),
        ({"code": None, "message": "m"}, None),
        ({"code": 400, "message": "m"}, None),
        ({"message": "m"}, None),
        ("Bad Request", None),
        (None, None),
        ([], None),
    ],
)
def test_the_error_envelope_needs_a_code_and_nothing_else(error: object, seen: ErrorSeen | None) -> None:
    assert error_from(json.dumps({"error": error}).encode()) == seen


def test_long_error_texts_are_cut() -> None:
    seen = error_from(json.dumps({"error": {"code": "c" * 1000, "message": "m" * 100_000}}).encode())

    assert seen is not None
    assert (len(seen.code), len(seen.message)) == (128, 2000)


def upload(**answer: object) -> Any:
    return uploaded_from(json.dumps(answer).encode(), kind="video", name="mine.mp4", mime="video/mp4")


@pytest.mark.parametrize(
    "names",
    [
        {"duration_token": "dt", "mime_type": "video/webm", "duration_seconds": 4.5, "expires_at": "2026"},
        {"durationToken": "dt", "mimeType": "video/webm", "durationSeconds": 4.5, "expiresAt": "2026"},
        {"duration_token": None, "durationToken": "dt", "mimeType": "video/webm"}
        | {"duration_seconds": 4.5, "expiresAt": "2026"},
    ],
)
def test_an_upload_is_read_in_either_spelling(names: dict[str, object]) -> None:
    seen = upload(id="file_1", url="https://a/f", kind="video", name="x.webm", size=3, **names)

    assert (seen.duration_token, seen.mime_type, seen.duration_s, seen.expires_at) == ("dt", "video/webm", 4.5, "2026")
    assert (seen.file_id, seen.url, seen.kind, seen.name) == ("file_1", "https://a/f", "video", "x.webm")


def test_an_upload_needs_only_its_id_and_address() -> None:
    seen = upload(id="file_1", url="https://a/f")

    assert (seen.kind, seen.name, seen.mime_type, seen.duration_token) == ("video", "mine.mp4", "video/mp4", None)


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "f"},
        {"url": "u"},
        {"id": 1, "url": "u"},
        {"id": "f", "url": ""},
        {"id": "f", "url": "x" * 9000},
        {},
        {"id": "f", "url": None},
        {"id": "..", "url": "u"},
    ],
)
def test_an_upload_without_id_or_address_is_none(answer: dict[str, object]) -> None:
    assert upload(**answer) is None


@pytest.mark.parametrize("duration", [True, "4", -1, 10**12, None, [], {}])
def test_an_insane_duration_is_unknown(duration: object) -> None:
    assert upload(id="f", url="u", duration_seconds=duration).duration_s is None


def test_a_token_that_would_have_to_be_cut_is_left_out() -> None:
    assert upload(id="f", url="u", duration_token="x" * 9000).duration_token is None


PACKED = gzip.compress(b'{"id":"task_1"}' * 100, mtime=0)


@pytest.mark.parametrize(
    "packed",
    [PACKED[:cut] for cut in range(len(PACKED))]
    + [PACKED + b"\0", PACKED + PACKED, gzip.compress(b"") + PACKED, PACKED[:-8] + b"\0" * 8, b"x" + PACKED]
    + [zlib.compress(b"x" * 100), b"\x1f\x8b"],
    ids=lambda packed: f"{len(packed)} of {len(PACKED)}",
)
def test_a_gzip_body_is_one_whole_member_or_nothing(packed: bytes) -> None:
    assert gunzipped(packed, 10_000) is None


def test_a_whole_gzip_body_is_expanded_up_to_the_cap_and_no_further() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    assert gunzipped(PACKED, 10_000) == b'{"id":"task_1"}' * 100
    assert gunzipped(gzip.compress(b""), 10) == b""
    assert len(gunzipped(bomb, 1000) or b"") == 1000


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
json_values = leaves | st.lists(leaves, max_size=4) | st.dictionaries(st.text(max_size=8), leaves, max_size=4)


@given(st.binary())
def test_no_bytes_make_a_reader_raise(data: bytes) -> None:
    json_from(data)
    task_from(data)
    error_from(data)
    credits_from(data)
    uploaded_from(data, kind="image", name="n", mime="m")


@given(st.fixed_dictionaries({"id": st.just("t")}, optional=dict.fromkeys([*DOCUMENTED][1:], json_values)))
def test_whatever_the_fields_hold_a_task_is_read_and_its_money_is_sane(answer: dict[str, object]) -> None:
    seen = task_from(json.dumps(answer).encode())

    if "NaN" not in json.dumps(answer) and "Infinity" not in json.dumps(answer):
        assert seen is not None
    if seen is not None:
        for money in (seen.reserved_credits, seen.final_credits):
            assert money is None or (type(money) is int and 0 <= money <= 10**9)
        "".join([seen.status, *seen.urls, seen.error.message if seen.error else ""]).encode()
