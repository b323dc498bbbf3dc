"""The live screen: one picture for each state of a run, at every width and height."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from inline_snapshot import snapshot

from jobs.paces import PacerStatistics
from jobs.record import Money
from jobs.waiting import On, Queued, Waiting
from runner.cli.bars import Part, bar
from runner.cli.live_frame import Look, frame
from runner.cli.live_table import short_key
from runner.cli.pieces import ASCII, UNICODE, Glyphs, Note, Piece, cells, cut, fitting, glyphs_for, painted
from runner.cli.waits import due_words, waiting_words
from runner.onward import Onward
from runner.reporter import RunStatistics

NOON = datetime(2026, 5, 11, 12, 4, 30, tzinfo=UTC)
SLOW = (
    Waiting(item="motion/vars.surface=wet asphalt,params.duration=8", age_s=200.0, on=On.GENERATION, for_s=2.0),
    Waiting(
        item="motion/vars.surface=wet asphalt,params.duration=12", age_s=41.0, on=On.RESEND, for_s=29.6, why="HTTP 503"
    ),
    Waiting(item="still/vars.style=linocut", age_s=4.0, on=On.DOWNLOAD),
)
MID = RunStatistics(
    counts={"succeeded": 36, "failed": 2, "accepted": 14, "submitting": 2, "planned": 64},
    items=118,
    results={"verified": 33, "wanted": 3},
    saved_bytes=61_000_000,
    uploads_done=2,
    uploads_needed=2,
    credits=Money(reserved=130, settled=355),
    doubted_credits=14,
    cap_credits=700,
    pacers=(PacerStatistics(name="creates", ceiling_per_s=1.0, per_s=0.5, unanswered=2, paused_until_s=0.0),),
    pauses={},
    elapsed_s=134.0,
    in_flight=16,
    in_flight_max=16,
    accepted=52,
    eta_s=203.0,
    slowest=(replace(SLOW[0], usual_s=(45.0, 70.0)), *SLOW[1:]),
    queued=(Queued(items=64, on=On.PLACE, why="16 of 16 taken"),),
)
START = replace(
    MID,
    counts={"planned": 118},
    results={},
    saved_bytes=0,
    uploads_done=0,
    credits=Money(),
    doubted_credits=0,
    pacers=(PacerStatistics(name="creates", ceiling_per_s=1.0, per_s=1.0, unanswered=0, paused_until_s=0.0),),
    elapsed_s=0.2,
    in_flight=0,
    accepted=0,
    eta_s=160.0,
    slowest=(),
    queued=(Queued(items=118, on=On.UPLOAD),),
)
PAUSED = replace(MID, pauses={"budget": "the next item needs 28 credits or more; 7 of the budget's 700 are left"})
DRAINED = replace(MID, due={"creates": 2, "downloads": 1}, drain_left_s=23.4, queued=(), slowest=SLOW[2:])
END = replace(
    MID,
    counts={"succeeded": 116, "failed": 2},
    results={"verified": 115, "gone": 1},
    in_flight=0,
    slowest=(),
    queued=(),
)


def look(now: RunStatistics, width: int, height: int = 30, **more: Any) -> Look:
    plain: dict[str, Any] = {
        "run_id": "sneaker-night",
        "clock": NOON,
        "glyphs": UNICODE,
        "created_per_s": 0.2,
        "saved_bytes_per_s": 1_200_000.0,
        "onward": Onward(command="rivya-batch run sweep.yaml"),
    }
    return Look(now=now, width=width, height=height, **{**plain, **more})


def text(seen: Look) -> str:
    return "\n".join(painted(line, colors=False).rstrip() for line in frame(seen)) + "\n"


def test_the_start() -> None:
    assert text(look(START, 80, created_per_s=None, saved_bytes_per_s=None)) == snapshot("""\

 sneaker-night  0s
 uploads  ──────────────────────── 0 / 2
 created  ──────────────────────── 0 / 118  up to 60/min, 0 of 16 in flight
 finished ──────────────────────── 0 / 118  about 2m 40s left, until 12:07
 credits  ──────────────────────── 0 / 700  700 left

 118 items to buy           upload of their references
