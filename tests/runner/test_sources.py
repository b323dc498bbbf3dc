"""Reading what a manifest names: content decides, limits hold, and every trouble has its place."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from pathlib import Path

import pytest

import runner.sources
from jobs.findings import Finding, Place
from jobs.manifest import parse
from jobs.sources import Needed, Needs, Sources, needs
from jobs.yaml12 import load
from runner.sources import read_manifest, read_sources
from tests.runner.media_samples import SAMPLES

PNG = (Path(__file__).parents[2] / "manifests/assets/shoe.png").read_bytes()


def needed(path: str, line: int = 1) -> Needed:
    return Needed(path=path, place=Place(file="m.yaml", line=line, column=1, end_column=2))


def reading(folder: Path, **references: str) -> Sources:
    found = {name: needed(path, line) for line, (name, path) in enumerate(references.items(), start=1)}
    return read_sources(folder / "m.yaml", Needs(references=found))


def only(sources: Sources) -> Finding:
    assert len(sources.findings) == 1, sources.findings
    return sources.findings[0]


# --- the manifest itself and its texts ----------------------------------------------------------------------------


def test_a_manifest_is_read_as_utf_8(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("name: schön\n", encoding="utf-8")

    assert read_manifest(tmp_path / "m.yaml") == ("name: schön\n", [])


@pytest.mark.parametrize(
    ("content", "code"), [(b"name: sch\xf6n\n", "not-utf8"), (b"#" * (4 * 1024 * 1024 + 1), "file-too-large")]
)
def test_a_manifest_that_cannot_be_read_is_a_finding(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "m.yaml").write_bytes(content)

    text, (finding,) = read_manifest(tmp_path / "m.yaml")

    assert (text, finding.code) == (None, code)
    assert finding.help


def test_a_manifest_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    text, (finding,) = read_manifest(tmp_path / "m.yaml")

    assert (text, finding.code) == (None, "file-not-found")
    assert "init" in finding.help


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    assert [finding.code for finding in read_manifest(tmp_path)[1]] == ["not-a-file"]


def test_texts_are_read_byte_for_byte_without_their_mark(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_bytes("\ufeffzwei\r\nZeilen \n".encode())

    sources = read_sources(tmp_path / "m.yaml", Needs(prompts=(needed("p.txt"),), data=(needed("p.txt"),)))

    assert (sources.texts, sources.findings) == ({"p.txt": "zwei\r\nZeilen \n"}, ())


def test_texts_that_cannot_be_read_are_findings_where_they_are_named(tmp_path: Path) -> None:
    (tmp_path / "latin.csv").write_bytes(b"title\nsch\xf6n\n")
    (tmp_path / "long.txt").write_bytes(b"x" * (256 * 1024 + 1))

    sources = read_sources(
        tmp_path / "m.yaml",
        Needs(data=(needed("latin.csv"), needed("gone.csv", 7)), prompts=(needed("long.txt"), needed("a\0b"))),
    )

    assert sources.texts == {}
    assert [(finding.code, finding.place and finding.place.file) for finding in sources.findings] == [
        ("not-utf8", "latin.csv"),
        ("file-not-found", "m.yaml"),
        ("file-too-large", "m.yaml"),
        ("file-unreadable", "m.yaml"),
    ]
    assert sources.findings[1].place == needed("gone.csv", 7).place


# --- references ---------------------------------------------------------------------------------------------------


def test_a_reference_is_known_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "called.txt").write_bytes(PNG)

    (file,) = reading(tmp_path, shoe="called.txt").references["shoe"]

    assert (file.name, file.path, file.location) == ("shoe", "called.txt", str(tmp_path / "called.txt"))
    assert (file.mime, file.kind, file.bytes) == ("image/png", "image", len(PNG))
    assert file.sha256 == hashlib.sha256(PNG).hexdigest()


@pytest.mark.parametrize("sample", sorted(SAMPLES))
def test_every_medium_is_recognised(tmp_path: Path, sample: str) -> None:
    mime, content = SAMPLES[sample]
    (tmp_path / "file").write_bytes(content)

    sources = reading(tmp_path, one="file")

    assert sources.findings == ()
    assert (sources.references["one"][0].mime, sources.references["one"][0].kind) == (mime, mime.partition("/")[0])


def test_a_matroska_file_is_a_video_though_no_result_is_saved_as_one(tmp_path: Path) -> None:
    (tmp_path / "clip").write_bytes(b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska" + bytes(300))

    (file,) = reading(tmp_path, clip="clip").references["clip"]

    assert (file.mime, file.kind) == ("video/x-matroska", "video")


def test_a_glob_is_a_sorted_list_of_files(tmp_path: Path) -> None:
    for name in ("shot-2.png", "shot-1.png", "shot-10.png", ".shot-0.png"):
        (tmp_path / name).write_bytes(PNG + name.encode())
    (tmp_path / "shot-3.png").mkdir()

    sources = reading(tmp_path, shots="*.png")

    assert [file.path for file in sources.references["shots"]] == ["shot-1.png", "shot-10.png", "shot-2.png"]
    assert len({file.sha256 for file in sources.references["shots"]}) == 3
    assert sources.findings == ()


def test_a_file_with_brackets_in_its_name_is_itself(tmp_path: Path) -> None:
    (tmp_path / "shot [1].png").write_bytes(PNG)

    assert [file.path for file in reading(tmp_path, shot="shot [1].png").references["shot"]] == ["shot [1].png"]


def test_paths_may_lead_elsewhere_and_links_are_followed(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / "shoe.png").write_bytes(PNG)
    (folder / "link.png").symlink_to("../shoe.png")

    sources = reading(
        folder, up="../shoe.png", absolute=str(tmp_path / "shoe.png"), link="link.png", glob=f"{tmp_path}/*.png"
    )

    assert sources.findings == ()
    assert {file.sha256 for files in sources.references.values() for file in files} == {hashlib.sha256(PNG).hexdigest()}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "reference-not-found"),
        (b"", "reference-empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "reference-not-media"),
        (b"%PDF-1.7\n", "reference-not-media"),
        (b"hello", "reference-not-media"),
        (b"\x89PNG\r\n\x1a\n", "reference-cut"),
        (PNG[:-8], "reference-cut"),
    ],
)
def test_a_file_that_no_model_can_use_is_a_finding(tmp_path: Path, content: bytes | None, code: str) -> None:
    if content is not None:
        (tmp_path / "a.png").write_bytes(content)

    sources = reading(tmp_path, a="a.png")

    finding = only(sources)
    assert (finding.code, sources.references["a"]) == (code, ())
    assert finding.place == needed("a.png").place
    assert finding.help


def test_what_is_not_an_ordinary_file_is_refused_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    start = time.monotonic()

    sources = reading(tmp_path, directory="folder.png", pipe="pipe.png", device="device.png", here="")

    assert [finding.code for finding in sources.findings] == ["not-a-file"] * 4
    assert time.monotonic() - start < 10, "nobody ever writes into the pipe: what waits for it waits for ever"


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s.png")

        assert only(reading(tmp_path, a="s.png")).code in {"not-a-file", "reference-unreadable"}


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("b.png")
    (tmp_path / "b.png").symlink_to("a.png")

    assert only(reading(tmp_path, a="a.png")).code == "reference-unreadable"


def test_a_file_of_fifty_gigabytes_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    with (tmp_path / "a.mp4").open("wb") as file:
        file.truncate(50 * 1024**3)
    start = time.process_time()

    finding = only(reading(tmp_path, a="a.mp4"))

    assert finding.code == "reference-too-large"
    assert "51,200.0 MiB" in finding.message
    assert time.process_time() - start < 1


def test_a_glob_without_a_match_is_a_finding(tmp_path: Path) -> None:
    assert only(reading(tmp_path, a="shots/*.png")).code == "reference-no-match"


def test_a_glob_that_matches_everything_is_a_slip(tmp_path: Path) -> None:
    for number in range(1_001):
        (tmp_path / f"{number}.png").touch()

    assert only(reading(tmp_path, a="*.png")).code == "reference-too-many"


def test_one_bad_file_of_a_glob_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "1.png").write_bytes(PNG)
    (tmp_path / "2.png").write_bytes(b"")

    sources = reading(tmp_path, a="*.png")

    assert [file.path for file in sources.references["a"]] == ["1.png"]
    assert "`2.png`" in only(sources).message


def test_a_file_is_hashed_once_however_many_names_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    hashed: list[Path] = []
    real = runner.sources._hashed

    def counted(location: Path, path: str) -> object:
        hashed.append(location)
        return real(location, path)

    monkeypatch.setattr(runner.sources, "_hashed", counted)

    sources = reading(tmp_path, one="a.png", two="./a.png", three="*.png")

    assert len(hashed) == 1
    assert [len(files) for files in sources.references.values()] == [1, 1, 1]


def test_a_file_that_grows_while_it_is_hashed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(PNG)
    real = runner.sources._mime

    def grows(file: object, size_bytes: int, path: str) -> str:
        mime = real(file, size_bytes, path)  # type: ignore[arg-type]
        target.write_bytes(PNG + b"more")
        return mime

    monkeypatch.setattr(runner.sources, "_mime", grows)

    assert only(reading(tmp_path, a="a.png")).code == "reference-changing"


def test_no_handle_stays_open(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "good.png").write_bytes(PNG)
    (tmp_path / "bad.png").write_bytes(b"x")
    before = os.open(tmp_path, os.O_RDONLY)
    os.close(before)

    for _ in range(20):
        reading(tmp_path, a="folder.png", b="good.png", c="bad.png", d="gone.png")

    after = os.open(tmp_path, os.O_RDONLY)
    os.close(after)
    assert after == before  # a new handle has the lowest free number


# --- what is needed -----------------------------------------------------------------------------------------------


def test_a_manifest_needs_each_file_once_and_none_of_a_job_that_is_off() -> None:
    document, _ = load(
        """\
version: 1
name: test
references: {shoe: {file: shoe.png}}
jobs:
  - {id: a, model: z-image, prompt: {file: p.txt}, data: {file: d.csv}, references: [shoe]}
  - {id: b, model: z-image, prompt: {file: p.txt}, data: {file: d.csv}}
  - {id: c, model: z-image, prompt: {file: q.txt}, enabled: false}
""",
        "m.yaml",
    )
    assert document is not None
    manifest, _ = parse(document)
    assert manifest is not None

    found = needs(document, manifest)

    assert [one.path for one in (*found.prompts, *found.data)] == ["p.txt", "d.csv"]
    assert found.references["shoe"].place.line == 3
    assert found.data[0].place.path == "jobs[0].data.file"
