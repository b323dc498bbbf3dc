"""Notifications to chat and mail services, by apprise. Imported only for an address that needs it."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from functools import partial

import apprise

from jobs.notification import Event, Notification
from runner.notify_courier import NotDelivered

__all__ = ["Chat"]

# The library logs what it does, to stderr when nobody set up logging; what goes wrong is told by us, once.
logging.getLogger("apprise").addHandler(logging.NullHandler())

_KINDS = {Event.FINISHED: apprise.NotifyType.SUCCESS, Event.FAILED: apprise.NotifyType.FAILURE}


class Chat:
    """Delivers to every service that the library knows, by addresses such as `slack://` or `mailto://`."""

    def reads(self, address: str) -> bool:
        """Whether the library can make sense of the address. Asks nobody."""
        return apprise.Apprise.instantiate(address, suppress_exceptions=True) is not None

    async def deliver(self, address: str, notification: Notification) -> None:
        """Send it once; who waits may leave at any time. Raises NotDelivered."""
        # Without a limit of its own the library stays in the thread that calls it.
        service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="rivya-batch", service_timeout=0))
        if not service.add(address):
            raise NotDelivered("the library for chat services cannot read the address")
        if not await _is_sent(service, notification):
            raise NotDelivered("the service did not take it", temporary=True)


async def _is_sent(service: apprise.Apprise, notification: Notification) -> bool:
    """Whether the service took it, found out by a thread that nobody waits for when the process ends.

    The library's time limits are for single reads: a mail server that says a line now and then is listened to for
    ever, and the library's own threads would keep the process from ending.
    """
    loop, answer = asyncio.get_running_loop(), asyncio.Future[bool]()

    def settle(*, is_sent: bool = False, fault: Exception | None = None) -> None:
        if answer.done():
            return
        if fault is None:
            answer.set_result(is_sent)
        else:
            answer.set_exception(fault)

    def work() -> None:
        try:
            told = partial(settle, is_sent=_send(service, notification))
        except Exception as fault:  # noqa: BLE001 - of a library for a hundred services; whoever waits hears of it
            told = partial(settle, fault=fault)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(told)

    threading.Thread(target=work, name="notify", daemon=True).start()
    return await answer


def _send(service: apprise.Apprise, notification: Notification) -> bool:
    following = notification.news.next_command
    sent = service.notify(
        title=notification.title,
        body=f"{notification.text}\nnext: {following}" if following else notification.text,
        body_format=apprise.NotifyFormat.TEXT,  # mails are HTML, and words of others are in it
        notify_type=_KINDS.get(notification.event, apprise.NotifyType.WARNING),
        interpret_escapes=False,
    )
    return bool(sent)
