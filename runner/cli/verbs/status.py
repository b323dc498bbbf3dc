"""`rivya-batch status [RUN]`: reads beside a running run; changes nothing."""

from __future__ import annotations

import time
from typing import Final

import click

from runner.cli.canvas import Canvas
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.naming import complete_runs
from runner.cli.pieces import Piece, cut, glyphs_for
from runner.cli.status_text import Standing, facts, headline, note_line, one_line, standing, standing_object
from runner.cli.stderr_terminal import StderrTerminal
from runner.cli.voice import Voice
from runner.ledger.store import Store
from runner.views import resolve_run

__all__ = ["command"]

FOLLOW_EVERY_S: Final = 1.0
LINE_EVERY_S: Final = 30.0  # in a log; what a person did is told at once
STOPPED_WITHOUT_A_WORD: Final = 130  # how `--follow` ends when the run was killed: interrupted, and it goes on


@verb(
    "status",
    example="rivya-batch status --follow",
    more="RUN defaults to the latest. With --follow it ends with the run's own exit code; 130 for one that was killed.",
)
@click.argument("run", required=False, shell_complete=complete_runs)
@click.option("--follow", is_flag=True, help="Go on until the run ends.")
@click.pass_obj
def command(voice: Voice, run: str | None, *, follow: bool) -> int:
    store = settings_for(voice).store
    run_id = resolve_run(store, run)
    voice.events = follow
    now = _follow(voice, store, run_id) if follow else standing(store, run_id)
    if voice.json:
        voice.object(standing_object(now))
    else:
        voice.data("".join(f"{line}\n" for line in _lines(voice, now)))
    if not follow:
        return 0
    return STOPPED_WITHOUT_A_WORD if now.run.exit_code is None else now.run.exit_code


def _lines(voice: Voice, now: Standing) -> list[str]:
    return [headline(now), *(f"  {name:<9} {text}" for name, text in facts(now, flags=voice.store_flag()))]


def _follow(voice: Voice, store: Store, run_id: str) -> Standing:
    """Show how it goes until it ends; returns how it stood then."""
    teller = _Picture(voice) if voice.is_live() and StderrTerminal(voice).can_redraw else _Log(voice)
    now = standing(store, run_id)
    try:
        while now.run.state == "alive":
            teller.tell(now)
            time.sleep(FOLLOW_EVERY_S)
            now = standing(store, run_id)
    finally:
        teller.close()
    return now


class _Picture:
    """On a terminal: the whole status, drawn again and again."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._terminal = StderrTerminal(voice)
        self._glyphs = glyphs_for(self._terminal.encoding, colors=self._terminal.colors)
        self._canvas = Canvas(self._terminal)

    def tell(self, now: Standing) -> None:
        width, height = self._terminal.size()
        lines = [cut(line, max(1, width - 1), self._glyphs) for line in _lines(self._voice, now)][: max(1, height - 1)]
        self._canvas.show([[Piece(line, "" if n else "title")] for n, line in enumerate(lines)])

    def close(self) -> None:
        self._canvas.show([])
        self._canvas.close()


class _Log:
    """Elsewhere: a line for whatever a person did, and now and then how it stands; or JSON lines."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._told: object = None
        self._told_at_s = float("-inf")
        self._note_id: int | None = None

    def tell(self, now: Standing) -> None:
        if self._voice.json:
            self._tell_object(now)
            return
        news = [note for note in now.notes if self._note_id is not None and note.note_id > self._note_id]
        self._note_id = max((note.note_id for note in now.notes), default=0)
        for line in filter(None, map(note_line, news)):
            self._voice.data(f"{line}\n")
        if now.at_s - self._told_at_s >= LINE_EVERY_S:
            self._told_at_s = now.at_s
            self._voice.data(f"{one_line(now)}\n")

    def _tell_object(self, now: Standing) -> None:
        """Only when something moved: seconds pass by themselves."""
        moved = {name: value for name, value in standing_object(now).items() if name not in ("slowest", "live")}
        moved["in_flight"] = (
            None if now.live is None else (now.live["in_flight"], now.live["limits"], now.live["pauses"])
        )
        if moved != self._told:
            self._told = moved
            self._voice.object(standing_object(now))

    def close(self) -> None:
        """Nothing to give back."""
