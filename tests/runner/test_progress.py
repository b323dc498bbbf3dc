"""What is told while a run goes on: the screen that lives, plain lines, events for programs, and notices in words."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from jobs.lifecycle import EventType, ItemState
from jobs.record import Change, Event, Money, Record
from jobs.steps import Notice
from jobs.waiting import On, Queued, Waiting
from runner.cli.event_lines import EventLines
from runner.cli.live import Screen
from runner.cli.notices import told
from runner.cli.pieces import UNICODE
from runner.cli.plain_lines import PlainLines
from runner.cli.voice import Voice
from runner.reporter import RunOutcome, RunStarted, RunStatistics
from tests.jobs.workbench import made_item
from tests.runner.screen_reader import PaperTerminal
from tests.runner.test_live_screen import DRAINED, END, MID, PAUSED, START

AT = datetime(2026, 5, 11, 12, 4, 30, tzinfo=UTC)


def started(*looks: RunStatistics) -> RunStarted:
    """A run that is elsewhere at each look, and stays where it is at the last."""
    left = list(looks)

    def look() -> RunStatistics:
        return left.pop(0) if len(left) > 1 else left[0]

    return RunStarted(run_id="sneaker-night", items=118, new=118, cap_credits=700, statistics=look)


def ended(now: RunStatistics) -> RunOutcome:
    return RunOutcome(
        run_id="sneaker-night", exit_code=3, statistics=now, done_before=0, creates=118, downloads={}, pauses={}
    )


def screen_on(terminal: PaperTerminal) -> Screen:
    return Screen(terminal=terminal, glyphs=UNICODE, clock=lambda: AT)


# The screen


async def test_the_screen_shows_the_run_from_its_start_to_its_end_and_stays() -> None:
    terminal = PaperTerminal(100, 30)
    screen = screen_on(terminal)
    screen.started(started(START, START, MID))
    first = terminal.shown
    screen._tick()
    second = terminal.shown
    screen.ended(ended(END))
    screen.closed()

    assert "created" in first[3]
    assert "0 / 118" in first[3]
    assert "52 / 118" in second[3]
    assert "slowest" in second[8]
    assert "116 / 118" in terminal.shown[4]
    assert "took 2m 14s" in terminal.shown[4]
    assert len(terminal.shown) == 7
    assert terminal.modes["25"] is True


async def test_what_cannot_wait_stands_above_the_picture_with_its_time_and_never_breaks() -> None:
    terminal = PaperTerminal(60, 30)
    screen = screen_on(terminal)
    screen.started(started(MID))
    slower = {"limit": "creates", "before": 1.0, "after": 0.5, "full": 1.0, "why": "HTTP 429 rate_limited: Too many."}
    screen.noticed(Notice(name="rate", data=slower))
    screen.noticed(Notice(name="paused", data={"reason": "evil \x1b[2J"}))
    screen.noticed(Notice(name="rate", data={**slower, "before": 0.1, "after": 0.2}))  # only for programs
    screen.closed()

    assert terminal.shown[:5] == [
        "",
        " 12:04:30 creates slowed to 30/min: HTTP 429 rate_limited:",
        "          Too many.",
        " 12:04:30 no new creates: evil \\x1b[2J",
        "",
    ]
    assert sum("created" in line for line in terminal.shown) == 1


async def test_a_terminal_that_was_stopped_never_stops_the_run_and_hears_all_of_it_later() -> None:
    terminal = PaperTerminal(100, 30)
    screen = screen_on(terminal)
    screen.started(started(START, MID))
    terminal.is_ready = False
    screen._tick()
    screen.noticed(Notice(name="tight", data={"credits": 3}))
    screen.noticed(Notice(name="tight", data={"credits": 4}))
    assert len(terminal.writes) == 1
    terminal.is_ready = True
    screen._tick()
    screen.closed()

    assert terminal.shown[:3] == ["", " 12:04:30 tight: credits 3", " 12:04:30 tight: credits 4"]
    assert "52 / 118" in terminal.shown[6]


async def test_what_was_not_told_yet_is_told_at_the_end() -> None:
    terminal = PaperTerminal(100, 30)
    screen = screen_on(terminal)
    screen.started(started(MID))
    terminal.is_ready = False
    screen.noticed(Notice(name="tight", data={"credits": 3}))
    terminal.is_ready = True
    screen.closed()

    assert terminal.shown[1] == " 12:04:30 tight: credits 3"


async def test_a_wider_terminal_is_used_with_the_next_picture() -> None:
    terminal = PaperTerminal(60, 30)
    screen = screen_on(terminal)
    screen.started(started(MID))
    terminal.width = 160
    screen._tick()
    screen.closed()

    assert "slowed from 60/min, 16 of 16 in flight" in terminal.shown[3]


async def test_ctrl_c_says_what_is_waited_for_and_what_another_one_does_and_so_does_that() -> None:
    terminal = PaperTerminal(160, 30)
    screen = screen_on(terminal)
    screen.started(started(MID, DRAINED))
    screen.stopping("SIGINT", 30.0)
    before = terminal.shown
    screen.cut_short()
    screen.closed()

    assert before[1] == (
        " 12:04:30 SIGINT: nothing new is started; waiting for 2 creates, 1 download, 30s at most. "
        "Ctrl-C again ends at once; nothing is lost"
    )
    assert before[9] == " stopping: waiting for 2 creates, 1 download, 23s at most"
    assert terminal.shown[2] == " 12:04:30 ended at once: what was sent is in the ledger, and the next run asks for it"


async def test_a_run_that_an_error_ends_tells_its_last_figures_and_gives_the_cursor_back() -> None:
    terminal = PaperTerminal(120, 30)
    screen = screen_on(terminal)
    screen.started(started(MID))
    screen.broken(MID)
    screen.closed()

    assert terminal.shown[1] == (
        " 12:04:30 stopped by an error with 36 of 118 done; "
        "355 spent, 130 held (14 of them in doubt), 215 of the cap left"
    )
    assert terminal.modes["25"] is True


async def test_ticking_begins_with_the_run_and_ends_with_it() -> None:
    screen = screen_on(PaperTerminal())
    screen.started(started(MID))
    timer = screen._timer
    assert timer is not None
    assert 0 < timer.when() - asyncio.get_running_loop().time() <= 0.25
    screen.closed()

    assert timer.cancelled()


async def test_looking_costs_a_small_share_of_a_core_however_many_items_there_are() -> None:
    def slow() -> RunStatistics:
        time.sleep(0.03)
        return MID

    screen = screen_on(PaperTerminal())
    screen.started(RunStarted(run_id="n", items=118, new=118, cap_credits=700, statistics=slow))
    screen._tick()
    timer = screen._timer
    assert timer is not None
    assert timer.when() - asyncio.get_running_loop().time() > 1.4
    screen.closed()


# Plain lines


def plain() -> PlainLines:
    return PlainLines(Voice(), clock=lambda: AT)


async def test_without_a_terminal_a_plain_line_tells_where_the_run_is(capfd: pytest.CaptureFixture[str]) -> None:
    later = replace(MID, elapsed_s=MID.elapsed_s + 30.0, accepted=59)
    lines = plain()
    lines.started(started(MID, later))
    lines._tick()
    lines.noticed(Notice(name="paused", data={"why": "budget", "reason": "the cap\x1b is reached"}))
    lines.ended(ended(END))
    lines.closed()

    assert capfd.readouterr().err.splitlines() == [
        (
            "12:04:30 created 52/118 finished 36 failed 2 credits 485/700 rate 14/min eta 3m 23s in flight 16/16 "
            "saved 33 (61 MB); slowest motion/vars.surface=wet asphalt,params.duration=8 for 3m 20s: "
            "generating, usually 45s to 1m 10s, next look in 2s"
        ),
        "12:04:30 no new creates: the cap\\x1b is reached",
    ]


async def test_an_end_that_nobody_knows_is_a_question_mark(capfd: pytest.CaptureFixture[str]) -> None:
    lines = plain()
    lines.started(started(replace(START, eta_s=None)))
    lines._tick()
    lines.closed()

    assert capfd.readouterr().err == (
        "12:04:30 created 0/118 finished 0 failed 0 credits 0/700 rate 0/min eta ? in flight 0/16 saved 0 (0 B)\n"
    )


@pytest.mark.parametrize(
    ("why", "now", "words"),
    [
        ("SIGINT", DRAINED, "waiting for 2 creates, 1 download, 30s at most. Ctrl-C again ends at once"),
        ("SIGTERM", DRAINED, "waiting for 2 creates, 1 download, 30s at most. A second signal ends at once"),
        ("SIGINT", MID, "nothing is waited for. Ctrl-C again ends at once"),
    ],
)
async def test_a_signal_is_answered_in_plain_words(
    why: str, now: RunStatistics, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    lines = plain()
    lines.started(started(now))
    lines.stopping(why, 30.0)
    lines.closed()

    assert capfd.readouterr().err == f"12:04:30 {why}: nothing new is started; {words}; nothing is lost\n"


@pytest.mark.parametrize("do", [lambda lines: lines._tick(), lambda lines: lines.stopping("SIGINT", 30.0)])
async def test_a_quiet_run_says_nothing_while_it_goes_well(
    do: Callable[[PlainLines], None], capfd: pytest.CaptureFixture[str]
) -> None:
    lines = PlainLines(Voice(quiet=True))
    lines.started(started(MID))
    do(lines)
    lines.ended(ended(END))
    lines.closed()

    assert capfd.readouterr().err == ""


# Events


def events_of(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


async def test_every_event_is_one_line_for_programs(capfd: pytest.CaptureFixture[str]) -> None:
    lines = EventLines(Voice(json=True, events=True), clock=lambda: AT)
    record = Record(identity="id0", state=ItemState.ACCEPTED, version=2, first_at_s=0.0)
    secret = {"task_id": "task_1", "urls": ["https://x.test/?signature=s"], "duration_token": "t", "request_id": None}
    event = Event(type=EventType.ACCEPTED, at_s=1.5, identity="id0", data=secret)
    lines.started(started(DRAINED))
    lines.changed(made_item(0), Change(event=event, record=record, delta=Money(), scope="s"))
    slower = {"limit": "creates", "before": 1.0, "after": 0.5, "full": 1.0, "why": "429"}
    lines.noticed(Notice(name="rate", data=slower))
    lines.uploaded("shoe", 10)
    lines.stopping("SIGTERM", 30.0)
    lines.cut_short()
    lines.broken(MID)
    lines.closed()

    told_lines = events_of(capfd)
    names = [line["event"] for line in told_lines]
    assert names == ["started", "item", "notice", "uploaded", "stopping", "cut_short", "broken"]
    assert all(str(line["at"]).endswith("Z") for line in told_lines)
    assert told_lines[1] == {
        "event": "item",
        "at": "1970-01-01T00:00:01.500Z",
        "item": "job/0",
        "state": "accepted",
        "change": "accepted",
        "task_id": "task_1",
    }
    assert told_lines[4]["due"] == {"creates": 2, "downloads": 1}
    assert told_lines[6]["credits"] == {"settled": 355, "reserved": 130, "doubted": 14, "cap": 700}


async def test_programs_are_told_every_half_minute_where_the_run_stands(capfd: pytest.CaptureFixture[str]) -> None:
    slow = (Waiting(item="a", age_s=41.234, on=On.RESEND, for_s=29.61, why="HTTP 503"),)
    held = (Queued(items=3, on=On.CREATES, why="30/min"),)
    lines = EventLines(Voice(json=True, events=True), clock=lambda: AT)
    lines.started(started(MID, replace(PAUSED, elapsed_s=164.0, accepted=60, slowest=slow, queued=held)))
    timer = lines._timer
    lines._tick()
    lines.closed()

    assert timer is not None
    assert 29 < timer.when() - asyncio.get_running_loop().time() <= 30
    assert events_of(capfd)[1:] == [
        {
            "event": "progress",
            "at": "2026-05-11T12:04:30.000Z",
            "counts": {"succeeded": 36, "failed": 2, "accepted": 14, "submitting": 2, "planned": 64},
            "credits": {"settled": 355, "reserved": 130, "doubted": 14, "cap": 700},
            "in_flight": 16,
            "in_flight_max": 16,
            "limits_per_min": {"creates": 30.0},
            "results": {"verified": 33, "wanted": 3},
            "saved_bytes": 61_000_000,
            "elapsed_s": 164.0,
            "eta_s": 203.0,
            "pauses": {"budget": "the next item needs 28 credits or more; 7 of the budget's 700 are left"},
            "slowest": [{"item": "a", "age_s": 41.2, "waits_for": "resend", "wait_s": 29.6, "why": "HTTP 503"}],
            "queued": [{"items": 3, "waits_for": "create_limit", "wait_s": None, "why": "30/min"}],
            "created_per_min": 16.0,
        }
    ]


# Notices


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (
            Notice(name="rate", data={"limit": "creates", "before": 1.0, "after": 0.5, "full": 1.0, "why": "HTTP 429"}),
            "creates slowed to 30/min: HTTP 429",
        ),
        (
            Notice(name="rate", data={"limit": "polls", "before": 0.5, "after": 1.0, "full": 1.0, "why": "clean"}),
            "polls back to 60/min: clean",
        ),
        (
            Notice(
                name="rate",
                data={"limit": "polls", "before": 1.0, "after": 0.5, "full": 1.0, "wait_s": 2700.0, "why": "x"},
            ),
            "polls slowed to 30/min after 45m: x",
        ),
        (Notice(name="rate", data={"limit": "polls", "before": 0.2, "after": 0.5, "full": 1.0, "why": "clean"}), ""),
        (Notice(name="kept", data={"item": "a", "why": "open"}), "a: open"),
        (
            Notice(name="left", data={"item": "a", "why": "HTTP 503."}),
            "a result of a is left for the next run: HTTP 503.",
        ),
        (Notice(name="tight", data={"credits": 3}), "tight: credits 3"),
        (
            Notice(name="price", data={"item": "a", "expected": 3, "charged": 7}),
            "a cost 7 credits, 3 were expected",
        ),
        (Notice(name="refund", data={"item": "a", "credits": 7}), "7 credits came back for a"),
        (
            Notice(name="drift", data={"item": "a", "price_class": "m", "before": 3, "now": 7}),
            "m cost 3 credits and costs 7 now (a)",
        ),
        (
            Notice(name="shut", data={"what": "params.x=1", "times": 3, "code": "c", "why": "no"}),
            "3 items with params.x=1 were refused alike, the rest is not bought: no",
        ),
    ],
)
def test_a_notice_is_one_line(notice: Notice, line: str) -> None:
    assert told(notice) == line
