"""Carrying out a person's word on an item in doubt: ask the service where it can know, then write it down."""

from __future__ import annotations

import anyio

from jobs.answers import Phase, SendEnd, TaskSeen
from jobs.record import Record
from jobs.resolving import Said, Word, refusal, resolved
from jobs.verdict import refuses_key
from runner.clock import Clock
from runner.errors import AuthError, ServiceRefused, Unreachable, UsageError
from runner.ledger.sqlite import open_ledger, open_reader
from runner.service import Service
from runner.settings import Settings
from runner.transport import AiohttpTransport

__all__ = ["check_word", "find_task", "record_word"]


def check_word(settings: Settings, item: str, record: Record, word: Word, task_id: str | None) -> None:
    """Raise UsageError when this cannot be said of the item, or its task is another attempt's."""
    why_not = refusal(record, word)
    if why_not is not None:
        raise UsageError(
            f"`{item}` is {record.state.value}: {why_not}. Nothing was changed.",
            code="cannot-resolve",
            next_step="see what is known of it with `rivya-batch show`",
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
            next_step=f"see which item that is with `rivya-batch show {owner}`",
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


async def record_word(settings: Settings, seen: Record, said: Said) -> Record:
    """Write the word down as the item's next event; returns where the item stands now.

    Raises UsageError when the item moved since it was `seen`, and what `open_ledger` raises.
    """
    ledger = open_ledger(settings.store, account=settings.account, base_url=settings.service)
    try:
        record = ledger.records([seen.identity])[seen.identity]
        if record.version != seen.version:
            raise UsageError(
                f"The item moved meanwhile: it is {record.state.value} now. Nothing was changed.",
                code="cannot-resolve",
                next_step="look at it again with `rivya-batch show`",
            )
        change = resolved(record, said, at_s=Clock().now().wall_s)
        await ledger.record([change])
        return change.record
    finally:
        with anyio.CancelScope(shield=True):
            await ledger.close()
