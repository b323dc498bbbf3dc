"""S-21 to S-24: where results and records land, what they are called, and who may read them."""

from __future__ import annotations

import json
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.sim.exchange import SimRequest, SimResponse
from tests.security.payloads_names import NAMES, WRITTEN
from tests.security.stage import Desk, answered, manifest

OUT = "out/m"
_DEVICES = {
    "con",
    "prn",
    "aux",
    "nul",
    "conin$",
    "conout$",
    *(f"{port}{n}" for port in ("com", "lpt") for n in range(10)),
}


def is_plain(part: str) -> bool:
    """Judged anew, without the product's own rules: a name that no system or shell takes for anything else."""
    return (
        0 < len(part.encode()) <= 200
        and part == unicodedata.normalize("NFC", part)
        and part[0] not in ".- ~"
        and part[-1] not in ". "
        and part.partition(".")[0].strip().lower() not in _DEVICES
        and not set(part) & set('/\\:*?"<>|`$;&%#!{}[]\x7f')
        and not any(unicodedata.category(char)[0] in "CZ" and char != " " for char in part)
    )


def results(desk: Desk) -> list[Path]:
    """What was saved, without the sidecars; each name is plain, and none can be executed."""
    files = sorted(path for path in (desk.folder / "out").rglob("*") if not path.is_dir())
    for file in files:
        assert all(is_plain(part) for part in file.relative_to(desk.folder / "out").parts), ascii(file)
        assert stat.S_ISREG(file.lstat().st_mode)
        assert not file.stat().st_mode & 0o111
        assert file.resolve().is_relative_to(desk.folder / "out")
    return [file for file in files if not file.name.endswith(".json")]


def as_lines(values: list[str]) -> str:
    return "".join(json.dumps({"n": str(n), "value": value}) + "\n" for n, value in enumerate(values))


def _is_data(name: str) -> bool:
    """Control characters and what is no character are refused in data as such, long before anything is named."""
    return not any(unicodedata.category(char) in {"Cc", "Cs", "Cn"} for char in name)


ROW_NAMES = [name for name in NAMES if _is_data(name)]


# Where in a name a value stands.
FORMS = {
    "behind": "prompt: 'a {{ row.n }}', output: '{{ row.n }}-{{ row.value }}'",
    "before": "prompt: 'b {{ row.n }}', output: '{{ row.value }}-{{ row.n }}{{ ext }}'",
    "as a folder": "prompt: 'c {{ row.n }}', output: 'x/{{ row.value }}/{{ row.n }}'",
    "before a dot": "prompt: 'd {{ row.n }}', output: '{{ row.value }}.{{ row.n }}'",
}


# A folder named like a file is refused with its place, so it is not brought there.
_MEDIA = re.compile(r"\.(png|svg)[ .]*$", re.IGNORECASE)
BROUGHT = [(form, name) for form in FORMS for name in ROW_NAMES if form != "as a folder" or not _MEDIA.search(name)]


@pytest.mark.parametrize("place", FORMS)
def test_a_value_names_a_file_and_never_a_place(place: str, desk: Desk) -> None:
    """All names at once, in one run; every file is below its folder."""
    names = [name for form, name in BROUGHT if form == place]
    desk.write("rows.jsonl", as_lines(names))
    desk.write("m.yaml", manifest(f"{{id: j, model: z-image, {FORMS[place]}, data: {{file: rows.jsonl}}}}"))
    told = desk.run("run", "m.yaml", "--yes")

    assert told.code == 0, told.err[-2000:]
    assert len(results(desk)) == len(names)


def test_a_value_in_the_manifest_is_a_plain_name_or_refused(desk: Desk) -> None:
    """As an axis, and so as the item's key and its default name: each alone through `plan`, then all to disk."""
    taken = []
    for name in NAMES:
        desk.write("m.yaml", _axis([name]))
        told = desk.run("plan", "m.yaml", "-o", "plan.json", "--json")
        assert told.code in {0, 2}, told.err
        assert (desk.folder / "plan.json").exists() is (told.code == 0)
        (desk.folder / "plan.json").unlink(missing_ok=True)
        taken += [name] if told.code == 0 else []
    desk.write("m.yaml", _axis(taken))
    told = desk.run("run", "m.yaml", "--yes")

    assert told.code == 0, told.err[-2000:]
    assert len(taken) > 120
    assert len(results(desk)) == len(taken)


