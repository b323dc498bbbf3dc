"""Picks become the next step: a file for `--select`, and a manifest that passes `check` and runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from jobs.lifecycle import ItemState
from runner.cli.entry import run_command
from runner.views import result_rows

Look = Callable[..., tuple[Page, Any]]
SIM = Path(".rivya/sim.db")
# The usual patience with a service is nothing to wait for here; what was exported was checked without it.
HASTE = "limits: {creates: 50/s, polls: 50/s, first_poll: 10ms, poll_gap: 10ms}\n"


def pick(page: Page, *places: int) -> None:
    for place in places:
        page.locator("main > section:not([hidden]) .cell").nth(place).focus()
        page.keyboard.press("x")


def saved(page: Page, action: Callable[[], None], folder: Path) -> Path:
    with page.expect_download() as download:
        action()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def manifest(page: Page, folder: Path, **changes: str) -> Path:
    page.locator("[data-do=follow]").click()
    for name, value in changes.items():
        if name in {"name", "budget", "repeat"}:
            page.locator(f"[data-field={name}]").fill(value)
        else:
            page.locator(f"[data-change={name}]").select_option(value)
    return saved(page, page.locator("[data-do=download]").click, folder)


def test_three_cells_are_marked_bought_again_at_a_higher_resolution_and_shown(
    ran: Any, look: Look, run: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    page, _ = look(ran.address)
    pick(page, 0, 1, 5)
    expect(page.locator("#tray strong")).to_have_text("3 picks")

    file = manifest(page, ran.folder, resolution="720p")

    assert file.name == "reveal-picks.yaml"
    assert run_command(["check", str(file)]) == 0
    assert "warning" not in capfd.readouterr().err
    text = file.read_text(encoding="utf-8")
    file.write_text(text + HASTE, encoding="utf-8")
    assert run("run", str(file), "--sim") == 0
    before = {row.item: row for row in result_rows(SIM, "reveal")}
    rows = list(result_rows(SIM, "reveal-picks"))
    chosen = [
        before[f"motion/vars.surface={surface},params.aspectRatio=16:9,params.fixed_lens={lens}"]
        for surface, lens in (("marble", "true"), ("asphalt", "true"), ("linen", "false"))
    ]
    assert [row.state for row in rows] == [ItemState.SUCCEEDED] * 3
    assert [row.prompt for row in rows] == [row.prompt for row in chosen], "braces, quotes and all"
    assert [row.params for row in rows] == [{**row.params, "resolution": "720p"} for row in chosen]
    assert [row.axes["vars.surface"] for row in rows] == ["marble", "asphalt", "linen"]
    assert run_command(["report", "--sim", "-q"]) == 0
    following, _ = look((ran.folder / "out/reveal-picks/report.html").as_uri())
    expect(following.locator("table.matrix thead th")).to_have_count(4)


def test_what_is_picked_as_it_was_is_bought_already_and_costs_nothing(ran: Any, look: Look, capfd: Any) -> None:
    page, _ = look(ran.address + "#sheet")
    pick(page, 0, 7, 12)
    file = manifest(page, ran.folder, name="again", budget="500")

    assert run_command(["plan", str(file), "--sim", "--json"]) == 0
    plan = json.loads(capfd.readouterr().out)
    assert {name: plan[name] for name in ("items", "done", "new")} == {"items": 3, "done": 3, "new": 0}


def test_repeats_of_one_cell_are_one_and_each_can_be_asked_for_several_times(ran: Any, look: Look, capfd: Any) -> None:
    page, _ = look(ran.address + "#sheet")
    pick(page, 12, 13)
    file = manifest(page, ran.folder, repeat="3")

    assert run_command(["plan", str(file), "--sim", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["items"] == 3


def test_the_file_of_picks_has_a_line_for_each_that_fits_that_item_alone(ran: Any, look: Look, capfd: Any) -> None:
    page, _ = look(ran.address + "#sheet")
    pick(page, 3, 13)
    file = saved(page, lambda: page.keyboard.press("p"), ran.folder)

    assert file.name == "picks.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    keys = [row.item for row in result_rows(SIM, "reveal")]
    assert lines[0].startswith("# 2 picked of reveal: ")
    assert [[key for key in keys if fnmatchcase(key, line)] for line in lines[1:]] == [[keys[3]], [keys[13]]]
    assert run_command(["plan", "reveal.yaml", "--sim", "--json", "--select", f"@{file}"]) == 0
    assert json.loads(capfd.readouterr().out)["items"] == 2


def test_marks_stay_when_the_page_is_opened_again_and_go_when_they_are_cleared(ran: Any, look: Look) -> None:
    page, _ = look(ran.address)
    pick(page, 0, 2)
    page.reload()
    expect(page.locator("#tray strong")).to_have_text("2 picks")
    expect(page.locator(".cell.picked")).to_have_count(2)
    page.locator("[data-do=compare]").click()
    expect(page.locator("#viewer .compare > *")).to_have_count(2)
    page.keyboard.press("Escape")
    page.locator("[data-do=clear]").click()
    expect(page.locator("#tray")).to_be_hidden()
    expect(page.locator(".cell.picked")).to_have_count(0)


def test_without_the_manifest_the_next_one_says_what_is_lacking(ran: Any, look: Look) -> None:
    (ran.folder / "reveal.yaml").unlink()
    assert run_command(["report", "--sim", "-q"]) == 0
    page, _ = look(ran.address)
    pick(page, 0)
    text = manifest(page, ran.folder).read_text(encoding="utf-8")

    assert "# lacking: the manifest of this run cannot be read any more" in text
    assert "references:" not in [line.strip() for line in text.splitlines()]
    assert "# lacking: 1 reference file it was made with" in text
