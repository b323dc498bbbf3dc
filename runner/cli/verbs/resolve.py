"""`rivya-batch resolve ITEM`: a person's word on an attempt that nobody else can judge, recorded with their name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial

import click

from jobs.answers import TaskSeen
from jobs.escape import for_terminal
from jobs.record import Record
from jobs.resolving import Said, Word
from runner.cli.columns import shortened
from runner.cli.figures import count
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.loop import run_async
from runner.cli.naming import complete_items, complete_runs
from runner.cli.voice import Voice
from runner.commands import command_line
from runner.errors import UsageError
from runner.on_demand import simulator
from runner.people import account_name
from runner.resolving import check_word, find_task, record_word
from runner.settings import Settings
from runner.story import Story, item_story
from runner.views import resolve_run

__all__ = ["command"]

KEY_CHARS = 60  # of a question that is to stay readable; the facts above it have the whole key


@verb(
    "resolve",
    example="rivya-batch resolve 'reveal/params.duration=8' --adopt task_0161bb8a2f",
    more="For items that are `uncertain`; what is `vanished` or `stalled` can be written off. ITEM is named as for "
    "`show`. Look the attempt up in the account's history, or ask the service with its key and request ids, first.",
)
@click.argument("item", shell_complete=complete_items)
@click.option("--adopt", metavar="TASK", help="It became this task: poll it, save its results, count its credits.")
@click.option("--assume-not-created", is_flag=True, help="It never arrived: free its credits; `run` buys it again.")
@click.option("--write-off", is_flag=True, help="Nobody will know: count its credits as spent, wait no more.")
@click.option("--run", metavar="RUN", shell_complete=complete_runs, help="Where to look.  [default: the latest]")
@click.pass_obj
def command(
    voice: Voice, item: str, *, adopt: str | None, assume_not_created: bool, write_off: bool, run: str | None
) -> None:
    settings = settings_for(voice)
    story = item_story(settings.store, resolve_run(settings.store, run), item)
    show = partial(_command, voice, "show")
    said = [
        word
        for word, given in (
            (Word.ADOPT, adopt is not None),
            (Word.ASSUME_NOT_CREATED, assume_not_created),
            (Word.WRITE_OFF, write_off),
        )
        if given
    ]
    if len(said) != 1:
        raise UsageError(
            "Say one thing: --adopt TASK, --assume-not-created or --write-off. Nothing was changed.",
            next_step=f"see what is known with `{show(*story.words)}`",
        )
    (word,) = said
    check_word(settings, story, word, adopt, show=show)
    task = run_async(_find(settings, adopt)) if adopt is not None else None
    for name, text in _facts(story, task):
        voice.talk(f"  {name:<9} {for_terminal(text)}")
    _confirm(voice, story, word, task)
    warnings: list[str] = []

    def warn(warning: str) -> None:
        warnings.append(warning)
        voice.alert(for_terminal(f"warning: {warning}"))

    record = run_async(
        record_word(settings, story, Said(word=word, by=account_name(os.getuid()), task=task), show=show, warn=warn)
    )
    _tell(voice, story, word, record, warnings)


def _command(voice: Voice, *words: str) -> str:
    return command_line(*words, *voice.store_flag())


async def _find(settings: Settings, task_id: str) -> TaskSeen:
    if not settings.embedded:
        return await find_task(settings, task_id)
    async with simulator()(settings) as served:
        return await find_task(served, task_id)


def _facts(story: Story, task: TaskSeen | None) -> Iterator[tuple[str, str]]:
    attempt = story.record.attempt
    assert attempt is not None, "an item in doubt has an attempt"
    yield "item", story.item
    yield "run", story.run
    yield "state", f"{story.record.state.value}: {story.record.error_message or 'no reason is recorded'}"
    yield "held", count(attempt.reserved, "credit")
    yield "key", attempt.key
    if story.record.request_id is not None:
        yield "request", story.record.request_id
    if attempt.task_id is not None:
        yield "task", attempt.task_id
    if task is not None:
        yield "task", f"{task.id} is {task.status} at the service"


def _question(story: Story, word: Word, task: TaskSeen | None) -> str:
    item = f"`{shortened(story.item, KEY_CHARS)}` of {story.run}"
    match word:
        case Word.ADOPT:
            assert task is not None, "a task to adopt"
            return f"Take {task.id} for {item}?"
        case Word.ASSUME_NOT_CREATED:
            return f"If {item} was created after all, the next run pays for it twice. Assume that it was not?"
        case Word.WRITE_OFF:
            held = story.record.attempt.reserved if story.record.attempt else 0
            return f"Count the {count(held, 'credit')} of {item} as spent, and wait for its results no more?"


def _confirm(voice: Voice, story: Story, word: Word, task: TaskSeen | None) -> None:
    if voice.yes:
        return
    if not voice.can_ask():
        said = (f"--{word.value}", *([task.id] if task else []))
        raise UsageError(
            "A word on credits needs a `yes`, and nobody can be asked here. Nothing was changed.",
            code="not-confirmed",
            next_step=_command(voice, "resolve", *story.words, *said, "--yes"),
        )
    if voice.ask(for_terminal(_question(story, word, task)) + " Type yes: ") != "yes":
        raise UsageError(
            "The answer was not `yes`. Nothing was changed.", code="declined", next_step="run the same command again"
        )


def _tell(voice: Voice, story: Story, word: Word, record: Record, warnings: Sequence[str]) -> None:
    attempt = record.attempt
    assert attempt is not None
    if voice.json:
        voice.object(
            {
                "item": story.item,
                "identity": story.identity,
                "run": story.run,
                "word": word.value,
                "state": record.state.value,
                "task_id": attempt.task_id,
                "reserved": attempt.reserved,
                "settled": attempt.settled,
                "warnings": warnings,
            }
        )
        return
    became = {
        Word.ADOPT: f"as {attempt.task_id}; the next `run` of it asks for the task and saves its results",
        Word.ASSUME_NOT_CREATED: "and holds nothing; the next `run` of it buys it under a new key",
        Word.WRITE_OFF: f"with {count(attempt.settled, 'credit')} spent; only `retry` or `--again` buys it again",
    }
    voice.talk(for_terminal(f"{story.item} of {story.run} is {record.state.value} now, {became[word]}"))
