"""`report`: one page of any run, wherever it stands, with honest words for what it cannot show."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from runner.cli.entry import run_command
from runner.report import page_file, posters
from runner.report.posters import poster_bytes

MANIFEST = """\
version: 1
name: boats
budget: {credits: 50}
limits: {creates: 50/s, polls: 50/s, in_flight: 8, first_poll: 10ms, poll_gap: 10ms}
jobs:
  - id: boat
    model: z-image
    prompt: "a paper boat in {{ vars.colour }}"
    matrix: {grid: {vars.colour: [red, blue, green]}}
    report: {x: vars.colour}
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run one command line in a folder with a manifest, against the simulator: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boats.yaml").write_text(MANIFEST, encoding="utf-8")

    def run(*args: str) -> tuple[int, str, str]:
        code = run_command([*args, "--sim"])
        streams = capfd.readouterr()
        return code, streams.out, streams.err

    return run


def model(page: Path) -> dict[str, Any]:
    data = page.read_text(encoding="utf-8").partition('id="data">')[2].partition("</script>")[0]
    told: dict[str, Any] = json.loads(data)
    return told


def test_the_page_lies_beside_the_results_and_names_them_from_there(command: Command) -> None:
    assert command("run", "boats.yaml", "--yes", "-q")[0] == 0
    code, out, err = command("report")
    page = Path("out/boats/report.html")

    assert (code, out) == (0, "out/boats/report.html\n")
    assert "3 items, " in err
    told = model(page)
    assert [item["state"] for item in told["items"]] == ["succeeded"] * 3
    for item in told["items"]:
        (file,) = item["files"]
        assert (page.parent / file["src"]).is_file()
        assert (page.parent / file["poster"]).is_file()
    assert told["jobs"][0]["layout"]["x"] == 0
    assert told["credits"][-1][1:] == [3, 0], "where the books are"
    assert str(Path.cwd()) not in page.read_text(encoding="utf-8")

    code, out, _ = command("report", "--json", "-o", "elsewhere.html")
    assert json.loads(out) == {"report": "elsewhere.html", "bytes": Path("elsewhere.html").stat().st_size, "items": 3}
    assert model(Path("elsewhere.html"))["items"][0]["files"][0]["src"].startswith("./out/boats/boat/")


def test_an_unfinished_run_and_results_that_are_gone_are_told_as_they_are(command: Command) -> None:
    assert command("run", "boats.yaml", "--yes", "-q", "--limit", "2")[0] == 0
    lost = next(Path("out").rglob("*.png"))
    lost.unlink()
    assert command("report", "-q")[0] == 0

    told = model(Path("out/boats/report.html"))
    states = [(item["state"], [file["state"] for file in item.get("files", [])]) for item in told["items"]]
    assert sorted(states) == [("planned", []), ("succeeded", ["missing"]), ("succeeded", ["verified"])]
    assert told["run"]["counts"] == {"succeeded": 2, "planned": 1}


def test_an_embedded_page_needs_nothing_beside_it(command: Command) -> None:
    assert command("run", "boats.yaml", "--yes", "-q")[0] == 0
    assert command("report", "--embed", "-o", "mail.html")[0] == 0

    files = [item["files"][0] for item in model(Path("mail.html"))["items"]]
    assert all(file["src"].startswith("data:image/png;base64,") for file in files)
    assert not Path("mail-posters").exists()


def test_what_is_too_much_for_a_mail_is_refused_before_anything_is_written(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_file, "EMBED_BYTES_MAX", 1000)
    assert command("run", "boats.yaml", "--yes", "-q")[0] == 0
    code, _, err = command("report", "--embed", "-o", "mail.html")

    assert code == 2
    assert "error[embed-too-large]" in err
    assert "leave --embed out" in err
    assert not Path("mail.html").exists()


def test_without_the_media_extra_there_are_no_posters_and_images_stand_for_themselves(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("run", "boats.yaml", "--yes", "-q")[0] == 0
    monkeypatch.setattr(posters, "av", None)
    assert command("report", "-q")[0] == 0

    assert not Path("out/boats/report-posters").exists()
    assert "poster" not in model(Path("out/boats/report.html"))["items"][0]["files"][0]


def test_posters_are_drawn_once(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command("run", "boats.yaml", "--yes", "-q")[0] == 0
    assert command("report", "-q")[0] == 0

    def drawn_again(path: Path, mime: str | None) -> bytes | None:
        raise AssertionError(path)

    monkeypatch.setattr(posters, "poster_bytes", drawn_again)
    assert command("report", "-q")[0] == 0
    assert "poster" in model(Path("out/boats/report.html"))["items"][0]["files"][0]


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (b"", "video/mp4"),
        (b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 90, "video/mp4"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"#EXTM3U\nhttps://x.test/a.ts\n", "video/mp4"),
        (b"<svg onload='alert(1)'/>", "image/svg+xml"),
        (b"words", "text/plain"),
        (b"words", None),
    ],
)
def test_what_cannot_be_read_has_no_poster(content: bytes, mime: str | None, tmp_path: Path) -> None:
    file = tmp_path / "result"
    file.write_bytes(content)
    assert poster_bytes(file, mime) is None


def test_there_is_no_page_without_a_run_and_it_says_so(command: Command) -> None:
    code, _, err = command("report")
    assert code == 2
    assert "error[ledger-missing]" in err


def test_the_live_page_ends_at_ctrl_c_also_while_somebody_watches(command: Command) -> None:
    assert command("run", "boats.yaml", "--yes", "-q")[0] == 0
    words = [sys.executable, "-m", "runner", "serve", "boats", "--sim", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as serving:
        assert serving.stdout is not None
        address = urlsplit(json.loads(b"".join(serving.stdout.readline() for _ in range(4)))["url"])
        assert address.hostname == "127.0.0.1"
        assert len(address.path) > 30
        watching = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=10)
        watching.request("GET", f"{address.path}events?from=0")
        answer = watching.getresponse()
        assert answer.getheader("Content-Type") == "text/event-stream"
        assert answer.readline() == b"retry: 2000\n"

        serving.send_signal(signal.SIGINT)

        assert serving.wait(10) == 0
        watching.close()
        assert b"Traceback" not in serving.stderr.read()  # type: ignore[union-attr]
