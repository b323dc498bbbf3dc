"""What did not go well, and what somebody did about it: counted, told in place, with what to type next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobs.lifecycle import EventType, ItemState
from jobs.record import Event, Record, fold
from jobs.report.document import document
from jobs.report.facts import FileState, Happening, LifeSpan, NoteLine, ReportFile, ReportItem, ReportRun, Source
from jobs.report.page_model import page_model
from runner.models_cache import packaged_catalogue
from runner.report.parts import page_parts

Look = Callable[..., tuple[Page, Any]]
Step = tuple[EventType, float, dict[str, object]]

REFUSED: dict[str, object] = {"code": "validation_failed", "message": "no such thing", "request_id": "req_1"}


def intent(name: str, at_s: float) -> Step:
    data = {"epoch": 0, "ordinal": 0, "key": f"k{name}", "bound": 28, "price_class": "c", "scope": "tried"}
    return EventType.INTENT, at_s, {**data, "server_at_s": at_s}


DONE: list[Step] = [
    (EventType.ACCEPTED, 12.0, {"task_id": "task_1", "reserved_credits": 28}),
    (EventType.SUCCEEDED, 20.0, {"final_credits": 28, "charge": 28, "urls": ["https://x.test/1.mp4"]}),
]
# light -> how it went after its intent
COURSES: Mapping[str, list[Step]] = {
    "neon": DONE,
    "dusk": DONE,
    "moon": [(EventType.REJECTED, 13.0, REFUSED)],
    "noon": [(EventType.REJECTED, 14.0, REFUSED)],
    "dawn": [(EventType.UNCERTAIN, 30.0, {"code": "uncertain", "message": "it may have arrived"})],
}
NOTES = (
    NoteLine(at_s=20, name="tuned", text="ada: budget 500 -> 900 credits", is_steering=True, budget=(500, 900)),
    NoteLine(at_s=25, name="rate", text="creates slowed to 30/min: HTTP 429"),
    NoteLine(at_s=30, name="shut", text="2 items were refused alike"),
)


def tried(light: str, state: FileState) -> tuple[ReportItem, list[Happening]]:
    steps: list[Step] = [(EventType.PLANNED, 10.0, {}), intent(light, 11.0), *COURSES[light]]
    record: Record | None = None
    for kind, at_s, data in steps:
        record = fold(record, Event(type=kind, at_s=at_s, identity=light, data=data))
    assert record is not None
    done = record.state is ItemState.SUCCEEDED
    file = ReportFile(n=1, state=state, src=None if state == "missing" else "./1.mp4", name="1.mp4", type="video/mp4")
    item = ReportItem(
        key=f"shot/vars.light={light}",
        job="shot",
        model="seedance-1-5-pro",
        prompt=f"a boat at {light}",
        params={"resolution": "480p"},
        axes={"vars.light": light},
        tags=(),
        repeat=1,
        reference_digests=(),
        record=record,
        files=(file,) if done else (),
    )
    told = [Happening(at_s=at_s, life_id=1, identity=light, type=kind, data=data) for kind, at_s, data in steps]
    return item, told


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = [tried(light, "missing" if light == "dusk" else "verified") for light in COURSES]
    run = ReportRun(
        run_id="tried",
        name="tried",
        edition="",
        state="ended",
        exit_code=7,
        lives=(LifeSpan(life_id=1, started_s=10.0, ended_s=40.0),),
        counts={ItemState.SUCCEEDED: 2, ItemState.REJECTED: 2, ItemState.UNCERTAIN: 1},
        settled=56,
        reserved=28,
        uncertain=28,
        cap_credits=900,
        made_at_s=50.0,
        notes=NOTES,
    )
    happened = sorted((event for _, events in made for event in events), key=lambda event: event.at_s)
    items = [item for item, _ in made]
    model = page_model(run, items, happened, catalogue=packaged_catalogue(), source=Source())
    page: Path = tmp_path_factory.mktemp("tried") / "report.html"
    page.write_text(document(page_parts(), model), encoding="utf-8")
    return page.as_uri()


def test_charts_show_when_the_run_was_steered_and_slowed_and_which_cap_held_then(address: str, look: Look) -> None:
    page, _ = look(address + "#charts")
    for title in ("Credit burn-down", "At work", "Timeline"):
        chart = page.get_by_role("group", name=title)
        for kind in ("steered", "paced", "noted"):
            expect(chart.locator(f"svg .mark.{kind}")).to_have_count(1)
    expect(page.locator(".notes li span")).to_have_text([note.text for note in NOTES])
    expect(page.locator(".notes time")).to_have_text(["+10s", "+15s", "+20s"])

    mark = page.get_by_role("group", name="At work").locator("svg .mark.steered path").bounding_box()
    assert mark is not None
    page.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + 40)
    expect(page.locator("#tip")).to_contain_text("ada: budget 500 -> 900 credits")
    page.keyboard.press("1")
    expect(page.locator("#tip")).to_be_hidden()

    cap = page.locator("path.cap").get_attribute("d")
    assert cap is not None
    assert len(set(re.findall(r"V([\d.]+)", cap))) == 2, "500, then 900"


def test_what_failed_is_in_doubt_or_is_gone_is_counted_and_found(address: str, look: Look) -> None:
    page, _ = look(address + "#sheet")
    expect(page.locator(".headline .bad")).to_have_text("4need a look")
    expect(page.locator("#tab-trouble")).to_have_attribute("data-count", "4")
    page.locator("[data-filter=lost]").click()
    expect(page.locator("#view-sheet .cell")).to_have_count(1)
    expect(page.locator("#view-sheet .cell")).to_contain_text("file missing")
    expect(page.locator("#view-sheet .cell")).to_have_attribute("data-state", "doubt")


def test_every_trouble_says_what_to_type_next_and_its_items_can_be_picked(address: str, look: Look) -> None:
    page, _ = look(address + "#trouble")
    expect(page.locator(".trouble h2")).to_have_text(["validation_failed", "uncertain", "no file to show"])
    expect(page.locator(".trouble .next code")).to_have_text(
        ["rivya-batch retry tried --failed", "rivya-batch show dawn --run tried"]
    )
    expect(page.locator(".notes li span")).to_have_text(["2 items were refused alike"])  # steering is no trouble

    page.locator(".trouble").first.get_by_role("button", name="Pick these 2").click()
    expect(page.locator("#tray strong")).to_have_text("2 picks")
    expect(page.locator("#toast")).to_be_visible()
    page.locator(".trouble .link").first.click()
    expect(page.locator("#viewer .next code")).to_have_text("rivya-batch retry tried --select shot/vars.light=moon")
    expect(page.locator("#viewer [data-do=pick]")).to_have_text("Picked ✓")
    page.keyboard.press("x")
    expect(page.locator("#viewer [data-do=pick]")).to_have_text("Pick")
    expect(page.get_by_role("button", name="Previous")).to_have_count(0)  # it was opened from no view of cells


def test_two_results_are_compared_by_what_they_differ_in_and_one_is_kept(address: str, look: Look) -> None:
    page, _ = look(address + "#sheet")
    for place in (0, 2):
        page.locator("#view-sheet .cell").nth(place).focus()
        page.keyboard.press("x")
    page.locator("[data-do=compare]").click()
    expect(page.locator(".versus tbody th")).to_have_text(["light", "cost", "waited", "generated in"])
    expect(page.locator(".versus tbody tr").first).to_have_text("lightneonmoon")
    page.get_by_role("button", name="Keep left alone").click()
    expect(page.locator("#tray strong")).to_have_text("1 pick")
    expect(page.locator(".cell.picked")).to_have_attribute("data-id", "neon")


def test_arrows_lead_from_tab_to_tab(address: str, look: Look) -> None:
    page, _ = look(address)
    page.locator("#tabs [aria-selected=true]").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(
        page.locator("#tab-charts, #tab-trouble, #tab-sheet, #tab-matrix").and_(page.locator(":focus"))
    ).to_have_attribute("aria-selected", "true")
    expect(page.locator("#tabs [tabindex='0']")).to_have_count(1)
