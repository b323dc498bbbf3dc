"""The whole page as one JSON-able value: what its script draws, and nothing it has to find out.

Texts that many items share (prompts, params) stand once, in tables. Times are seconds of work since the run began (see
`clockface`), because a chart over three nights is read that way; how long something took is real.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from jobs.catalogue import Catalogue, Model
from jobs.identity import canonical
from jobs.lifecycle import ItemState
from jobs.record import Record
from jobs.report.axes import JobAxes, job_axes
from jobs.report.charts import caps_over_time, credits_over_time, failures, money, times_by_model
from jobs.report.clockface import Clockface
from jobs.report.facts import Happening, LifeSpan, NoteLine, ReportFile, ReportItem, ReportRun, Source
from jobs.report.replay import Course, Replay, replayed

__all__ = ["page_model"]

FORMAT: Final = 1

JsonObject = dict[str, object]


def page_model(
    run: ReportRun,
    items: Sequence[ReportItem],
    events: Iterable[Happening],
    *,
    catalogue: Catalogue,
    source: Source,
    live: bool = False,
) -> JsonObject:
    """The model of the page. `events` are those of the items, in the order they were written."""
    replay = replayed(events, run_id=run.run_id, lives=run.lives)
    lives = _ended(run, replay.heard)
    clock = Clockface.of(lives, last_s=run.made_at_s)
    jobs = {job: [item for item in items if item.job == job] for job in dict.fromkeys(item.job for item in items)}
    axes = {job: job_axes(members, run.layout.get(job, {})) for job, members in jobs.items()}
    prompts, params = _Table(), _Table()
    rows = [_item(item, axes[item.job], replay, clock, prompts, params, run_id=run.run_id) for item in items]
    return {
        "format": FORMAT,
        "live": live,
        "run": _run(run, lives, clock, len(items)),
        "jobs": [{"id": job, "axes": list(found.axes), "layout": found.layout} for job, found in axes.items()],
        "models": {model: _model(catalogue.models.get(model)) for model in dict.fromkeys(item.model for item in items)},
        "prompts": prompts.values,
        "params": params.values,
        "items": rows,
        "credits": credits_over_time(replay.points, clock),
        "caps": caps_over_time(run.notes, clock, now=run.cap_credits),
        "times": times_by_model(items, replay.courses),
        "money": money(items, replay.courses, settled=run.settled, reserved=run.reserved),
        "failures": failures(items),
        "notes": [_note(note, clock) for note in run.notes],
        "references": {digest: {"name": name, "file": file} for digest, (name, file) in source.references.items()},
        "lacking": source.lacking,
    }


class _Table:
    """Values that stand once, by their place."""

    def __init__(self) -> None:
        self.values: list[object] = []
        self._places: dict[bytes, int] = {}

    def place(self, value: object) -> int:
        key = canonical(value)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


def _ended(run: ReportRun, heard: Mapping[int, float]) -> tuple[LifeSpan, ...]:
    """The lives, with the last thing heard of each that died as its end."""
    alive = run.lives[-1].life_id if run.lives and run.state == "alive" else None
    return tuple(
        life
        if life.ended_s is not None or life.life_id == alive
        else LifeSpan(life_id=life.life_id, started_s=life.started_s, ended_s=heard.get(life.life_id, life.started_s))
        for life in run.lives
    )


def _run(run: ReportRun, lives: Sequence[LifeSpan], clock: Clockface, items: int) -> JsonObject:
    return {
        "id": run.run_id,
        "name": run.name,
        "edition": run.edition,
        "state": run.state,
        "exit": run.exit_code,
        "items": items,
        "counts": {state.value: number for state, number in run.counts.items() if number},
        "settled": run.settled,
        "held": run.reserved,
        "uncertain": run.uncertain,
        "cap": run.cap_credits,
        "started": lives[0].started_s if lives else None,
        "ended": lives[-1].ended_s if lives else None,
        "made": run.made_at_s,
        "span": round(clock.total_s, 3),
        "lives": len(lives),
        "breaks": [(round(at_s, 3), round(length_s, 3)) for at_s, length_s in clock.breaks_s],
    }


def _note(note: NoteLine, clock: Clockface) -> JsonObject:
    told: JsonObject = {"at": note.at_s, "t": round(clock.at(note.at_s), 3), "name": note.name, "text": note.text}
    return {**told, "steering": True} if note.is_steering else told


def _item(
    item: ReportItem, axes: JobAxes, replay: Replay, clock: Clockface, prompts: _Table, params: _Table, *, run_id: str
) -> JsonObject:
    record = item.record
    course = replay.courses.get(record.identity, Course())
    moments = (course.wanted_s, course.opened_s, course.accepted_s, course.finished_s, course.saved_s)
    told: JsonObject = {
        "key": item.key,
        "id": record.identity,
        "job": item.job,
        "model": item.model,
        "prompt": None if item.prompt is None else prompts.place(item.prompt),
        "params": params.place(dict(item.params)),
        "axes": axes.places[record.identity],
        "vars": _vars(item),
        "tags": item.tags,
        "repeat": item.repeat,
        "state": record.state.value,
        "settled": course.settled,
        "held": course.reserved,
        "bought": record.state is ItemState.SUCCEEDED and _is_anothers(record, run_id),
        "t": [None if moment is None else round(clock.at(moment), 3) for moment in moments],
        "waited": _rounded(course.waited_s),
        "made": _rounded(course.made_s),
        "files": [_file(file) for file in item.files],
        "refs": item.reference_digests,
        "task": record.attempt.task_id if record.attempt else None,
        "attempts": record.attempts,
        "sends": record.sends,
        "request": record.request_id,
    }
    if record.error_code is not None and record.state is not ItemState.SUCCEEDED:
        told["error"] = {"code": record.error_code, "message": record.error_message or ""}
    return _lean(told)


def _lean(told: JsonObject) -> JsonObject:
    """Without what says nothing: thousands of items are one page."""
    return {
        name: value
        for name, value in told.items()
        if value is not None and value is not False and value not in ((), [], {})
    }


def _is_anothers(record: Record, run_id: str) -> bool:
    """Whether another run of this ledger bought it: then it costs nothing here."""
    return record.attempt is not None and record.attempt.scope != run_id


def _vars(item: ReportItem) -> JsonObject:
    """The axes a following manifest can keep: variables say what a cell is, and change nothing by themselves."""
    return {
        name.removeprefix("vars."): value
        for name, value in item.axes.items()
        if name.startswith("vars.") and isinstance(value, str | int | float | bool)
    }


def _file(file: ReportFile) -> JsonObject:
    told: JsonObject = {
        "state": file.state,
        "src": file.src,
        "name": file.name,
        "type": file.type,
        "bytes": file.bytes,
        "poster": file.poster,
        "ratio": None if file.ratio is None else round(file.ratio, 4),
    }
    return _lean(told)


def _model(model: Model | None) -> list[JsonObject]:
    """The params a person may set when the next step is chosen."""
    if model is None:
        return []
    return [
        {"key": param.key, "options": list(param.options)}
        if param.type == "select"
        else {"key": param.key, "min": param.min, "max": param.max, "step": param.step}
        for param in model.params
        if param.type in ("select", "number")
    ]


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
