"""From an address to a file that can be trusted."""

from __future__ import annotations

import hashlib

import pytest

from runner.blobs import LocalBlobs
from runner.blobs_memory import MemoryBlobs
from runner.downloads import TRIES, Saved, download
from runner.errors import DiskFull, FetchError, LinkDead
from runner.exchange import Fetched, Resume, Sink
from runner.transport import AiohttpFetcher
from tests.runner.media_samples import SAMPLES
from tests.runner.raw_server import RawServer, always, answer, once

PNG = SAMPLES["png"][1]
MP3 = SAMPLES["mp3"][1]
BROKEN = FetchError("The line broke.", temporary=True)

pytestmark = pytest.mark.usefixtures("no_waiting")


class Host:
    """A fetcher whose host does one thing after the other; the last one again and again.

    An answer is a whole body, or a body and how many bytes of it come before the line breaks, or an error.
    """

    def __init__(
        self, *answers: bytes | tuple[bytes, int] | FetchError, length: bool = True, etag: str | None = None
    ) -> None:
        self._answers = list(answers)
        self._length = length
        self._etag = etag
        self.resumes: list[Resume | None] = []

    async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
        self.resumes.append(resume)
        current = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(current, FetchError):
            raise current
        body, until = current if isinstance(current, tuple) else (current, len(current))
        start = resume.start if resume else 0
        total_bytes = len(body) if self._length else None
        await sink.begin(start=start, total_bytes=total_bytes, etag=self._etag)
        await sink.write(body[start:until])
        if until < len(body):
            raise BROKEN
        return Fetched(received_bytes=until, total_bytes=total_bytes, content_type="text/x-claimed")


async def save(host: Host) -> tuple[Saved, dict[str, bytes]]:
    blobs = MemoryBlobs()
    return await download(host, blobs, url="https://cdn.test/x.exe", stem="job/a"), blobs.files


@pytest.mark.parametrize("extension", SAMPLES)
async def test_a_whole_result_is_verified_and_named_by_its_content(extension: str) -> None:
    mime, content = SAMPLES[extension]

    saved, files = await save(Host(content))

    sha256 = hashlib.sha256(content).hexdigest()
    path = f"job/a.{extension}"
    assert saved == Saved(file=path, sha256=sha256, bytes=len(content), mime=mime, state="verified")
    assert files == {path: content}


async def test_without_a_length_the_container_vouches_for_itself() -> None:
    assert (await save(Host(PNG, length=False)))[0].state == "verified"


async def test_without_a_length_and_an_end_mark_it_is_kept_but_not_vouched_for() -> None:
    saved, files = await save(Host(MP3, length=False))

    assert (saved.state, saved.reason) == ("unverified", "the host gave no length and the format has no end mark")
    assert files == {"job/a.mp3": MP3}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<html><script>alert(1)</script>", "the content is no known media, said to be text/x-claimed"),
        (b"<svg onload='x'/>", "the content is no known media, said to be text/x-claimed"),
        (b"", "the host sent an empty file"),
        (PNG[:-1], "the png file ends too early"),
    ],
)
@pytest.mark.parametrize("length", [True, False])
async def test_what_stays_wrong_is_kept_under_a_name_that_opens_nothing(
    content: bytes, reason: str, length: bool
) -> None:
    host = Host(content, length=length)
    saved, files = await save(host)

    assert (saved.state, saved.reason, saved.file) == ("quarantined", reason, "job/a.quarantine")
    assert files == {"job/a.quarantine": content}
    assert host.resumes == [None] * TRIES


async def test_what_was_wrong_once_is_fetched_afresh() -> None:
    host = Host(b"<html>busy</html>", PNG[:-1], PNG, etag='"v1"')
    saved, files = await save(host)

    assert (saved.state, files) == ("verified", {"job/a.png": PNG})
    assert host.resumes == [None, None, None]


