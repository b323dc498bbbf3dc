"""One picture of a run under way, as lines that fit a terminal's width and height. Values in, lines out.

What matters least gives way first: in width the facts beside the bars and the columns of the table, in height the
table of the slowest items, then the headline, then the bars of what is over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from jobs.escape import for_terminal
from jobs.paces import PacerStatistics
from jobs.rates import per_minute
from jobs.wording import duration, size
from runner.cli.advice import advice_for
from runner.cli.bars import Part, bar
from runner.cli.figures import Figures, figures
from runner.cli.live_table import table
from runner.cli.pieces import ASCII, Glyphs, Note, Piece, cells, cropped, cut, fitting, sayable
from runner.cli.waits import due_words
from runner.onward import Onward
from runner.reporter import RunStatistics

__all__ = ["Line", "Look", "frame"]

Line = Sequence[Piece]

# A bar shorter than this shows nothing, and a longer one shows no more.
BAR_WIDTHS: Final = (8, 48)
# The share of a line that is the bar's; the facts beside it are what is read.
BAR_SHARE: Final = 0.3
NAME_WIDTH: Final = 8
# Below this the bars themselves go.
BARLESS_WIDTH: Final = 44
# An end further away than this is told with its day.
SAME_DAY_S: Final = 20 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What there is to show, and where."""

    run_id: str
    now: RunStatistics
    clock: datetime  # local time
    width: int
    height: int
    glyphs: Glyphs
    created_per_s: float | None = None  # over the last minute
    saved_bytes_per_s: float | None = None
    is_rehearsal: bool = False
    is_over: bool = False
    onward: Onward | None = None  # what to type after a pause


class _Row(NamedTuple):
    name: str
    done: int
    total: int | None
    parts: Sequence[Part]
    notes: Sequence[Note]
    rank: int  # which goes first when the terminal is low


def frame(look: Look) -> list[Line]:
    """The picture: at most `height` lines of at most `width` columns."""
    rows = list(_rows(look, figures(look.now)))
    urgent = list(_urgent(look))
    room = max(1, look.height - len(urgent))
    while len(rows) > room:
        rows.remove(max(rows, key=lambda row: row.rank))
    lines = _bars(rows, look)
    if len(lines) < room:
        lines.insert(0, _headline(look))
    if len(lines) < room:
        lines.insert(0, [])
    left = room - len(lines) - 1
    shown = [] if look.is_over else table(look.now, width=look.width, height=left, glyphs=look.glyphs)
    whole = [*lines, *urgent, *([[], *shown] if shown else [])]
    return [cropped(_sayable(line, look.glyphs), look.width) for line in whole[: look.height]]


def _sayable(line: Line, glyphs: Glyphs) -> Line:
    return [Piece(sayable(piece.text, glyphs), piece.style) for piece in line] if glyphs is ASCII else line


def _headline(look: Look) -> Line:
    facts = [Note(duration(look.now.elapsed_s), 1, "faint")]
    if look.is_rehearsal:
        facts.append(Note("a rehearsal: no credits are spent", 2, "faint"))
    name = cut(for_terminal(look.run_id), look.width - 2, look.glyphs)
    room = look.width - cells(name) - 3
    return [Piece(" "), Piece(name, "title"), *([Piece("  "), *fitting(facts, room, look.glyphs)] if room > 8 else [])]


def _rows(look: Look, seen: Figures) -> Iterator[_Row]:
    """A row is seen once there is something to fill it."""
    now = look.now
    if now.uploads_needed:
        yield _Row(
            name="uploads",
            done=now.uploads_done,
            total=now.uploads_needed,
            parts=[Part(now.uploads_done, "good")],
            notes=[],
            rank=5 if now.uploads_done == now.uploads_needed else 3,
        )
    yield _Row(
        name="created",
        done=seen.created,
        total=now.items,
        parts=[Part(seen.created, "flow")],
        notes=list(_creating(look)),
        rank=1,
    )
    yield _Row(
        name="finished",
        done=seen.finished,
        total=now.items,
        parts=[Part(seen.finished, "good"), Part(seen.failed, "bad")],
        notes=list(_finishing(look, seen)),
        rank=0,
    )
    results = sum(now.results.values())
    if results:
        lost = now.results.get("gone", 0) + now.results.get("quarantined", 0)
        yield _Row(
            name="saved",
            done=now.saved,
            total=results,
            parts=[Part(now.saved, "good"), Part(lost, "bad")],
            notes=list(_saving(look, lost)),
            rank=4,
        )
    money = now.credits
    yield _Row(
        name="credits",
        done=seen.credits,
        total=now.cap_credits,
        parts=[Part(money.settled, "good"), Part(money.reserved, "held")],
        notes=list(_money(now)),
        rank=2,
    )


