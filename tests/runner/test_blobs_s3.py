"""What only a bucket can do wrong, and as whom it is written to."""

from __future__ import annotations

import hashlib
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from runner.aws import VARIABLES, AwsAccess, aws_access
from runner.blobs import Kept
from runner.blobs_s3 import MARK, open_bucket
from runner.errors import DiskFull, OutputUnusable
from runner.settings import aws_variables
from tests.runner.s3_server import KEY_ID, SECRET, S3Server, Stored, bucket_blobs, s3_server

PLACE = "s3://acme/night"
PATIENCE = 500  # looks, a hundredth of a second apart
SHA_ABC = hashlib.sha256(b"abc").hexdigest()


@pytest.fixture(scope="module")
def one_server() -> Iterator[S3Server]:
    with s3_server("acme") as server:
        yield server


@pytest.fixture
def server(one_server: S3Server) -> S3Server:
    one_server.buckets["acme"].clear()
    one_server.requests.clear()
    one_server.overwritten.clear()
    one_server.fault = lambda method, key: None
    return one_server


def access(server: S3Server, **changes: str) -> AwsAccess:
    config = {"access_key_id": KEY_ID, "secret_access_key": SECRET, "endpoint": server.url, "region": "us-east-1"}
    return AwsAccess(config={**config, **changes}, plain_http=True)


async def save(server: S3Server, content: bytes, *, stem: str = "a", suffix: str = ".png", retries: int = 2) -> Kept:
    async with await bucket_blobs(server, PLACE, retries=retries).create(stem) as writer:
        await writer.begin(start=0, total_bytes=None, etag=None)
        await writer.write(content)
        return await writer.publish(suffix)


# Before anything is bought


async def test_a_bucket_that_takes_objects_and_overwrites_none_is_opened(server: S3Server) -> None:
    await open_bucket(PLACE, access(server))
    await open_bucket(PLACE, access(server))

    assert list(server.buckets["acme"]) == [f"night/{MARK}"]
    assert [status for _, _, status in server.requests] == [200, 412, 412]
    assert server.overwritten == []