""")


def test_half_way_at_80_columns() -> None:
    assert text(look(MID, 80)) == snapshot("""\

 sneaker-night  2m 14s
 uploads  ━━━━━━━━━━━━━━━━━━━━━━━━   2 / 2
 created  ━━━━━━━━━━╸─────────────  52 / 118  12/min of 30, 16 of 16 in flight
 finished ━━━━━━━━────────────────  36 / 118  2 failed, about 3m 25s left
 saved    ━━━━━━━━━━━━━━━━━━━━━━──  33 / 36   61 MB, 1.2 MB/s
 credits  ━━━━━━━━━━━━╍╍╍╍──────── 485 / 700  14 in doubt, 130 held, 215 left

 slowest                    for  waits for
 motion/wet asphalt,8    3m 20s  generating, usually 45s to 1m 10s
 motion/wet asphalt,12      41s  resend in 30s: HTTP 503
 still/linocut               4s  download
 64 items to buy                 in-flight place, 16 of 16 taken
""")


def test_half_way_at_140_columns() -> None:
    assert text(look(MID, 140)) == snapshot("""\

 sneaker-night  2m 14s
 uploads  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   2 / 2
 created  ━━━━━━━━━━━━━━━━━━╸───────────────────────  52 / 118  12/min of 30, slowed from 60/min, 16 of 16 in flight
 finished ━━━━━━━━━━━━━─────────────────────────────  36 / 118  2 failed, about 3m 25s left, until 12:07
 saved    ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╸───  33 / 36   61 MB, 1.2 MB/s
 credits  ━━━━━━━━━━━━━━━━━━━━━╍╍╍╍╍╍╍╍───────────── 485 / 700  14 in doubt, 130 held, 215 left

 slowest                    for  waits for
 motion/wet asphalt,8    3m 20s  generating, usually 45s to 1m 10s, next look in 2s
 motion/wet asphalt,12      41s  resend in 30s: HTTP 503
 still/linocut               4s  download
 64 items to buy                 in-flight place, 16 of 16 taken
""")


def test_half_way_at_60_columns_in_a_terminal_without_lines() -> None:
    assert text(look(MID, 60, glyphs=ASCII)) == snapshot("""\

 sneaker-night  2m 14s
 uploads  ==================   2 / 2
 created  =======...........  52 / 118  12/min of 30
 finished =====x............  36 / 118  2 failed
 saved    ================..  33 / 36   61 MB, 1.2 MB/s
 credits  =========---...... 485 / 700  14 in doubt

 slowest                    for  waits for
 motion/wet asphalt,8    3m 20s  generating
 motion/wet asphalt,12      41s  resend in 30s: HTTP 503
 still/linocut               4s  download
 64 items to buy                 in-flight place
""")


def test_a_pause_says_why_and_what_to_type() -> None:
    assert text(look(PAUSED, 100, height=10)) == snapshot("""\

 sneaker-night  2m 14s
 uploads  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   2 / 2
 created  ━━━━━━━━━━━━━─────────────────  52 / 118  16 of 16 in flight
 finished ━━━━━━━━━━────────────────────  36 / 118  2 failed, about 3m 25s for what is in flight
 saved    ━━━━━━━━━━━━━━━━━━━━━━━━━━━╸──  33 / 36   61 MB, 1.2 MB/s
 credits  ━━━━━━━━━━━━━━━╍╍╍╍╍────────── 485 / 700  14 in doubt, 130 held, 215 left
 no new creates: the next item needs 28 credits or more; 7 of the budget's 700 are left
 then: rivya-batch run sweep.yaml    # with more budget; the lowest one set counts
