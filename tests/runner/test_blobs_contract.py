"""One contract for files, on a disk, in memory and in a bucket; then what only a disk can do wrong."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.blobs import Blobs, Kept, LocalBlobs
from runner.blobs_memory import MemoryBlobs
from runner.errors import DiskFull, OutputUnusable
from tests.runner.s3_server import S3Server, bucket_blobs, s3_server

SHA_ABC = hashlib.sha256(b"abc").hexdigest()


class Tree:
    """One implementation, and a look at what it holds."""

    def __init__(self, blobs: Blobs, look: Callable[[], dict[str, bytes]]) -> None:
        self.blobs = blobs
        self.look = look

    async def save(self, stem: str, content: bytes, suffix: str = ".png") -> Kept:
        async with await self.blobs.create(stem) as writer:
            await writer.begin(start=0, total_bytes=None, etag=None)
            await writer.write(content)
            return await writer.publish(suffix)


def files_below(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server("acme") as server:
        yield server


@pytest.fixture(params=["local", "memory", "bucket"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Tree:
    if request.param == "memory":
        memory = MemoryBlobs()
        return Tree(memory, lambda: memory.files)
    if request.param == "bucket":
        server: S3Server = request.getfixturevalue("server")
        server.buckets["acme"].clear()
        return Tree(bucket_blobs(server, "s3://acme/runs/ü 1"), lambda: server.below("acme", "runs/ü 1"))
    root = tmp_path / "out" / "run"
    return Tree(LocalBlobs(root), lambda: files_below(root))


async def test_a_published_file_is_there_with_its_digest_and_size(tree: Tree) -> None:
    kept = await tree.save("job/a", b"abc")

    assert kept == Kept(path="job/a.png", sha256=SHA_ABC, size_bytes=3)
    assert tree.look() == {"job/a.png": b"abc"}


async def test_nothing_has_the_final_name_before_it_is_published(tree: Tree) -> None:
    async with await tree.blobs.create("a") as writer:
        await writer.begin(start=0, total_bytes=3, etag=None)
        await writer.write(b"abc")
        await writer.examine(lambda file, size: None)

        assert "a.png" not in tree.look()
        await writer.publish(".png")
        assert tree.look() == {"a.png": b"abc"}


async def test_what_is_not_published_leaves_nothing_behind(tree: Tree) -> None:
    async with await tree.blobs.create("a") as writer:
        await writer.begin(start=0, total_bytes=None, etag=None)
        await writer.write(b"abc")

    assert tree.look() == {}


async def test_a_failure_on_the_way_leaves_nothing_behind(tree: Tree) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async with await tree.blobs.create("a") as writer:
        await writer.begin(start=0, total_bytes=None, etag=None)
        await writer.write(b"abc")
        with pytest.raises(ZeroDivisionError):
            await writer.examine(fail)

    assert tree.look() == {}


async def test_beginning_again_drops_what_came_before(tree: Tree) -> None:
    async with await tree.blobs.create("a") as writer:
        await writer.begin(start=0, total_bytes=None, etag=None)
        await writer.write(b"much longer than before")
        await writer.examine(lambda file, size: None)
        await writer.begin(start=0, total_bytes=None, etag=None)
        await writer.write(b"abc")
        kept = await writer.publish(".png")

    assert (kept.sha256, tree.look()) == (SHA_ABC, {"a.png": b"abc"})


async def test_going_on_keeps_what_came_before(tree: Tree) -> None:
    async with await tree.blobs.create("a") as writer:
        await writer.begin(start=0, total_bytes=3, etag=None)
        await writer.write(b"a")
        await writer.begin(start=1, total_bytes=3, etag=None)
        await writer.write(b"bc")
        kept = await writer.publish(".png")

    assert (kept.sha256, tree.look()) == (SHA_ABC, {"a.png": b"abc"})


async def test_going_on_anywhere_else_is_our_mistake(tree: Tree) -> None:
    async with await tree.blobs.create("a") as writer:
        await writer.begin(start=0, total_bytes=None, etag=None)
        await writer.write(b"abc")
        with pytest.raises(AssertionError):
            await writer.begin(start=2, total_bytes=None, etag=None)


async def test_an_examiner_sees_all_bytes_and_the_writing_goes_on(tree: Tree) -> None:
    async with await tree.blobs.create("a") as writer:
        await writer.begin(start=0, total_bytes=None, etag=None)
        await writer.write(b"ab")

        assert await writer.examine(lambda file, size: (file.read(), size, file.seek(0), file.read(1))) == (
            b"ab",
            2,
            0,
            b"a",
        )
        await writer.write(b"c")
        assert await writer.examine(lambda file, size: (file.read(), size)) == (b"abc", 3)
        assert (await writer.publish(".png")).sha256 == SHA_ABC


async def test_the_same_content_is_adopted(tree: Tree) -> None:
    first = await tree.save("a", b"abc")
    second = await tree.save("a", b"abc")

    assert (first.adopted, second.adopted, second.path) == (False, True, "a.png")
    assert tree.look() == {"a.png": b"abc"}


async def test_other_content_is_never_overwritten(tree: Tree) -> None:
    paths = [(await tree.save("d/a", content)).path for content in (b"1", b"2", b"3", b"2")]

    assert paths == ["d/a.png", "d/a-2.png", "d/a-3.png", "d/a-2.png"]
    assert tree.look() == {"d/a.png": b"1", "d/a-2.png": b"2", "d/a-3.png": b"3"}


async def test_large_content_comes_through_in_pieces(tree: Tree) -> None:
    content = os.urandom(100_000) * 31
    async with await tree.blobs.create("a") as writer:
        await writer.begin(start=0, total_bytes=len(content), etag=None)
        for place in range(0, len(content), 70_001):
            await writer.write(content[place : place + 70_001])
        kept = await writer.publish(".mp4")

    assert kept.sha256 == hashlib.sha256(content).hexdigest()
    assert tree.look() == {"a.mp4": content}


async def test_an_empty_file_is_a_file(tree: Tree) -> None:
    kept = await tree.save("a", b"")

    assert (kept.size_bytes, tree.look()) == (0, {"a.png": b""})


async def test_small_content_is_put_and_replaced_whole(tree: Tree) -> None:
    await tree.blobs.put("d/a.png.json", b"{}")
    await tree.blobs.put("d/a.png.json", b'{"new":1}')

    assert tree.look() == {"d/a.png.json": b'{"new":1}'}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../a",
        "a/../b",
        "a/..",
        "./a",
        "a/./b",
        "a//b",
        "a/",
        ".a",
        "d/.a",
        ".git/a",
        "a\0b",
        "a\\b",
    ],
)
async def test_a_path_that_climbs_hides_or_is_not_plain_is_refused(tree: Tree, path: str) -> None:
    with pytest.raises(OutputUnusable):
        await tree.blobs.create(path)
    with pytest.raises(OutputUnusable):
        await tree.blobs.put(path, b"x")

    assert tree.look() == {}


# Only a disk has links, modes, other processes, and an end.


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def local(root: Path) -> Tree:
    return Tree(LocalBlobs(root), lambda: files_below(root))


async def test_a_linked_folder_below_the_root_is_not_entered(local: Tree, root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "job").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OutputUnusable, match="link"):
        await local.save("job/a", b"abc")
    with pytest.raises(OutputUnusable, match="link"):
        await local.blobs.put("job/a.json", b"{}")

    assert list((tmp_path / "elsewhere").iterdir()) == []


async def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")

    await Tree(LocalBlobs(tmp_path / "out"), dict).save("a", b"abc")

    assert (tmp_path / "disk" / "a.png").read_bytes() == b"abc"


@pytest.mark.parametrize("name", [".a.part", "a.png"])
async def test_a_linked_file_is_not_written_through(local: Tree, root: Path, tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"abc")
    (root / name).symlink_to(victim)

    kept = await local.save("a", b"new")

    assert victim.read_bytes() == b"abc"
    assert (root / kept.path).read_bytes() == b"new"
    assert not (root / kept.path).is_symlink()


async def test_a_link_to_the_same_content_is_not_adopted(local: Tree, root: Path, tmp_path: Path) -> None:
    (tmp_path / "same").write_bytes(b"abc")
    (root / "a.png").symlink_to(tmp_path / "same")

    assert (await local.save("a", b"abc")).path == "a-2.png"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "fifo"])
async def test_whatever_else_has_the_name_is_left_alone(local: Tree, root: Path, make: Callable[[Path], None]) -> None:
    make(root / "a.png")

    assert (await local.save("a", b"")).path == "a-2.png"
    with pytest.raises(OutputUnusable):
        await local.blobs.put("a.png", b"x")


async def test_what_a_killed_run_left_is_replaced(local: Tree, root: Path) -> None:
    (root / ".a.part").write_bytes(b"half of something")

    await local.save("a", b"abc")

    assert local.look() == {"a.png": b"abc"}


async def test_two_writers_of_one_name_never_publish_each_others_bytes(local: Tree) -> None:
    async with await local.blobs.create("a") as first:
        await first.begin(start=0, total_bytes=None, etag=None)
        await first.write(b"first")
        async with await local.blobs.create("a") as second:
            await second.begin(start=0, total_bytes=None, etag=None)
            await second.write(b"second, half wri")
            with pytest.raises(OutputUnusable, match="took over"):
                await first.publish(".png")
            await second.write(b"tten")
            await second.publish(".png")

    assert local.look() == {"a.png": b"second, half written"}


async def test_modes_follow_the_umask_and_nothing_is_executable(local: Tree, root: Path) -> None:
    old = os.umask(0o027)
    try:
        await local.save("job/a", b"abc")
    finally:
        os.umask(old)

    assert stat.S_IMODE((root / "job" / "a.png").stat().st_mode) == 0o640
    assert stat.S_IMODE((root / "job").stat().st_mode) == 0o750


async def test_a_result_without_room_is_refused_before_its_first_byte(local: Tree) -> None:
    async with await local.blobs.create("a") as writer:
        with pytest.raises(DiskFull):
            await writer.begin(start=0, total_bytes=2**60, etag=None)

    assert local.look() == {}


async def test_a_disk_that_fills_up_is_named(local: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DiskFull):
        await local.save("a", b"abc")

    assert local.look() == {}


@pytest.mark.parametrize("call", ["pwrite", "fsync", "rename"])
async def test_any_other_refusal_of_the_disk_publishes_nothing(
    local: Tree, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def broken(*_: object, **__: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, call, broken)
    with pytest.raises(OutputUnusable, match="Input/output error"):
        await local.save("a", b"abc")

    assert local.look() == {}


async def test_short_writes_are_carried_on(local: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda handle, data, offset: whole(handle, data[:2], offset))

    await local.save("a", b"abcdefg")

    assert local.look() == {"a.png": b"abcdefg"}


async def test_the_file_is_synced_before_it_gets_its_name_and_the_folder_after(
    local: Tree, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    sync, rename = os.fsync, os.rename

    def seen_sync(handle: int) -> None:
        calls.append("sync folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "sync file")
        sync(handle)

    def seen_rename(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        calls.append("rename")
        rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", seen_sync)
    monkeypatch.setattr(os, "rename", seen_rename)
    await local.save("a", b"abc")

    assert calls == ["sync file", "rename", "sync folder"]


def open_handles() -> int:
    return len(list(Path("/dev/fd").iterdir()))


async def test_no_handle_stays_open(local: Tree) -> None:
    before = open_handles()
    for number in range(5):
        await local.save(f"job/deep/{number}", b"abc")
        await local.blobs.put(f"job/deep/{number}.json", b"{}")
        async with await local.blobs.create("job/never") as writer:
            await writer.begin(start=0, total_bytes=None, etag=None)

    assert open_handles() == before


async def test_a_file_that_cannot_be_made_is_named(root: Path) -> None:
    (root / "file").write_bytes(b"")

    with pytest.raises(OutputUnusable):
        await LocalBlobs(root / "file").create("a")
    with pytest.raises(OutputUnusable):
        await LocalBlobs(root).create("x" * 300)