async def test_a_broken_line_goes_on_where_it_ended() -> None:
    host = Host((PNG, 10), (PNG, 20), PNG, etag='"v1"')
    saved, files = await save(host)

    assert (saved.state, files) == ("verified", {"job/a.png": PNG})
    assert host.resumes == [None, Resume(start=10, etag='"v1"'), Resume(start=20, etag='"v1"')]


async def test_without_a_strong_etag_a_broken_line_starts_over() -> None:
    host = Host((PNG, 10), PNG)
    _, files = await save(host)

    assert files == {"job/a.png": PNG}
    assert host.resumes == [None, None]


async def test_a_host_that_refuses_to_go_on_is_asked_afresh() -> None:
    refusal = FetchError("416", status=416, temporary=True)
    host = Host((PNG, 10), refusal, PNG, etag='"v1"')
    _, files = await save(host)

    assert files == {"job/a.png": PNG}
    assert host.resumes == [None, Resume(start=10, etag='"v1"'), None]


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        (LinkDead("410", status=410), 1),
        (FetchError("400", status=400), 1),
        (BROKEN, TRIES),
        (FetchError("503", status=503, temporary=True, retry_after_s=7.0), TRIES),
        (FetchError("503", status=503, temporary=True, retry_after_s=3600.0), 1),
    ],
)
async def test_an_address_is_tried_as_often_as_that_may_help(failure: FetchError, tries: int) -> None:
    host, blobs = Host(failure), MemoryBlobs()

    with pytest.raises(type(failure)) as caught:
        await download(host, blobs, url="https://cdn.test/a", stem="a")

    assert caught.value is failure
    assert (len(host.resumes), blobs.files) == (tries, {})


async def test_the_same_result_again_is_adopted_and_another_one_gets_a_number() -> None:
    blobs = MemoryBlobs()
    saved = [
        await download(Host(content), blobs, url="https://cdn.test/a", stem="a")
        for content in (PNG, PNG, PNG + b"other")
    ]

    assert [(one.file, one.adopted) for one in saved] == [("a.png", False), ("a.png", True), ("a-2.png", False)]


async def test_a_full_disk_is_not_tried_again() -> None:
    class FullDisk(Host):
        async def fetch(self, url: str, *, sink: Sink, resume: Resume | None = None) -> Fetched:
            self.resumes.append(resume)
            raise DiskFull("No room.")

    host = FullDisk(PNG)
    with pytest.raises(DiskFull):
        await save(host)

    assert len(host.resumes) == 1


@pytest.mark.wire
@pytest.mark.parametrize(
    ("data", "file", "state"),
    [
        (answer(PNG, headers="Content-Type: text/html\r\n"), "a.png", "verified"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + PNG, "a.png", "verified"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + PNG[:-4], "a.quarantine", "quarantined"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + MP3, "a.mp3", "unverified"),
        (answer(b"<html>", headers="Content-Type: video/mp4\r\n"), "a.quarantine", "quarantined"),
    ],
    ids=["whole", "no length", "cut without a length", "endless format", "page in disguise"],
)
async def test_over_a_real_line_onto_a_real_disk(
    data: bytes, file: str, state: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("out")
    async with RawServer(once(data)) as server, AiohttpFetcher(loopback=True) as fetcher:
        saved = await download(fetcher, LocalBlobs(root), url=f"{server.url}/a?sig=1", stem="a")

    assert (saved.file, saved.state) == (file, state)
    assert [each.name for each in root.iterdir()] == [file]


@pytest.mark.wire
@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_dead_address_asks_for_a_fresh_one_at_once(
    status: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("out")
    async with RawServer(always(answer(status=f"{status} X"))) as server, AiohttpFetcher(loopback=True) as fetcher:
        with pytest.raises(LinkDead):
            await download(fetcher, LocalBlobs(root), url=server.url, stem="a")

        assert len(server.asked) == 1
    assert list(root.iterdir()) == []