def _creating(look: Look) -> Iterator[Note]:
    now, limit = look.now, look.now.pacers[0] if look.now.pacers else None
    is_buying = now.queued and not now.pauses and now.drain_left_s is None and not look.is_over
    if limit is not None and is_buying:
        yield from _speed(look.created_per_s, limit)
    if now.in_flight_max and not look.is_over:
        yield Note(f"{now.in_flight} of {now.in_flight_max} in flight", 1)


def _speed(per_s: float | None, limit: PacerStatistics) -> Iterator[Note]:
    now, full = per_minute(limit.per_s), per_minute(limit.ceiling_per_s)
    slowed = limit.per_s < limit.ceiling_per_s
    # The last minute may have been faster than what is allowed now.
    seen = f"up to {now}/min" if per_s is None else f"{per_minute(min(per_s, limit.per_s))}/min of {now}"
    yield Note(seen, 0, "held" if slowed else "")
    if slowed:
        yield Note(f"slowed from {full}/min", 2, "held")


def _finishing(look: Look, seen: Figures) -> Iterator[Note]:
    if seen.failed:
        yield Note(f"{seen.failed:,} failed", 0, "bad")
    if look.is_over:
        yield Note(f"took {duration(look.now.elapsed_s)}", 1)
        return
    left_s = look.now.eta_s
    if left_s is None or look.now.drain_left_s is not None:
        return
    if not (look.now.queued or look.now.in_flight or left_s >= 1):
        return
    if look.now.pauses:
        yield Note(f"about {duration(_rounded(left_s))} for what is in flight", 1)
        return
    yield Note(f"about {duration(_rounded(left_s))} left", 1)
    end = look.clock + timedelta(seconds=left_s)
    yield Note(f"until {end:%H:%M}" if left_s < SAME_DAY_S else f"until {end:%a %H:%M}", 2)


def _rounded(left_s: float) -> float:
    """No more digits than the guess is worth: people would read the last one."""
    step_s = 1.0 if left_s < 60 else 5.0 if left_s < 600 else 60.0
    return max(1.0, round(left_s / step_s) * step_s)


def _saving(look: Look, lost: int) -> Iterator[Note]:
    if lost:
        yield Note(f"{lost:,} lost", 0, "bad")
    yield Note(size(look.now.saved_bytes), 1)
    if look.saved_bytes_per_s and not look.is_over:
        yield Note(f"{size(round(look.saved_bytes_per_s))}/s", 2)


def _money(now: RunStatistics) -> Iterator[Note]:
    if now.doubted_credits:
        yield Note(f"{now.doubted_credits:,} in doubt", 0, "bad")
    if now.credits.reserved:
        yield Note(f"{now.credits.reserved:,} held", 1, "held")
    if now.cap_credits is None:
        yield Note("no cap", 2, "faint")
    else:
        yield Note(f"{now.credits.left_of(now.cap_credits):,} left", 2)


def _bars(rows: Sequence[_Row], look: Look) -> list[Line]:
    done_width = max(len(f"{row.done:,}") for row in rows)
    total_width = max(len(_of(row.total)) for row in rows)
    bar_width = min(BAR_WIDTHS[1], max(BAR_WIDTHS[0], int(look.width * BAR_SHARE)))
    lines: list[Line] = []
    for row in rows:
        line = [Piece(f" {row.name:<{NAME_WIDTH}} ", "faint")]
        if look.width >= BARLESS_WIDTH:
            line += bar(row.parts, row.total, bar_width, look.glyphs) if row.total else [Piece(" " * bar_width)]
            line.append(Piece(" "))
        line.append(Piece(f"{row.done:>{done_width},}"))
        line.append(Piece(f"{_of(row.total):<{total_width}}", "faint"))
        room = look.width - sum(cells(piece.text) for piece in line) - 2
        notes = fitting(row.notes, room, look.glyphs) if room > 0 else []
        lines.append([*line, *([Piece("  "), *notes] if notes else [])])
    return lines


def _of(total: int | None) -> str:
    return "" if total is None else f" / {total:,}"


def _urgent(look: Look) -> Iterator[Line]:
    """What a person must know now: why nothing more is bought, or what is still waited for after a Ctrl-C."""
    if look.is_over:
        return
    for name, reason in look.now.pauses.items():
        yield _sentence("no new creates: " + for_terminal(reason), look, "alarm")
        advice = None if look.onward is None else advice_for(name, look.run_id, look.onward)
        if advice is not None:
            yield _sentence(f"then: {advice}", look, "")
    if look.now.drain_left_s is not None:
        due = due_words(look.now.due)
        left = f"stopping: waiting for {due}, {duration(look.now.drain_left_s)} at most"
        yield _sentence(left if due else "stopping: saving what is known", look, "alarm")
        yield _sentence("Ctrl-C again ends at once; nothing is lost", look, "")


def _sentence(text: str, look: Look, style: str) -> Line:
    return [Piece(" "), Piece(cut(text, look.width - 2, look.glyphs), style)]
