"""What `check` says of notification addresses, and what it keeps to itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.render import findings_json, findings_text
from runner import notify_check
from runner.models_cache import packaged_catalogue
from runner.prepare import Checked, check_manifest
from runner.selection import Choices

MANIFEST = """\
version: 1
name: boats
notify: {{on: [failed], urls: [{urls}]}}
jobs:
  - {{id: one, model: z-image, prompt: a paper boat}}
"""
chats = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


def checked(folder: Path, *urls: str) -> Checked:
    file = folder / "boats.yaml"
    file.write_text(MANIFEST.format(urls=", ".join(f'"{url}"' for url in urls)), encoding="utf-8")
    return check_manifest(file, catalogue=packaged_catalogue(), choices=Choices())


@chats
def test_an_address_that_the_library_cannot_read_is_a_warning_at_its_place(tmp_path: Path) -> None:
    seen = checked(tmp_path, "https://example.com/x", "gotify://127.0.0.1/abcdefghijklmno", "slakc://TOKEN/TOKEN")

    (finding,) = seen.findings
    assert (finding.code, finding.severity) == ("notify-unknown", "warning")
    assert finding.place is not None
    assert finding.place.path == "notify.urls[2]"


def test_without_the_extra_an_address_of_a_chat_is_a_warning_that_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_check, "chat", lambda: None)

    (finding,) = checked(tmp_path, "slack://TOKEN/TOKEN/TOKEN", "https://example.com/x").findings

    assert (finding.code, finding.severity) == ("notify-extra", "warning")
    assert finding.help == "pip install 'rivya-batch[notify]'"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://10.0.0.1/TOKEN", "`https://10.0.0.1` will not be told: the address is not on a public address"),
        ("https://hooks.example.com:8443/TOKEN", "`https://hooks.example.com` will not be told: the address uses an"),
    ],
)
def test_a_webhook_that_would_be_refused_at_night_is_a_warning_today(tmp_path: Path, url: str, why: str) -> None:
    (finding,) = checked(tmp_path, "https://example.com/x", url).findings

    assert (finding.code, finding.severity) == ("notify-refused", "warning")
    assert finding.message.startswith(why)


def test_addresses_of_our_own_ask_no_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify_check, "chat", lambda: pytest.fail("apprise is not needed"))

    assert checked(tmp_path, "https://example.com/x", "http://localhost:8080/y").findings == ()


@chats
def test_no_finding_of_any_kind_shows_what_is_secret_in_an_address(tmp_path: Path) -> None:
    seen = checked(
        tmp_path,
        "https://hooks.example.com/TOKEN?x=TOKEN",
        "slakc://TOKEN/TOKEN",
        "http://example.com/TOKEN",
        "https://me:TOKEN@example.com",
        "jsons://TOKEN",
        "mailto://me:TOKEN@example.com",
        "TOKEN",
    )

    assert len(seen.findings) == 4
    shown = findings_text(seen.findings, seen.texts) + repr(findings_json(seen.findings))
    assert shown.count("TOKEN") == shown.count('"TOKEN"'), "what is no address at all is the user's own slip"
    assert "https://hooks.example.com**************" in "".join(seen.texts.values())
