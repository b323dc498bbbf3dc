"""What belongs around a life: whoever is told of it is not told the key, whatever an error says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from runner import launch as launching
from runner.errors import AuthError
from runner.launch import Launch
from runner.onward import Onward
from runner.prepare import prepare
from runner.sim.profile import DEMO_KEY
from runner.testing import MemoryPoster
from tests.runner.trial import PLAIN, Desk


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(folder=tmp_path)


@pytest.mark.parametrize("said", [str, lambda key: f"Bearer {key}, and more"], ids=["alone", "among words"])
async def test_a_notification_never_holds_the_key_not_even_one_that_an_error_says_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, said: Callable[[str], str]
) -> None:
    poster = MemoryPoster()
    monkeypatch.setattr(launching, "AiohttpPoster", lambda: poster)
    manifest = desk.write()
    text = manifest.read_text(encoding="utf-8") + "notify: {on: [failed], urls: ['https://hooks.example/x']}\n"
    manifest.write_text(text, encoding="utf-8")
    onward = Onward(command="rivya-batch run trial.yaml")
    prepared = prepare(manifest, settings=desk.settings, choices=PLAIN)
    launch = Launch(prepared=prepared, settings=desk.settings, onward=onward, warn=pytest.fail)

    with pytest.raises(AuthError):
        await launch.fail(AuthError(said(DEMO_KEY)))

    ((_, _, body),) = poster.posts
    assert b'"event":"failed"' in body
    assert DEMO_KEY.encode() not in body
