"""Profiles from text, and the catalogue as the service shows it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from runner.sim.profile import Profile, ProfileError, Window, profile_from_pairs
from runner.sim.server import SimOptions, serve_forever
from tests.sim.conftest import Z_IMAGE, Talk, talk


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("create_status=202", 202),
        ("replay_status=first", "first"),
        ("replay_status=200", 200),
        ("idempotency=false", False),
        ("key_lifetime_s=none", None),
        ("key_lifetime_s=60", 60.0),
        ("tasks_at_once=4", 4),
        ("initial_credits=12", 12),
        ("fail_share=0.5", 0.5),
        ("fail_code=moderated", "moderated"),
        ("refund=late", "late"),
        ("remembers=4xx,5xx", ("4xx", "5xx")),
        ("remembers=", ()),
        ("gates_first=auth", ("auth",)),
        (
            "windows=creates:10/1,all:100/60",
            (Window(of="creates", limit=10, window_s=1.0), Window(of="all", limit=100, window_s=60.0)),
        ),
        ("durations=z-image:3,*:20", (("z-image", 3.0), ("*", 20.0))),
    ],
)
def test_a_setting_is_read_by_its_type(pair: str, value: object) -> None:
    assert getattr(profile_from_pairs([pair]), pair.partition("=")[0]) == value


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("speedy=1", "is not a profile setting"),
        ("keys=x", "is not a profile setting"),
        ("refund", "write name=value"),
        ("refund=maybe", "expected one of immediate, late, partial, none"),
        ("create_status=204", "expected one of 200, 201, 202"),
        ("idempotency=no", "expected one of true, false"),
        ("initial_credits=many", "initial_credits='many'"),
        ("windows=creates", "is not CLASS:LIMIT/SECONDS"),
        ("windows=downloads:1/1", "expected one of creates, polls, uploads, all"),
        ("windows=creates:0/1", "a window of 0 requests"),
        ("durations=z-image", "is not MODEL:SECONDS"),
    ],
)
def test_a_bad_setting_says_what_is_possible(pair: str, message: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(message)):
        profile_from_pairs([pair])


def test_every_switch_of_the_profile_is_thrown_by_some_test() -> None:
    sources = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    unused = [field.name for field in fields(Profile) if field.name not in sources]

    assert unused == []


@pytest.mark.parametrize(("models_detail", "bare"), [("full", False), ("bare", True)])
def test_the_list_of_models_shows_params_or_leaves_them_empty(models_detail: str, *, bare: bool) -> None:
    _, listing = talk(models_detail=models_detail).send("GET", "/api/v1/models")
    entry = next(entry for entry in listing["data"] if entry["id"] == "seedance-1-5-pro")

    assert listing["object"] == "list"
    assert (entry["params"] == [], entry["reference_media"] is None) == (bare, bare)
    assert entry["supported_modes"] == ["text-to-video", "image-to-video"]


def test_the_list_also_names_a_model_that_cannot_be_called_here(service: Talk) -> None:
    _, listing = service.send("GET", "/api/v1/models")

    assert {entry["api_status"] for entry in listing["data"]} == {"available", "studio_only"}


def test_answers_keep_to_the_openapi_document(service: Talk) -> None:
    _, document = service.send("GET", "/api/v1/openapi.json")

    def check(answer: Any, schema: str) -> None:
        wanted = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        jsonschema.validate(answer, wanted)

    _, task = service.create()
    check(Z_IMAGE, "CreateGeneration")
    check(task, "Generation")
    service.now_s += 3600
    check(service.status(task["id"]), "Generation")
    check(service.send("GET", "/api/v1/credits")[1], "Credits")
    check(service.send("GET", "/api/v1/models")[1], "ModelList")
    check(service.create(model="none")[1], "Error")
    check(service.upload(b"\x89PNG\r\n\x1a\n", kind="image")[1], "File")


def test_the_served_statuses_are_in_the_document() -> None:
    service = talk(create_status=202, replay_status=200, upload_status=201)
    paths = service.send("GET", "/api/v1/openapi.json")[1]["paths"]

    assert {"202", "200", "409"} <= set(paths["/api/v1/generations"]["post"]["responses"])
    assert "201" in paths["/api/v1/files"]["post"]["responses"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_simulator_for_people_says_where_it_is_and_stops_on_a_signal(number: signal.Signals) -> None:
    said: list[str] = []
    ready = asyncio.Event()

    def announce(line: str) -> None:
        said.append(line)
        ready.set()

    running = asyncio.create_task(serve_forever(SimOptions(fidelity="fast"), announce))
    await ready.wait()
    os.kill(os.getpid(), number)
    await running

    assert said[0].startswith("http://127.0.0.1:")
    assert "RIVYA_API_KEY=rvya_sk_sim_demo" in said[1]


def test_the_simulator_shares_nothing_with_the_runner() -> None:
    def imported(lines: Sequence[str]) -> list[str]:
        return [line for line in lines if re.match(r"(from|import) (jobs|runner)\b(?!\.sim)", line)]

    sources = Path(__file__).parents[2].joinpath("runner", "sim").glob("*.py")
    assert {
        path.name: imported(path.read_text().splitlines())
        for path in sources
        if imported(path.read_text().splitlines())
    } == {}