@pytest.mark.parametrize(
    ("place", "changes", "code", "says"),
    [
        ("s3://nowhere/night", {}, "bucket-missing", "NoSuchBucket"),
        (PLACE, {"secret_access_key": "wrong"}, "bucket-refused", "SignatureDoesNotMatch"),
        (PLACE, {"access_key_id": "AKIASOMEBODYELSE0000"}, "bucket-refused", "InvalidAccessKeyId"),
        (PLACE, {"endpoint": "http://127.0.0.1:1"}, "bucket-unreachable", "cannot be reached"),
    ],
)
async def test_a_bucket_that_cannot_be_used_is_told_at_the_start(
    server: S3Server, place: str, changes: dict[str, str], code: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.blobs_s3.RETRIES", 0)
    with pytest.raises(OutputUnusable, match=says) as caught:
        await open_bucket(place, access(server, **changes))

    assert (caught.value.code, caught.value.exit_code) == (code, 9)
    assert caught.value.next_step


async def test_a_bucket_that_is_forbidden_is_told_at_the_start(server: S3Server) -> None:
    server.fault = lambda method, key: 403

    with pytest.raises(OutputUnusable, match="AccessDenied") as caught:
        await open_bucket(PLACE, access(server))
    assert caught.value.code == "bucket-refused"


async def test_a_store_that_ignores_conditions_is_refused() -> None:
    with s3_server("acme", keeps_conditions=False) as careless, pytest.raises(OutputUnusable) as caught:
        await open_bucket(PLACE, access(careless))
    assert caught.value.code == "bucket-overwrites"


async def test_a_store_without_conditions_is_refused(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.blobs_s3.RETRIES", 0)
    server.fault = lambda method, key: 501

    with pytest.raises(OutputUnusable) as caught:
        await open_bucket(PLACE, access(server))
    assert caught.value.code == "bucket-overwrites"


async def test_an_endpoint_that_says_nothing_is_given_up(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.blobs_s3.MARK_S", 0.05)
    server.fault = lambda method, key: 0

    with pytest.raises(OutputUnusable, match="did not take s3://acme/night in") as caught:
        await open_bucket(PLACE, access(server))
    assert caught.value.code == "bucket-unreachable"


@pytest.mark.parametrize("status", [0, 403, 404, 503])
async def test_nothing_a_store_says_is_repeated(server: S3Server, status: int) -> None:
    """Its answers quote keys and signatures."""
    server.fault = lambda method, key: status

    with pytest.raises(OutputUnusable) as caught:
        await bucket_blobs(server, PLACE, retries=0).put("a.json", b"{}")

    told = "".join(traceback.format_exception(caught.value)) + caught.value.next_step
    assert KEY_ID not in told
    assert SECRET not in told
    assert "Authorization" not in told


# Saving


async def test_an_object_says_what_it_is_and_what_it_holds(server: S3Server) -> None:
    await save(server, b"abc", suffix=".mp4")
    await save(server, b"<html>", suffix=".quarantine")
    await bucket_blobs(server, PLACE).put("a.mp4.json", b"{}")

    objects = server.buckets["acme"]
    assert objects["night/a.mp4"] == Stored(body=b"abc", content_type="video/mp4", metadata={"sha256": SHA_ABC})
    assert objects["night/a.quarantine"].content_type == "application/octet-stream"
    assert objects["night/a.mp4.json"].content_type == "application/json"


async def test_a_put_whose_answer_was_lost_is_found_to_have_arrived(server: S3Server) -> None:
    lost = iter([True])

    def lose_the_first_answer(method: str, key: str) -> int | None:
        if method == "PUT" and next(lost, False):
            server.buckets["acme"][key] = Stored(body=b"abc", content_type="", metadata={"sha256": SHA_ABC})
            return 0
        return None

    server.fault = lose_the_first_answer

    kept = await save(server, b"abc")

    assert (kept.path, kept.adopted) == ("a.png", True)
    assert server.below("acme", "night") == {"a.png": b"abc"}


async def test_what_somebody_else_put_there_is_known_by_its_bytes(server: S3Server) -> None:
    server.buckets["acme"]["night/a.png"] = Stored(body=b"abc", content_type="")
    server.buckets["acme"]["night/b.png"] = Stored(body=b"xyz", content_type="")

    assert (await save(server, b"abc")).adopted
    assert (await save(server, b"abc", stem="b")).path == "b-2.png"


async def test_what_has_another_size_is_not_read(server: S3Server) -> None:
    server.buckets["acme"]["night/a.png"] = Stored(body=b"a film of an hour", content_type="")

    assert (await save(server, b"abc")).path == "a-2.png"
    assert [method for method, _, _ in server.requests] == ["PUT", "HEAD", "PUT"]


async def test_two_runs_that_race_for_one_name_both_keep_their_result(server: S3Server) -> None:
    kept: list[Kept] = []

    async def one(content: bytes) -> None:
        kept.append(await save(server, content))

    async with anyio.create_task_group() as group:
        for number in range(8):
            group.start_soon(one, b"result %d" % number)

    assert len({one.path for one in kept}) == 8
    assert len(set(server.below("acme", "night").values())) == 8
    assert server.overwritten == []


async def test_an_object_that_comes_and_goes_is_no_reason_to_try_for_ever(server: S3Server) -> None:
    server.fault = lambda method, key: 412 if method == "PUT" else 404

    with pytest.raises(OutputUnusable, match="comes and goes"):
        await save(server, b"abc")


async def test_a_store_that_breaks_is_asked_again_and_then_named(server: S3Server) -> None:
    answers = iter([503, 503])
    server.fault = lambda method, key: next(answers, None)

    assert (await save(server, b"abc")).path == "a.png"

    server.fault = lambda method, key: 503
    with pytest.raises(OutputUnusable, match="SlowDown") as caught:
        await save(server, b"xyz")
    assert caught.value.code == "bucket-unreachable"


async def test_a_put_that_does_not_end_is_given_up_and_leaves_nothing(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.blobs_s3.ANSWER_S", 0.05)
    server.fault = lambda method, key: 503

    with pytest.raises(OutputUnusable, match=r"did not take a\.png in"):
        await save(server, b"abc", retries=1000)
    assert server.below("acme", "night") == {}


async def test_a_file_larger_than_one_put_is_named(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.blobs_s3.PUT_BYTES_MAX", 2)

    with pytest.raises(OutputUnusable, match="takes 2 at once"):
        await save(server, b"abc")


async def test_a_result_that_has_no_room_on_the_way_is_refused(server: S3Server) -> None:
    async with await bucket_blobs(server, PLACE).create("a") as writer:
        with pytest.raises(DiskFull):
            await writer.begin(start=0, total_bytes=2**60, etag=None)


async def test_a_large_file_is_put_whole(server: S3Server) -> None:
    content = os.urandom(1 << 20) * 24
    async with await bucket_blobs(server, PLACE).create("a") as writer:
        await writer.begin(start=0, total_bytes=len(content), etag=None)
        for place in range(0, len(content), 1 << 20):
            await writer.write(content[place : place + (1 << 20)])
        kept = await writer.publish(".mp4")

    assert kept.sha256 == hashlib.sha256(content).hexdigest()
    assert server.below("acme", "night") == {"a.mp4": content}


def open_handles() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_no_handle_stays_open(server: S3Server) -> None:
    await save(server, b"abc")
    before = open_handles()
    for number in range(5):
        await save(server, b"abc", stem=f"job/{number}")

    for _ in range(PATIENCE):  # what is closed is gone a turn of the loop later, or some
        if open_handles() <= before + 1:  # a connection may stay
            return
        await anyio.sleep(0.01)
    raise AssertionError(f"{open_handles()} handles are open, {before} were before")


# As whom


CREDENTIALS = """\
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = default/secret
[studio]
aws_access_key_id = AKIASTUDIO
aws_secret_access_key = studio/secret%with
aws_session_token = studio-token
"""
CONFIG = """\
[default]
region = eu-north-1
[profile studio]
region = eu-west-1
endpoint_url = https://store.example
[profile sso]
sso_session = acme
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(CREDENTIALS)
    (tmp_path / ".aws/config").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "config"),
    [
        (
            {},
            {"access_key_id": "AKIADEFAULT", "secret_access_key": "default/secret", "region": "eu-north-1"},
        ),
        (
            {"AWS_PROFILE": "studio", "AWS_REGION": "us-west-2"},
            {
                "access_key_id": "AKIASTUDIO",
                "secret_access_key": "studio/secret%with",
                "session_token": "studio-token",
                "endpoint": "https://store.example",
            },
        ),
        ({"AWS_ACCESS_KEY_ID": "AKIAENV", "AWS_REGION": "us-west-2"}, {}),
        (
            {"AWS_ACCESS_KEY_ID": "x", "AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_S3": "https://b"},
            {"region": "eu-north-1", "endpoint": "https://b"},
        ),
    ],
)
def test_the_standard_places_say_as_whom(home: Path, variables: dict[str, str], config: dict[str, str]) -> None:
    assert aws_access(variables, home=home) == AwsAccess(config=config)


def test_files_may_lie_elsewhere_or_nowhere(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "keys"
    elsewhere.write_text("[default]\naws_access_key_id = AKIAELSE\naws_secret_access_key = s\n")
    broken = tmp_path / "broken"
    broken.write_text("no section\n")
    named = {"AWS_SHARED_CREDENTIALS_FILE": str(elsewhere), "AWS_CONFIG_FILE": str(broken)}

    assert aws_access(named, home=home).config["access_key_id"] == "AKIAELSE"
    assert aws_access({}, home=tmp_path / "nobody") == AwsAccess()


@pytest.mark.parametrize("profile", ["sso", "unknown"])
def test_a_profile_without_keys_is_told_with_the_way_to_get_some(home: Path, profile: str) -> None:
    with pytest.raises(OutputUnusable, match="has no keys of its own") as caught:
        aws_access({"AWS_PROFILE": profile}, home=home)

    assert f"export-credentials --profile {profile}" in caught.value.next_step


@pytest.mark.parametrize(
    ("endpoint", "more", "plain"),
    [
        ("http://127.0.0.1:9000", {}, True),
        ("http://[::1]:9000", {}, True),
        ("https://store.example", {}, False),
        ("http://minio.lan", {"AWS_ALLOW_HTTP": "true"}, True),
        ("http://minio.lan", {}, None),
        ("ftp://127.0.0.1", {}, None),
        ("http://[oops", {}, None),
    ],
)
def test_plain_http_leaves_this_machine_only_if_somebody_said_so(
    tmp_path: Path, endpoint: str, more: dict[str, str], plain: bool | None
) -> None:
    def asked() -> AwsAccess:
        return aws_access({"AWS_ENDPOINT_URL": endpoint, **more}, home=tmp_path)

    if plain is None:
        with pytest.raises(OutputUnusable) as caught:
            asked()
        assert caught.value.code == "bucket-plain-http"
    else:
        assert asked().plain_http is plain


def test_no_secret_is_read_from_the_environment_or_shown(home: Path) -> None:
    everything = dict.fromkeys((*VARIABLES, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PATH"), "x")

    assert set(aws_variables(everything)) == set(VARIABLES)
    assert "default/secret" not in repr(aws_access({}, home=home))