def _axis(values: list[str]) -> str:
    grid = f"{{vars.x: {json.dumps(values)}}}"
    return manifest(f"{{id: j, model: z-image, prompt: 'a {{{{ vars.x }}}}', matrix: {{grid: {grid}}}}}")


@pytest.mark.parametrize("name", WRITTEN, ids=range(len(WRITTEN)))
def test_a_name_that_leads_elsewhere_is_refused_with_its_place(name: str, desk: Desk) -> None:
    for job in (f"{{id: j, model: z-image, prompt: a, output: {json.dumps(name)}}}",):
        desk.write("m.yaml", manifest(job))
        told = desk.run("check", "m.yaml", "--json")

        assert told.code == 2
        (finding,) = json.loads(told.out)["findings"]
        assert finding["code"] in {"output-name", "output-ext", "control-character"}
        assert finding["line"] > 1
        assert desk.stage.requests == []


# --- names that the service chooses -----------------------------------------------------------------------------------

# What a result's address, its headers and the task say about its name.
SAID: tuple[str, ...] = (
    "../../../evil.png",
    "/etc/cron.d/evil",
    "evil.exe",
    "evil.html",
    "evil.svg",
    "..%2f..%2fevil.png",
    "evil.png\u0000.exe".replace("\u0000", "%00"),
    "C:%5Cevil.png",
    "con.png",
    ".bashrc",
    "-rf",
    "x" * 300 + ".png",
    "%E2%80%AEgnp.exe",
    "a;b|c.png",
    "evil.png.php",
    "index.html%20",
)


@pytest.mark.parametrize("name", SAID, ids=range(len(SAID)))
def test_what_the_service_calls_a_file_does_not_name_it(name: str, desk: Desk) -> None:
    def say(request: SimRequest, answer: SimResponse) -> SimResponse:
        if request.path.startswith("/api/v1/generations/"):
            said = json.loads(answer.body)
            if said.get("result"):
                address = f"{desk.stage.origin}/results/{name.lstrip('/')}"
                said["result"] = {"primary_url": address, "urls": [address], "filename": name, "content_type": name}
                return replace(answer, body=json.dumps(said).encode())
        if not request.path.startswith("/api/"):
            return answered(
                answer, 200, _PNG, content_type="text/html", content_disposition=f'attachment; filename="{name}"'
            )
        return answer

    desk.stage.play(twist=say)
    desk.write("m.yaml", manifest())
    told = desk.run("run", "m.yaml", "--yes")

    assert told.code in {0, 3}
    assert [file.suffix for file in results(desk)] in ([".png"], [])
    assert all("evil" not in file.name for file in results(desk))


_PNG = (Path(__file__).parents[2] / "manifests/assets/shoe.png").read_bytes()

