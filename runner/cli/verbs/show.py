"""`rivya-batch show ITEM`: what was sent, when, what came back, what it cost, where the files are, what can be said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

from jobs.escape import for_terminal, json_text
from jobs.record import Artifact
from jobs.resolving import Word, refusal
from runner.cli.columns import columns
from runner.cli.figures import count, duration, size
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.naming import complete_items, complete_runs
from runner.cli.voice import Voice
from runner.commands import command_line
from runner.story import AttemptStory, Story, item_story
from runner.views import resolve_run

__all__ = ["command"]


@verb(
    "show",
    example="rivya-batch show 'reveal/params.duration=8'",
    more="ITEM is its key, the beginning of its identity, a task id, or an idempotency key.",
)
@click.argument("item", shell_complete=complete_items)
@click.option("--run", metavar="RUN", shell_complete=complete_runs, help="Where to look.  [default: the latest]")
@click.pass_obj
def command(voice: Voice, item: str, run: str | None) -> None:
    store = settings_for(voice).store
    story = item_story(store, resolve_run(store, run), item)
    if voice.json:
        voice.object(_object(story))
        return
    voice.data(f"{for_terminal(story.item)}  {story.record.state.value}\n")
    for name, text in _facts(story):
        voice.data(f"  {name:<11}{for_terminal(text)}\n")
    for n, attempt in enumerate(story.attempts, start=1):
        voice.data("\n" + _attempt(n, attempt))
    if voice.verbose:
        rows = [(event.at, event.type.value, for_terminal(json_text(dict(event.data)))) for event in story.events]
        voice.data("\n" + columns(("at", "event", "data"), rows, indent=2))
    words = [f"--{word.value}" for word in Word if refusal(story.record, word) is None]
    if words:
        way = " | ".join(words).replace("--adopt", "--adopt TASK")
        voice.talk(f"next: {command_line('resolve', *story.words, *voice.store_flag())} {way}")


def _facts(story: Story) -> Iterator[tuple[str, str]]:
    yield "run", story.run
    yield "model", story.model
    if story.prompt is not None:
        yield "prompt", story.prompt
    yield "params", _pairs(story.params)
    if story.axes:
        yield "axes", _pairs(story.axes)
    if story.tags:
        yield "tags", ", ".join(story.tags)
    for digest in story.reference_digests:
        yield "reference", digest
    if story.repeat > 1:
        yield "repeat", str(story.repeat)
    if story.edition:
        yield "edition", story.edition
    yield "identity", story.identity
    if story.record.error_code is not None:
        yield "error", f"{story.record.error_code}: {story.record.error_message or ''}"
    if story.record.request_id is not None:
        yield "request id", story.record.request_id


def _pairs(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "none"


def _attempt(n: int, story: AttemptStory) -> str:
    attempt = story.attempt
    lines = [f"attempt {n}  {story.state.value}  {_charge(story)}"]
    lines.append(f"  key        {attempt.key}")
    if attempt.task_id is not None:
        lines.append(f"  task       {attempt.task_id}")
    lines.append(f"  opened     {story.opened_at}")
    lines += [f"  accepted   {story.accepted_at}"] if story.accepted_at else []
    lines += [f"  finished   {story.finished_at}"] if story.finished_at else []
    lines += [f"  resolved   {story.word}"] if story.word else []
    text = "".join(f"{for_terminal(line)}\n" for line in lines)
    if story.sends:
        rows = [
            (
                str(send.n),
                send.at,
                f"+{duration(send.wait_s)}",
                f"{send.outcome}{' (may have arrived)' if send.ambiguous else ''}",
                "" if send.status is None else str(send.status),
                for_terminal(send.request_id or ""),
                for_terminal(send.reason),
            )
            for send in story.sends
        ]
        text += columns(("send", "at", "after", "outcome", "HTTP", "request id", "reason"), rows, indent=2)
    return text + "".join(f"  file       {for_terminal(_file(file))}\n" for file in story.files)


def _charge(story: AttemptStory) -> str:
    attempt = story.attempt
    if attempt.reserved:
        return f"{count(attempt.reserved, 'credit')} held"
    return count(attempt.settled, "credit")


def _file(file: Artifact) -> str:
    if file.file is None:
        return f"{file.n}: {file.state}"
    facts = [file.state, file.type or "", size(file.bytes) if file.bytes is not None else ""]
    return f"{file.file} ({', '.join(fact for fact in facts if fact)})"


def _object(story: Story) -> dict[str, object]:
    return {
        "item": story.item,
        "identity": story.identity,
        "run": story.run,
        "runs": list(story.runs),
        "state": story.record.state,
        "job": story.job,
        "model": story.model,
        "prompt": story.prompt,
        "params": dict(story.params),
        "axes": dict(story.axes),
        "tags": list(story.tags),
        "references": list(story.reference_digests),
        "repeat": story.repeat,
        "edition": story.edition,
        "error": {"code": story.record.error_code, "message": story.record.error_message}
        if story.record.error_code is not None
        else None,
        "attempts": [_attempt_object(attempt) for attempt in story.attempts],
        "events": [
            {"at": event.at, "type": event.type, "attempt": event.attempt_key, "data": dict(event.data)}
            for event in story.events
        ],
    }


def _attempt_object(story: AttemptStory) -> dict[str, object]:
    attempt = story.attempt
    return {
        "key": attempt.key,
        "state": story.state,
        "task_id": attempt.task_id,
        "body_sha256": story.body_sha256,
        "price_class": attempt.price_class,
        "bound": attempt.bound,
        "reserved": attempt.reserved,
        "settled": attempt.settled,
        "opened_at": story.opened_at,
        "accepted_at": story.accepted_at,
        "finished_at": story.finished_at,
        "resolved": story.word,
        "request_ids": list(story.request_ids),
        "sends": [
            {"n": s.n, "at": s.at, "wait_s": s.wait_s, "outcome": s.outcome, "status": s.status, "reason": s.reason}
            | {"ambiguous": s.ambiguous, "request_id": s.request_id}
            for s in story.sends
        ],
        "files": [
            {"n": f.n, "state": f.state, "file": f.file, "sha256": f.sha256, "bytes": f.bytes, "type": f.type}
            for f in story.files
        ],
    }
