"""Looking at results: pointing plays, the keyboard goes everywhere, filters find, and nothing is loaded unasked."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

Look = Callable[..., tuple[Page, Any]]

PLAYING = "[...document.querySelectorAll('video')].filter((one) => !one.paused).length"


def until(page: Page, expression: str) -> None:
    """Wait for an expression to be true; the page's policy lets nobody evaluate one inside of it."""
    for _ in range(1200):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(expression)


def cells(page: Page) -> Any:
    return page.locator("main > section:not([hidden]) .cell")


def test_nothing_of_a_clip_is_loaded_before_it_is_pointed_at_and_then_that_one_plays_muted(
    ran: Any, look: Look
) -> None:
    page, seen = look(ran.address)
    expect(cells(page)).to_have_count(6)
    assert seen.clips() == []
    assert page.locator("video").count() == 0

    cells(page).nth(1).hover()
    until(page, "[...document.querySelectorAll('video')].some((one) => one.currentTime > 0.2)")

    video = page.locator("video")
    assert video.count() == 1
    assert video.evaluate("(one) => [one.muted, one.loop, one.paused]") == [True, True, False]
    assert len(set(seen.clips())) == 1

    cells(page).nth(4).hover()
    until(page, f"{PLAYING} === 1 && document.querySelectorAll('video').length === 2")
    assert len(set(seen.clips())) == 2


def test_the_keyboard_moves_plays_a_row_in_step_enlarges_and_comes_back(ran: Any, look: Look) -> None:
    page, _ = look(ran.address)
    page.keyboard.press("ArrowRight")
    expect(cells(page).nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(cells(page).nth(4)).to_be_focused()
    page.keyboard.press("j")
    expect(cells(page).nth(5)).to_be_focused()

    page.keyboard.press(" ")
    until(page, f"{PLAYING} === 3")
    times = page.evaluate("[...document.querySelectorAll('tr:last-child video')].map((one) => one.currentTime)")
    assert len(times) == 3
    assert max(times) - min(times) < 0.5
    page.keyboard.press("Escape")
    until(page, f"{PLAYING} === 0")

    page.keyboard.press("Enter")
    expect(page.locator("#viewer")).to_be_visible()
    expect(page.locator("#viewer .prompt")).to_contain_text("{{ brackets }} and {% percent %}")
    expect(page.locator("#viewer dt", has_text="fixed_lens").first).to_be_visible()
    page.keyboard.press("k")
    expect(page.locator("#viewer h2")).to_contain_text("asphalt")
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(cells(page).nth(4)).to_be_focused()


def test_the_axes_are_those_of_the_report_block_and_change_by_a_click_on_their_name(ran: Any, look: Look) -> None:
    page, _ = look(ran.address)
    heads = page.locator("table.matrix thead th")
    expect(heads).to_have_text([re.compile("surface →.*fixed_lens ↓"), "marble", "asphalt", "linen"])

    page.locator("button.axis").first.click()
    expect(heads).to_have_text([re.compile("aspectRatio →.*fixed_lens ↓"), "16:9", "9:16"])
    expect(page.locator(".pages button")).to_have_text(["marble", "asphalt", "linen"])

    page.locator(".pages button", has_text="linen").click()
    expect(cells(page).first).to_have_attribute("aria-label", re.compile("surface linen"))
    page.keyboard.press("]")
    expect(page.locator(".pages [aria-pressed=true]")).to_have_text("marble")
    page.keyboard.press("t")
    expect(heads).to_have_text([re.compile("fixed_lens →.*aspectRatio ↓"), "true", "false"])


def test_two_values_are_laid_over_each_other_and_divided_where_the_pointer_is(ran: Any, look: Look) -> None:
    page, _ = look(ran.address)
    page.get_by_label("Compare", exact=True).last.select_option(label="aspectRatio")
    cell = cells(page).first
    expect(cell.locator(".stage")).to_have_count(2)
    box = cell.locator(".frame").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20)
    assert 70 <= float(cell.evaluate("(one) => parseFloat(getComputedStyle(one).getPropertyValue('--split'))")) <= 80


def test_several_results_at_one_place_are_a_stack_that_is_gone_through(ran: Any, look: Look) -> None:
    page, _ = look(ran.address)
    page.get_by_label("Job").last.select_option("still")
    expect(cells(page)).to_have_count(2)
    first = cells(page).first
    expect(first.locator(".several")).to_have_text("1/2")
    was = first.get_attribute("data-id")
    first.focus()
    page.keyboard.press(".")
    expect(first.locator(".several")).to_have_text("2/2")
    assert first.get_attribute("data-id") != was


