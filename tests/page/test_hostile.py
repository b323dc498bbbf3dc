"""S-28 in a browser: whatever a prompt, a tag, a value or an error says, the page shows it, and nothing of it runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from runner.cli.entry import run_command
from runner.sim.exchange import SimRequest, SimResponse
from tests.security.payloads_html import XSS
from tests.security.stage import KEY, Stage, on_stage

# Attributes that could run something, wherever they come from; texts for readers may say what they like.
RUNS = """
  [...document.querySelectorAll('*')].flatMap((one) => [...one.attributes])
    .filter(({ name }) => !['title', 'aria-label', 'value', 'alt', 'data-count'].includes(name))
    .filter(({ name, value }) => name.startsWith('on') || /^\\s*javascript:/i.test(value)).length"""

Look = Callable[..., tuple[Page, Any]]

PAYLOADS = [payload for _, payload in XSS]
# What a manifest cannot hold is refused by `check`, long before there is a page.
WRITABLE = [text for text in PAYLOADS if text.strip() and all(sign in "\n\t" or sign.isprintable() for sign in text)]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with on_stage() as service:
        yield service


def literal(text: str) -> str:
    """A text that a template gives back as it is."""
    return "".join("{{ '{' }}" if sign == "{" else sign for sign in text)


def twist(request: SimRequest, answer: SimResponse) -> SimResponse:
    """Every second create is refused, in the words of its own prompt."""
    if request.path != "/api/v1/generations" or answer.status >= 400:
        return answer
    prompt = json.loads(request.body)["prompt"]
    if not prompt.startswith("refuse "):
        return answer
    body = {
        "error": {"code": "validation_failed", "message": prompt.removeprefix("refuse "), "request_id": f"req_{prompt}"}
    }
    return replace(answer, status=422, body=json.dumps(body).encode(), media=None)


def test_a_hundred_payloads_in_every_text_of_a_page_are_shown_and_none_runs(
    stage: Stage, look: Look, run: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.play(twist=twist)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RIVYA_API_KEY", KEY)
    monkeypatch.setenv("RIVYA_BASE_URL", stage.origin)
    jobs = [
        {
            "id": kind,
            "model": "z-image",
            "prompt": f"{kind} {{{{ vars.text }}}}",
            "tags": ["{{ vars.text }}"],
            "matrix": {"grid": {"vars.text": [literal(text) for text in WRITABLE]}},
        }
        for kind in ("make", "refuse")
    ]
    limits = {"creates": "500/s", "polls": "500/s", "in_flight": 64, "first_poll": "10ms", "poll_gap": "10ms"}
    text = json.dumps({"version": 1, "name": "hostile", "budget": {"credits": 9999}, "limits": limits, "jobs": jobs})
    (tmp_path / "hostile.yaml").write_text(text, encoding="utf-8")
    assert len(set(WRITABLE)) >= 100

    assert run("run", "hostile.yaml") == 3
    assert run_command(["report", "-q"]) == 0
    page, seen = look((tmp_path / "out/hostile/report.html").as_uri())

    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # draws everything there is
    for view in "1234":
        page.keyboard.press(view)
        assert page.locator("script").count() == 2
        assert (
            page.evaluate(
                "document.querySelectorAll('iframe, object, embed, form:not(#follow form), base, style + style').length"
            )
            == 0
        )
    told = page.locator("main").inner_text()
    assert "<script>alert(1)</script>" in told
    page.keyboard.press("2")
    for _ in range(12):
        page.keyboard.press("j")
        page.keyboard.press("x")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    assert page.evaluate(RUNS) == 0
    assert {address.partition(":")[0] for address in seen.requests} <= {"file", "data", "blob"}
    assert page.url.startswith("file://")