""")


def test_after_ctrl_c_it_says_what_is_waited_for_and_what_another_one_does() -> None:
    assert text(look(DRAINED, 80)) == snapshot("""\

 sneaker-night  2m 14s
 uploads  ━━━━━━━━━━━━━━━━━━━━━━━━   2 / 2
 created  ━━━━━━━━━━╸─────────────  52 / 118  16 of 16 in flight
 finished ━━━━━━━━────────────────  36 / 118  2 failed
 saved    ━━━━━━━━━━━━━━━━━━━━━━──  33 / 36   61 MB, 1.2 MB/s
 credits  ━━━━━━━━━━━━╍╍╍╍──────── 485 / 700  14 in doubt, 130 held, 215 left
 stopping: waiting for 2 creates, 1 download, 23s at most
 Ctrl-C again ends at once; nothing is lost

 still due          for  waits for
 still/linocut       4s  download
""")


def test_the_end_stays_readable() -> None:
    assert text(look(END, 80, is_over=True)) == snapshot("""\

 sneaker-night  2m 14s
 uploads  ━━━━━━━━━━━━━━━━━━━━━━━━   2 / 2
 created  ━━━━━━━━━━━━━━━━━━━━━━━━ 118 / 118
 finished ━━━━━━━━━━━━━━━━━━━━━━━━ 116 / 118  2 failed, took 2m 14s
 saved    ━━━━━━━━━━━━━━━━━━━━━━━━ 115 / 116  1 lost, 61 MB
 credits  ━━━━━━━━━━━━╍╍╍╍──────── 485 / 700  14 in doubt, 130 held, 215 left
