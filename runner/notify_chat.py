"""Notifications to chat and mail services, by apprise. Imported only for an address that needs it."""

from __future__ import annotations

import logging

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
        """Send it once; the library keeps its own time limits of a few seconds. Raises NotDelivered."""
        service = apprise.Apprise(asset=apprise.AppriseAsset(app_id="rivya-batch"))
        if not service.add(address):
            raise NotDelivered("the library for chat services cannot read the address")
        following = notification.news.next_command
        body = f"{notification.text}\nnext: {following}" if following else notification.text
        kind = _KINDS.get(notification.event, apprise.NotifyType.WARNING)
        sent = await service.async_notify(
            title=notification.title, body=body, notify_type=kind, interpret_escapes=False
        )
        if not sent:
            raise NotDelivered("the service did not take it", temporary=True)