def test_the_contact_sheet_is_filtered_by_state_model_tag_and_words(ran: Any, look: Look) -> None:
    page, _ = look(ran.address + "#sheet")
    expect(cells(page)).to_have_count(16)
    page.get_by_label("All models").select_option("z-image")
    expect(cells(page)).to_have_count(4)
    page.keyboard.press("/")
    page.keyboard.type("MUG")
    expect(cells(page)).to_have_count(2)
    expect(page.locator(".count")).to_have_text("2 of 16 items")
    page.locator("input[type=search]").fill("")
    page.get_by_label("All models").select_option("")
    page.get_by_label("Tags").select_option("tag:linen")
    expect(cells(page)).to_have_count(4)
    page.locator("[data-filter=succeeded]").click()
    expect(cells(page)).to_have_count(4)


def test_cost_and_time_are_shown_on_demand(ran: Any, look: Look) -> None:
    page, _ = look(ran.address)
    expect(page.locator(".facts").first).to_be_hidden()
    page.keyboard.press("f")
    expect(page.locator(".facts").first).to_have_text(re.compile(r"28 cr\d"))


def test_charts_tell_their_figures_to_who_cannot_see_them(ran: Any, look: Look) -> None:
    page, _ = look(ran.address + "#charts")
    spoken = page.locator("figure").evaluate_all("(all) => all.map((one) => one.getAttribute('aria-label'))")
    assert any("of 2,000 credits spent" in words for words in spoken)
    assert sum("half within" in words for words in spoken) == 4
    assert page.locator("svg[role=img][aria-label]").count() == page.locator("svg").count() >= 7
    noticing = page.locator(".noticing tbody tr")
    expect(noticing.locator("th")).to_have_text(["seedance-1-5-pro", "z-image"])
    expect(noticing.locator("td:nth-child(3)")).to_have_text([re.compile(r"^[1-9]\d*\.\d$")] * 2)
    expect(page.locator(".money tbody th")).to_have_text(["seedance-1-5-pro", "z-image", "motion", "still"])


def test_a_page_without_its_media_keeps_its_layout_and_says_so(ran: Any, look: Look, tmp_path: Path) -> None:
    alone = tmp_path / "mailed.html"
    shutil.copy(ran.page, alone)
    page, _ = look(alone.as_uri())
    expect(cells(page)).to_have_count(6)
    expect(page.locator("#apart")).to_contain_text("rivya-batch report reveal --embed")
    cells(page).first.hover()
    expect(cells(page).first).to_contain_text("file missing")
    expect(page.locator("table.matrix thead th")).to_have_count(4)
    assert cells(page).first.bounding_box()["height"] > 60


def test_no_view_is_wider_than_its_window(ran: Any, look: Look) -> None:
    page, _ = look(ran.address)
    for width in (1600, 1280, 768, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for view in "1234":
            page.keyboard.press(view)
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_is_dark_where_the_system_or_its_person_wants_that_and_never_on_paper(ran: Any, look: Look) -> None:
    page, _ = look(ran.address)
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = "rgb(18, 18, 20)"
    page.emulate_media(color_scheme="light")
    assert page.evaluate(ground) != dark
    page.keyboard.press("d")
    assert page.evaluate(ground) == dark
    page.emulate_media(media="print")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"
    page.emulate_media(media="screen")
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(ground) == dark
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate(ground) == "rgb(255, 255, 255)"


def test_who_wants_no_motion_gets_none_until_it_is_asked_for(ran: Any, look: Look) -> None:
    page, seen = look(ran.address, reduced_motion="reduce")
    cells(page).first.hover()
    cells(page).first.focus()
    page.keyboard.press("x")  # whatever pointing would have done has been done when the tray is there
    expect(page.locator("#tray")).to_be_visible()
    page.wait_for_timeout(200)
    assert seen.clips() == []
    page.keyboard.press(" ")
    until(page, f"{PLAYING} === 3")


UNNAMED = """() => [...document.querySelectorAll('button, input, select, [tabindex], img, svg, dialog, nav, video')]
  .filter((one) => one.checkVisibility() && !one.closest('[aria-hidden=true]'))
  .filter((one) => {
    const said = one.getAttribute('aria-label') ?? one.getAttribute('alt');
    const name = said ?? one.labels?.[0]?.textContent ?? one.textContent;
    return !(name.trim() || (one.tagName === 'IMG' && one.hasAttribute('alt')) || one.tagName === 'MAIN');
  }).map((one) => one.outerHTML.slice(0, 120))"""


def test_everything_that_can_be_used_has_a_name(ran: Any, look: Look) -> None:
    page, _ = look(ran.address)
    for keys in ("1", "2", "3", "4", "2", "j", "x", "n"):
        page.keyboard.press(keys)
        assert page.evaluate(UNNAMED) == []
    ids = page.locator("[id]").evaluate_all("(all) => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))
    assert page.evaluate("document.documentElement.lang") == "en"
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