# A result that is something else than media, whatever it is called: it is kept, and opens with nothing.
BODIES: dict[str, tuple[str, bytes]] = {
    "a page": ("image/png", b"<!doctype html><script>alert(1)</script>"),
    "a page behind blanks": ("image/png", b"\n" * 600 + b"<html><script>alert(1)</script>"),
    "a drawing": ("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"),
    "a drawing with a head": ("image/png", b"<?xml version='1.0'?><svg onload='alert(1)'/>"),
    "a script": ("video/mp4", b"#!/bin/sh\nrm -rf ~\n"),
    "a program": ("image/png", b"\x7fELF\x02\x01\x01" + bytes(100)),
    "a program for Windows": ("image/png", b"MZ\x90\x00" + bytes(100)),
    "a program for macOS": ("image/png", b"\xcf\xfa\xed\xfe" + bytes(100)),
    "a class": ("image/png", b"\xca\xfe\xba\xbe" + bytes(100)),
    "an archive": ("image/png", b"PK\x03\x04" + bytes(100)),
    "a packed archive": ("image/png", b"\x1f\x8b\x08" + bytes(100)),
    "a document": ("image/png", b"%PDF-1.7\n/JavaScript"),
    "an old document": ("image/png", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100)),
    "a shortcut": ("image/png", b"[InternetShortcut]\nURL=file:///etc/passwd\n"),
    "a starter": ("image/png", b"[Desktop Entry]\nType=Application\nExec=sh -c id\n"),
    "a playlist": ("video/mp4", b"#EXTM3U\nfile:///etc/passwd\n"),
    "a pickle": ("image/png", b"\x80\x04cos\nsystem\n(S'id'\ntR."),
    "JSON": ("image/png", b'{"error": "no"}'),
    "nothing": ("image/png", b""),
    "half a picture": ("image/png", _PNG[: len(_PNG) // 2]),
    "a picture with no end": ("image/png", _PNG[:60]),
    "text": ("text/plain", b"just text"),
}


@pytest.mark.parametrize("what", BODIES)
def test_what_is_no_media_is_kept_where_nothing_opens_it(what: str, desk: Desk) -> None:
    mime, body = BODIES[what]

    def say(request: SimRequest, answer: SimResponse) -> SimResponse:
        return answered(answer, 200, body, content_type=mime) if request.path.startswith("/results/") else answer

    desk.stage.play(twist=say)
    desk.write("m.yaml", manifest())
    told = desk.run("run", "m.yaml", "--yes")

    assert told.code == 3
    assert [file.suffix for file in results(desk)] == [".quarantine"]
    assert "quarantined" in told.err


def test_a_picture_with_a_page_behind_it_is_a_picture(desk: Desk) -> None:
    def say(request: SimRequest, answer: SimResponse) -> SimResponse:
        if not request.path.startswith("/results/"):
            return answer
        return answered(answer, 200, _PNG + b"<script>alert(1)</script>", content_type="text/html")

    desk.stage.play(twist=say)
    desk.write("m.yaml", manifest())

    assert desk.run("run", "m.yaml", "--yes").code in {0, 3}
    assert all(file.suffix in {".png", ".quarantine"} for file in results(desk))


# --- links in the way -------------------------------------------------------------------------------------------------

# What somebody put where a result, a folder, a sidecar or the ledger should go, before the run.
LINKS: dict[str, tuple[str, str]] = {
    "the run's folder": ("out/m/a", "../../../outside"),
    "the run's folder, absolute": ("out/m/a", "/"),
    "a deeper folder": ("out/m/a/b", "../../../../outside"),
    "the file": ("out/m/a/b/c.png", "../../../../../outside/x"),
    "the file, absolute": ("out/m/a/b/c.png", "/etc/passwd"),
    "the sidecar": ("out/m/a/b/c.png.json", "../../../../../outside/x"),
    "the part": ("out/m/a/b/.c.part", "../../../../../outside/x"),
    "a link to itself": ("out/m/a", "a"),
    "a link to nothing": ("out/m/a/b", "nowhere"),
    "a link inside": ("out/m/a", "."),
}


@pytest.mark.parametrize("place", LINKS)
def test_no_link_leads_a_result_away(place: str, desk: Desk) -> None:
    link, target = LINKS[place]
    (desk.folder / link).parent.mkdir(parents=True)
    (desk.folder / link).symlink_to(target)
    desk.write("m.yaml", manifest("{id: j, model: z-image, prompt: a, output: a/b/c}"))
    told = desk.run("run", "m.yaml", "--yes")

    assert told.code in {0, 9}, told.err
    assert list((desk.folder.parent / "outside").iterdir()) == []
    if (desk.folder / link).is_symlink():
        assert os.readlink(desk.folder / link) == target  # noqa: PTH115 - as it was written
    assert desk.stage.creates(), "the purchase does not depend on the folder"


# --- who may read it --------------------------------------------------------------------------------------------------


@pytest.fixture
def _no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_no_umask")
def test_nobody_else_reads_what_is_kept(desk: Desk) -> None:
    desk.write(
        "m.yaml", manifest("{id: j, model: z-image, prompt: 'a {{ vars.x }}', matrix: {grid: {vars.x: [1, 2]}}}")
    )
    assert desk.run("plan", "m.yaml", "-o", "plan.json").code == 0
    assert desk.run("run", "m.yaml", "--yes").code == 0
    for name, kind in (("r.json", "json"), ("r.csv", "csv"), ("r.jsonl", "jsonl"), ("r.txt", "table")):
        assert desk.run("results", "--format", kind, "-o", name).code == 0
    assert desk.run("run", "m.yaml", "--yes", "--sim").code == 0
    assert desk.run("models").code == 0
    store = [desk.folder / ".rivya", *(desk.folder / ".rivya").rglob("*")]
    exports = [desk.folder / name for name in ("plan.json", "r.json", "r.csv", "r.jsonl", "r.txt")]
    cache = [file for file in desk.home.rglob("models-*.json") if file.is_file()]
    sidecars = list((desk.folder / "out").rglob("*.json"))

    assert len(store) >= 4
    assert sidecars
    open_to_others = [path for path in (*store, *exports, *cache, *sidecars) if path.stat().st_mode & 0o077]
    assert [f"{path.name} {stat.filemode(path.stat().st_mode)}" for path in open_to_others] == []