""")


# Every width and height


@pytest.mark.parametrize("now", [START, MID, PAUSED, DRAINED, END])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_no_line_is_wider_than_the_terminal_nor_the_picture_higher(now: RunStatistics, glyphs: Glyphs) -> None:
    evil = replace(MID.slowest[0], item="漢" * 90 + "\x1b[2J\n\u202e", why="no\r\nluck \x1b]0;x\x07")
    evil_now = replace(now, slowest=(evil, replace(evil, on=On.RESEND), *now.slowest), pauses={"disk": "full\n" * 40})
    for shown in (now, evil_now):
        for width in range(1, 201, 3):
            for height in (1, 2, 3, 5, 8, 13, 40):
                lines = frame(look(shown, width, height, glyphs=glyphs, run_id="n\x1b[2J" * 9))
                assert len(lines) <= height
                for line in lines:
                    joined = "".join(piece.text for piece in line)
                    assert cells(joined) <= width, (width, joined)
                    assert joined.isprintable()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200])
def test_what_matters_most_is_there_at_every_width(width: int) -> None:
    shown = text(look(MID, width))

    for word in (
        "52 / 118",
        "36 / 118",
        "33 / 36",
        "485 / 700",
        "12/min of 30",
        "2 failed",
        "14 in doubt",
        "generating",
    ):
        assert word in shown, word


def test_in_a_low_terminal_the_table_gives_way_first_then_the_headline_then_what_is_over() -> None:
    def seen(height: int) -> list[str]:
        return [line.split()[0] for line in text(look(MID, 80, height)).splitlines() if line.strip()]

    bars = ["uploads", "created", "finished", "saved", "credits"]
    assert seen(9) == ["sneaker-night", *bars, "64"]
    assert seen(8) == ["sneaker-night", *bars]
    assert seen(6) == ["sneaker-night", *bars]
    assert seen(5) == bars
    assert seen(4) == ["created", "finished", "saved", "credits"]
    assert seen(3) == ["created", "finished", "credits"]
    assert seen(2) == ["created", "finished"]
    assert seen(1) == ["finished"]


def test_the_table_shows_as_many_rows_as_there_is_room_for() -> None:
    assert "still/linocut" not in text(look(MID, 80, 12))
    assert "64 items to buy" in text(look(MID, 80, 12))
    assert "still/linocut" in text(look(MID, 80, 13))


# What stands beside the bars


def shown(**changes: Any) -> str:
    return text(look(replace(MID, **changes), 200))


def test_without_a_cap_there_is_no_bar_for_credits() -> None:
    line = next(line for line in shown(cap_credits=None).splitlines() if "credits" in line)

    assert UNICODE.done not in line
    assert "485" in line
    assert "14 in doubt, 130 held, no cap" in line


@pytest.mark.parametrize(
    ("left_s", "words"),
    [
        (0.4, "about 1s left, until 12:04"),
        (58.0, "about 58s left, until 12:05"),
        (203.0, "about 3m 25s left, until 12:07"),
        (2000.0, "about 33m left, until 12:37"),
        (86_400.0, "about 1d 0h left, until Tue 12:04"),
    ],
)
def test_the_end_is_told_with_no_more_digits_than_it_is_worth(left_s: float, words: str) -> None:
    assert words in shown(eta_s=left_s)


def test_an_end_that_nobody_knows_is_not_told() -> None:
    assert "left, until" not in shown(eta_s=None)
    assert "left, until" not in shown(eta_s=0.0, in_flight=0, queued=())


def test_the_speed_told_is_never_above_the_limit_of_now() -> None:
    assert "30/min of 30" in text(look(MID, 200, created_per_s=0.9))
    assert "up to 30/min" in text(look(MID, 200, created_per_s=None))


def test_a_rehearsal_is_called_one() -> None:
    assert "a rehearsal: no credits are spent" in text(look(MID, 80, is_rehearsal=True))


@pytest.mark.parametrize(
    ("pause", "typed"),
    [
        ("auth", "rivya-batch run sweep.yaml    # with a key that may"),
        ("credits", "rivya-batch run sweep.yaml    # after a top-up"),
        ("network", "rivya-batch run sweep.yaml    # later: it goes on, and nothing is bought twice"),
        ("creates", "rivya-batch run sweep.yaml    # later: it goes on, and nothing is bought twice"),
        ("config", "rivya-batch doctor    # where the address comes from"),
        ("vanished", "rivya-batch doctor    # are address and key those they were bought with?"),
        ("disk", "rivya-batch run sweep.yaml    # with room on the disk"),
        ("halt", "rivya-batch results sneaker-night    # why they failed"),
        ("person", "rivya-batch resume sneaker-night"),
    ],
)
def test_each_pause_comes_with_the_command_that_helps(pause: str, typed: str) -> None:
    assert f"then: {typed}" in shown(pauses={pause: "because"})


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        (Waiting(item="a", age_s=1, on=On.ANSWER), "the answer to its create"),
        (Waiting(item="a", age_s=1, on=On.RESEND, for_s=30, why="HTTP 503"), "resend in 30s: HTTP 503"),
        (Waiting(item="a", age_s=1, on=On.CREATES, for_s=12, why="HTTP 429"), "create limiter 12s, HTTP 429"),
        (Waiting(item="a", age_s=1, on=On.GENERATION, for_s=0.2), "generating, next look in 1s"),
        (Waiting(item="a", age_s=1, on=On.GENERATION), "generating, looking now"),
        (
            Waiting(item="a", age_s=1, on=On.GENERATION, usual_s=(60.0, 60.2)),
            "generating, usually 1m, looking now",
        ),
        (Waiting(item="a", age_s=1, on=On.POLLS, for_s=4), "poll limiter 4s"),
        (Waiting(item="a", age_s=1, on=On.DOWNLOAD), "download"),
        (Waiting(item="a", age_s=1, on=On.NEXT_LIFE), "the next run, which goes on with it"),
    ],
)
def test_what_an_item_waits_for_in_words(waiting: Waiting, words: str) -> None:
    assert waiting_words(waiting) == words


@pytest.mark.parametrize(
    ("queued", "words"),
    [
        (Queued(items=1, on=On.UPLOAD), "1 item to buy    upload of their references"),
        (Queued(items=9, on=On.PRICE), "9 items to buy    price of their class, the first one shows it"),
        (Queued(items=9, on=On.BUDGET, why="84 credits are held"), "budget, 84 credits are held, and may come back"),
        (Queued(items=9, on=On.PLACE, why="16 of 16 taken"), "in-flight place, 16 of 16 taken"),
        (Queued(items=9, on=On.SAVING, why="256 results"), "downloads, 256 results wait to be saved"),
        (Queued(items=9, on=On.SERVICE, for_s=5, why="3 bad answers in a row"), "the service, next try in 5s, 3 bad"),
        (Queued(items=9, on=On.CREATES, for_s=12, why="30/min"), "create limiter 12s, 30/min"),
        (Queued(items=9, on=On.CREATES, for_s=0.2, why="30/min"), "create limiter, 30/min"),
        (Queued(items=9, on=On.PAUSE, why="the run is stopping"), "9 items to buy    the next run"),
        (Queued(items=9, on=On.RESUME, why="anna paused the run"), "9 items to buy    resume"),
    ],
)
def test_what_the_rest_waits_for_in_words(queued: Queued, words: str) -> None:
    line = shown(slowest=(), queued=(queued,)).splitlines()[-1]

    assert re.sub(" {3,}", "    ", words) in re.sub(" {3,}", "    ", line)


def test_what_is_due_is_told_by_its_kind() -> None:
    assert due_words({"creates": 3, "polls": 1, "downloads": 0}) == "3 creates, 1 status answer"


# Bars, notes, names


@pytest.mark.parametrize("width", [8, 23, 48])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_bar_is_as_wide_as_it_should_be_and_full_only_when_all_is_done(width: int, glyphs: Glyphs) -> None:
    for done in range(101):
        for failed in range(0, 101 - done, 7):
            drawn = "".join(piece.text for piece in bar([Part(done, "good"), Part(failed, "bad")], 100, width, glyphs))
            assert len(drawn) == width
            is_full = glyphs.rest not in drawn and not (glyphs.half and glyphs.half in drawn)
            assert is_full == (done + failed == 100)
            assert done == 0 or drawn[0] in (glyphs.done, glyphs.half)
            assert failed == 0 or glyphs.failed in drawn


def test_facts_give_way_by_rank_and_the_last_one_is_cut() -> None:
    notes = [Note("first", 0), Note("third", 2), Note("second", 1)]

    def at(width: int) -> str:
        return "".join(piece.text for piece in fitting(notes, width, UNICODE))

    assert [at(width) for width in (40, 20, 14, 12, 5, 3, 0)] == [
        "first, third, second",
        "first, third, second",
        "first, second",
        "first",
        "first",
        "f…t",
        "",
    ]


@pytest.mark.parametrize(
    ("given", "width", "cut_text"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefgh", 5, "ab…gh"),
        ("漢字漢字漢字", 8, "漢字 …字"),
        ("abc", 1, "a"),
        ("abc", 0, ""),
    ],
)
def test_a_long_text_keeps_both_ends(given: str, width: int, cut_text: str) -> None:
    assert cut(given, width, UNICODE) == cut_text
    assert cells(cut_text) <= width


@pytest.mark.parametrize(
    ("key", "short"),
    [
        ("motion/vars.surface=wet asphalt,params.duration=8", "motion/wet asphalt,8"),
        ("still", "still"),
        ("reveal/row-7/options.aspect=16:9~2", "reveal/row-7/16:9~2"),
        ("a/vars.x=b=c", "a/b=c"),
        ("a/\x1b[2J", "a/\\x1b[2J"),
    ],
)
def test_a_name_in_the_table_leaves_out_what_all_of_them_have(key: str, short: str) -> None:
    assert short_key(key) == short


@pytest.mark.parametrize(
    ("encoding", "done"), [("utf-8", "━"), ("ascii", "="), ("latin-1", "="), ("no-such-thing", "=")]
)
def test_lines_are_drawn_where_the_encoding_has_them(encoding: str, done: str) -> None:
    assert glyphs_for(encoding, colors=True).done == done


def test_without_colours_a_failure_has_a_sign_of_its_own() -> None:
    assert glyphs_for("utf-8", colors=True).failed == "━"
    assert glyphs_for("utf-8", colors=False).failed == "x"
    assert painted([Piece("a", "bad"), Piece("b")], colors=False) == "ab"
    assert painted([Piece("a", "bad"), Piece("b")], colors=True) == "\x1b[31ma\x1b[0mb"
