"""Carrying out a person's word on an item in doubt: ask the service where it can know, then write it down."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from jobs.answers import Phase, SendEnd, TaskSeen
from jobs.record import Record
from jobs.resolving import Said, Word, refusal, resolved
from jobs.verdict import refuses_key
from runner.clock import Clock
from runner.errors import AuthError, ServiceRefused, Unreachable, UsageError
from runner.ledger.opening import open_ledger, open_reader
from runner.service import Service
from runner.settings import Settings
from runner.story import Story
from runner.transport import AiohttpTransport

__all__ = ["Show", "check_word", "find_task", "record_word"]

# The command that shows what these words name, for a person to copy.
Show = Callable[..., str]


def check_word(settings: Settings, story: Story, word: Word, task_id: str | None, *, show: Show) -> None:
    """Raise UsageError when this cannot be said of the item, or its task is another attempt's."""
    why_not = refusal(story.record, word)
    if why_not is not None:
        raise UsageError(
            f"`{story.item}` of {story.run} is {story.record.state.value}: {why_not}. Nothing was changed.",
            code="cannot-resolve",
            next_step=f"see what is known of it with `{show(*story.words)}`",
        )
    if task_id is None:
        return
    reader = open_reader(settings.store)
    assert reader is not None, "the item was just found in it"
    with reader:
        owner = reader.task_key(task_id)
    if owner is not None:
        raise UsageError(
            f"{task_id} belongs to another attempt, {owner}. Nothing was changed.",
            code="task-taken",
            next_step=f"see which item that is with `{show(owner)}`",
        )


async def find_task(settings: Settings, task_id: str) -> TaskSeen:
    """The task as the service shows it to this key. Raises UsageError when there is none, or what stood in the way."""
    async with AiohttpTransport(settings.base_url, settings.need_key()) as transport:
        return _shown(task_id, await Service(transport).status(task_id))


def _shown(task_id: str, end: SendEnd) -> TaskSeen:
    nothing = "Nothing was changed."
    if end.task is not None and end.task.id == task_id:
        return end.task
    if refuses_key(end.status, end.error):
        raise AuthError(f"The service refused the key: {end.reason}. {nothing}", request_id=end.request_id)
    if end.phase is not Phase.ANSWERED or end.status is None or end.status >= 500:
        raise Unreachable(f"The service did not say what {task_id} is: {end.reason}. {nothing}")
    if end.status == 404:
        raise UsageError(
            f"The service knows no task {task_id} for this key. {nothing}",
            code="task-unknown",
            next_step="look for it in the account's history; a task of another account cannot be adopted",
        )
    raise ServiceRefused(
        f"The service did not say what {task_id} is: {end.reason}. {nothing}",
        status=end.status,
        request_id=end.request_id,
    )


async def record_word(
    settings: Settings, story: Story, said: Said, *, show: Show, warn: Callable[[str], None]
) -> Record:
    """Write the word down as the item's next event; returns where the item stands now.

    `warn` is told at once what the ledger says of itself when it is opened: it says so only once. Raises UsageError
    when the item moved since its story was told, and what `open_ledger` raises.
    """
    ledger = open_ledger(settings.store, account=settings.account, base_url=settings.service)
    try:
        for warning in ledger.warnings:
            warn(warning)
        record = ledger.records([story.identity])[story.identity]
        if record.version != story.record.version:
            raise UsageError(
                f"`{story.item}` of {story.run} moved meanwhile: it is {record.state.value} now. Nothing was changed.",
                code="cannot-resolve",
                next_step=f"look at it again with `{show(*story.words)}`",
            )
        change = resolved(record, said, at_s=Clock().now().wall_s)
        await ledger.record([change])
        return change.record
    finally:
        with anyio.CancelScope(shield=True):
            await ledger.close()
