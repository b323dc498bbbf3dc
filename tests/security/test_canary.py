"""S-03, S-04: one key, a service that says it back in every way we could think of, and then a search for it."""

from __future__ import annotations

import io
from typing import Final

import pytest

from tests.security.canary import SOUGHT, everything, set_out
from tests.security.canary_answers import MODES, Mode, kind_of, page
from tests.security.leak_search import found_in
from tests.security.stage import KEY, Desk

LOOKS: Final = (("show", "j", "-v"), ("results", "--json", "-o", "r.json"), ("results", "--format", "csv"))
ALL_LOOKS: Final = (
    ("status",),
    ("status", "--json"),
    ("show", "j"),
    ("show", "j", "--json", "-v"),
    ("results",),
    ("results", "--format", "jsonl", "-o", "r.jsonl"),
    ("results", "--format", "csv", "-o", "r.csv"),
    ("plan", "m.yaml", "-o", "plan.json"),
    ("plan", "m.yaml", "--explain"),
    ("run", "m.yaml", "--yes"),
    ("retry", "--failed", "--yes"),
    ("doctor", "-vv"),
    ("doctor", "--json"),
    ("credits", "-vv"),
    ("credits", "--json"),
    ("models", "z-image"),
    ("ls",),
    ("ls", "--json"),
    ("explain", "key-refused"),
    ("check", "m.yaml", "-vv"),
    ("schema",),
)


@pytest.mark.parametrize("name", MODES)
def test_the_key_is_nowhere_whatever_the_service_says(name: str, desk: Desk, logs: io.StringIO) -> None:
    mode = MODES[name]
    desk.stage.play(twist=mode.twist(), faults=mode.faults, **mode.profile)
    set_out(desk)

    told = desk.run("run", "m.yaml", "--yes", "-vv", *(["--json"] if len(name) % 2 else []))
    for look in LOOKS:
        desk.run(*look)

    assert told.code in ({mode.code} if mode.code is not None else {0, 3, 4, 7, 8})
    asked = {kind_of(request) for request in desk.stage.requests}
    assert mode.at in asked or mode.faults or mode.profile, "what should fail was never asked"
    assert all("authorization" not in one.headers for one in desk.stage.requests if kind_of(one) == "result")
    assert all(KEY not in request.path + request.query for request in desk.stage.requests)
    assert found_in(everything(desk, logs), SOUGHT) == []


def test_the_key_is_nowhere_whatever_is_asked(desk: Desk, logs: io.StringIO) -> None:
    desk.stage.play(twist=Mode(at="poll", say=page(500)).twist())
    set_out(desk)
    assert desk.run("run", "m.yaml", "--yes", "-vv").code == 0
    for look in ALL_LOOKS:
        told = desk.run(*look)
        assert told.code in {0, 2}, (look, told.err)

    assert found_in(everything(desk, logs), SOUGHT) == []
