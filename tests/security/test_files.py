"""S-14, S-15, S-20, S-30: what a manifest names is read as data, from ordinary files, and never fetched or run."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.security.stage import Desk, manifest

ROOT = Path(__file__).parents[2]
PNG = (ROOT / "manifests/assets/shoe.png").read_bytes()


def _loop(desk: Desk) -> str:
    (desk.folder / "a").symlink_to("b")
    (desk.folder / "b").symlink_to("a")
    return "a"


def _to_itself(desk: Desk) -> str:
    (desk.folder / "x").symlink_to("x")
    return "x"


def _to_nothing(desk: Desk) -> str:
    (desk.folder / "x.png").symlink_to("/nowhere/at/all.png")
    return "x.png"


def _to_a_device(desk: Desk) -> str:
    (desk.folder / "x.png").symlink_to("/dev/zero")
    return "x.png"


def _to_a_secret(desk: Desk) -> str:
    (desk.folder / "x.png").symlink_to("/etc/passwd")
    return "x.png"


def _fifo(desk: Desk) -> str:
    os.mkfifo(desk.folder / "x.png")
    return "x.png"


def _folder(desk: Desk) -> str:
    (desk.folder / "x.png").mkdir()
    return "x.png"


def _giant(desk: Desk) -> str:
    with (desk.folder / "x.png").open("wb") as file:
        file.write(PNG)
        file.truncate(1 << 40)
    return "x.png"


def _endless(desk: Desk) -> str:
    file = desk.write("x.png", PNG)
    os.truncate(file, 200 * 1024 * 1024)
    return "x.png"


def _holding(content: bytes) -> Callable[[Desk], str]:
    def put(desk: Desk) -> str:
        desk.write("x.png", content)
        return "x.png"

    return put


def _named(path: str) -> Callable[[Desk], str]:
    return lambda _: path


# What no reference, data file or prompt file can be.
PLACES: dict[str, Callable[[Desk], str]] = {
    "a loop of links": _loop,
    "a link to itself": _to_itself,
    "a link to nothing": _to_nothing,
    "a link to a device": _to_a_device,
    "a pipe": _fifo,
    "a folder": _folder,
    "a terabyte of nothing": _giant,
    "/dev/zero": _named("/dev/zero"),
    "/dev/random": _named("/dev/random"),
    "/dev/stdin": _named("/dev/stdin"),
    "/dev/fd/0": _named("/dev/fd/0"),
    "/dev/tty": _named("/dev/tty"),
    "/proc/self/mem": _named("/proc/self/mem"),
    "/proc/kmsg": _named("/proc/kmsg"),
    "/proc/self": _named("/proc/self"),
    "/": _named("/"),
    "here": _named("."),
    "above": _named(".."),
    "file:": _named("file:///etc/passwd"),
    "http:": _named("http://evil.test/x.png"),
    "https:": _named("https://evil.test/x.png"),
    "an address of here": _named("//127.0.0.1/x.png"),
    "ftp:": _named("ftp://evil.test/x.png"),
    "data:": _named("data:image/png;base64,AAAA"),
    "s3:": _named("s3://bucket/x.png"),
    "a share": _named("\\\\server\\share\\x.png"),
    "a command": _named("|id"),
    "a substitution": _named("$(id)"),
    "a home": _named("~root/x.png"),
    "a variable": _named("$HOME/x.png"),
    "a zero byte": _named("x\\0.png"),
    "nothing": _named(""),
    "a very long name": _named("x" * 5000),
    "very many folders": _named("x/" * 3000),
}

# What is an ordinary file, and still no reference: it would be sent to the service.
CONTENTS: dict[str, Callable[[Desk], str]] = {
    "nothing": _holding(b""),
    "a page": _holding(b"<html><script>alert(1)</script>"),
    "a drawing": _holding(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    "a key": _holding(b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"),
    "settings": _holding(b"RIVYA_API_KEY=x\n"),
    "a program": _holding(b"\x7fELF" + bytes(100)),
    "an archive": _holding(b"PK\x03\x04" + bytes(100)),
    "half a picture": _holding(PNG[:100]),
    "too large": _endless,
    "the passwords": _named("/etc/passwd"),
    "a link to the passwords": _to_a_secret,
    "what the process was started with": _named("/proc/self/environ"),
    "its command line": _named("/proc/self/cmdline"),
    "its memory map": _named("/proc/self/maps"),
}

_USES = {
    "reference": ("{id: j, model: nano-banana-2, prompt: a, references: [r]}", "references", "{r: {file: %s}}"),
    "prompt": ("{id: j, model: z-image, prompt: {file: %s}}", "", ""),
    "data": ("{id: j, model: z-image, prompt: '{{ row.a }}', data: {file: %s}}", "", ""),
}


def refused(desk: Desk, use: str, path: str) -> None:
    job, key, value = _USES[use]
    quoted = json.dumps(path).replace("\\\\0", "\\0")
    text = manifest(job.replace("%s", quoted), top={key: value.replace("%s", quoted)} if key else {})
    desk.write("m.yaml", text)
    began_s = time.process_time()
    told = desk.run("run", "m.yaml", "--yes", "--json")

    assert told.code == 2, told.text
    findings = json.loads(told.out.splitlines()[-1])["findings"]
    assert all(finding["line"] >= 1 for finding in findings)
    assert "root:" not in told.text
    assert desk.stage.requests == []
    assert time.process_time() - began_s < 1.0


@pytest.mark.parametrize("use", _USES)
@pytest.mark.parametrize("place", PLACES)
def test_only_ordinary_files_are_read(place: str, use: str, desk: Desk) -> None:
    refused(desk, use, PLACES[place](desk))


@pytest.mark.parametrize("content", CONTENTS)
def test_only_media_are_sent(content: str, desk: Desk) -> None:
    refused(desk, "reference", CONTENTS[content](desk))


# Keys that other tools run, load or send to; here they are mistakes.
HOOKS = (
    *(
        "hooks",
        "before",
        "after",
        "on_success",
        "on_failure",
        "pre",
        "post",
        "exec",
        "command",
        "run",
        "shell",
        "script",
    ),
    *(
        "include",
        "includes",
        "import",
        "extends",
        "plugins",
        "modules",
        "env",
        "environment",
        "base_url",
        "api_key_file",
    ),
    *("headers", "proxy", "callback", "webhook", "telemetry"),
)


@pytest.mark.parametrize("key", HOOKS)
def test_nothing_in_a_manifest_runs_or_loads_or_leads_away(key: str, desk: Desk) -> None:
    for text in (
        manifest(top={key: "touch pwned"}),
        manifest(f"{{id: j, model: z-image, prompt: a, {key}: [sh, -c, id]}}"),
    ):
        desk.write("m.yaml", text)
        told = desk.run("run", "m.yaml", "--yes")

        assert told.code == 2
        assert f"unknown key `{key}`" in told.err
        assert desk.files() == [desk.folder / "m.yaml"]
        assert desk.stage.requests == []
