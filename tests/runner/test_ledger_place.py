"""What people are told of a ledger that lies where it should not, or that is not the one that lay there."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from runner.ledger import place, sqlite
from runner.ledger.lock import holder
from runner.ledger.place import Mark, file_system
from tests.runner.ledger_cases import begin, item
from tests.runner.ledger_files import made, opened

ONE, TWO = item(1), item(41)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger that was used."""
    path = tmp_path / "store" / "ledger.db"
    asyncio.run(made(path))
    return path


def warnings(path: Path) -> str:
    """What opening it says."""
    ledger = opened(path, in_thread=False)
    asyncio.run(ledger.close())
    return "\n".join(ledger.warnings)


def buy_more(path: Path) -> None:
    async def buy() -> None:
        ledger = opened(path)
        teller = await begin(ledger, TWO)
        await ledger.record([teller.intent(TWO)])
        await ledger.close()

    asyncio.run(buy())


def lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


# The same ledger?


def test_a_ledger_that_stayed_where_it_was_says_nothing(path: Path) -> None:
    assert warnings(path) == ""
    buy_more(path)
    assert warnings(path) == ""


def test_a_new_ledger_in_the_place_of_a_lost_one_says_nothing(path: Path) -> None:
    path.unlink()

    assert warnings(path) == ""


@pytest.mark.parametrize("with_lock", [True, False])
def test_a_copy_says_that_it_is_one_once(path: Path, tmp_path: Path, with_lock: bool) -> None:
    copy = tmp_path / "ledger.db"
    shutil.copy(path, copy)
    if with_lock:
        shutil.copy(lock_of(path), lock_of(copy))

    assert "moved or copied" in warnings(copy)
    assert warnings(path) == "", "the first one stayed where it was"
    assert warnings(copy) == ""


def test_a_ledger_from_a_backup_says_how_much_it_lacks(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / "backup")
    buy_more(path)
    shutil.copyfile(tmp_path / "backup", path)  # into the same file: nothing but its content tells

    told = warnings(path)

    assert "put back from a backup" in told
    assert warnings(path) == ""


@pytest.mark.parametrize("commits", [1, 2])
def test_a_ledger_that_is_put_back_after_a_kill_says_so_too(
    path: Path, tmp_path: Path, commits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "MARK_EVERY", commits)
    shutil.copy(path, tmp_path / "backup")

    async def buy() -> None:
        ledger = opened(path, in_thread=False)
        teller = await begin(ledger, TWO)
        await ledger.record([teller.intent(TWO)])
        ledger._lock.release()  # all that is left of a process that was killed

    asyncio.run(buy())
    shutil.copyfile(tmp_path / "backup", path)

    assert "put back from a backup" in warnings(path)


def test_another_ledger_in_its_place_is_told(path: Path, tmp_path: Path) -> None:
    asyncio.run(made(tmp_path / "other.db"))
    shutil.move(tmp_path / "other.db", path)

    assert "moved or copied" in warnings(path)


@pytest.mark.parametrize("text", [b"", b"\n", b"ledger x\n", b"ledger a file b events c\n", b"\xff"])
def test_a_lock_without_a_mark_says_nothing(path: Path, text: bytes) -> None:
    lock_of(path).write_bytes(b"pid 1 on studio since 2026-05-11T20:00:00Z\n" + text)

    assert warnings(path) == ""


def test_the_mark_is_nobody_s_name(path: Path) -> None:
    ledger = opened(path)

    held_by = holder(path)

    assert held_by is not None
    assert held_by.startswith("pid ")
    assert "\n" not in held_by
    assert Mark.of(lock_of(path).read_text().splitlines()[1]) is not None
    asyncio.run(ledger.close())


# A place for it?

MOUNTED = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
40 22 0:40 / /home rw shared:1 - xfs /dev/vdb rw
41 40 0:41 / /home/ann/net rw shared:1 master:2 - nfs4 host:/export rw
42 40 0:42 / /home/ann/a\\040b rw - fuse.sshfs host: rw
43 41 0:43 / /home/ann/net/local rw - ext4 /dev/vdc rw
44 22 0:44 / /mnt rw - cifs //host/share rw
45 22 0:45 / /mnt rw - ext4 /dev/vdd rw
garbage
"""


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/ledger.db", "ext4"),
        ("/home/ledger.db", "xfs"),
        ("/homework/ledger.db", "ext4"),
        ("/home/ann/net/ledger.db", "nfs4"),
        ("/home/ann/network/ledger.db", "xfs"),
        ("/home/ann/a b/c/ledger.db", "fuse.sshfs"),
        ("/home/ann/net/local/ledger.db", "ext4"),
        ("/mnt/ledger.db", "ext4"),  # what was mounted last is on top
    ],
)
def test_a_file_is_on_the_file_system_mounted_closest_to_it(file: str, kind: str) -> None:
    assert file_system(Path(file), MOUNTED) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.rclone", "ceph", "lustre"])
def test_a_network_file_system_is_told_and_the_run_goes_on(
    path: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"{MOUNTED}50 22 0:50 / {path.parent} rw - {kind} host:/export rw\n")
    monkeypatch.setattr(place, "MOUNTS", mounts)

    told = warnings(path)

    assert f"network file system ({kind})" in told
    assert "--store" in told


@pytest.mark.parametrize("mounts", ["ext4", "xfs", "btrfs", "zfs", "apfs", "tmpfs", "overlay"])
def test_a_local_file_system_is_not_worth_a_word(
    path: Path, tmp_path: Path, mounts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.joinpath("mountinfo").write_text(f"1 0 0:1 / / rw - {mounts} /dev/x rw\n")
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "mountinfo")

    assert warnings(path) == ""


def test_a_system_that_does_not_list_its_mounts_is_not_asked(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "nothing")

    assert warnings(path) == ""


@pytest.mark.parametrize("folder", ["Dropbox", "OneDrive", "OneDrive - Works", "Mobile Documents", "Nextcloud"])
def test_a_folder_that_is_copied_elsewhere_is_told(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "films" / "ledger.db"
    path.parent.mkdir(parents=True)

    assert "copied to other machines" in warnings(path)


def test_a_folder_of_any_name_may_say_that_it_is_copied(path: Path) -> None:
    path.parent.joinpath(".stfolder").mkdir()

    assert "copied to other machines" in warnings(path)
