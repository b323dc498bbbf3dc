"""Who brings a notification to an address: the seam, and the courier for webhooks."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final, Protocol

import orjson
import stamina

from jobs.notification import Notification, payload, signed
from runner.clock import stamp
from runner.errors import AddressRefused, TransportError
from runner.exchange import Poster
from runner.secret import Secret

__all__ = ["INSTALL_CHAT", "Courier", "NotDelivered", "Webhook", "is_webhook"]

# A receiver that restarts is back in seconds; whoever waits for the exit code should not wait for longer.
TRIES: Final = 3
FIRST_WAIT_S: Final = 1.0
WAIT_MAX_S: Final = 4.0

INSTALL_CHAT: Final = "pip install 'rivya-batch[notify]'"

_TRY_AGAIN: Final = frozenset({408, 425, 429})


def is_webhook(address: str) -> bool:
    """Whether the address gets our own POST; all others belong to services that a library knows."""
    return address.lower().startswith(("https://", "http://"))


class NotDelivered(Exception):  # noqa: N818  # it ends nothing: it becomes one line of warning
    """Why a notification did not get through. Never holds the address, which may be a secret."""

    def __init__(self, why: str, *, temporary: bool = False) -> None:
        super().__init__(why)
        self.temporary = temporary


class Courier(Protocol):
    """Brings a notification to one kind of address."""

    async def deliver(self, address: str, notification: Notification) -> None:
        """Return when it was taken; raises NotDelivered."""
        ...


class Webhook:
    """One signed POST with a JSON body. Tried a few times: the id stays, so a receiver can tell a copy."""

    def __init__(
        self, poster: Poster, *, secret: Secret | None, wall_s: Callable[[], float], scrub: Callable[[bytes], bytes]
    ) -> None:
        self._poster = poster
        self._secret = secret
        self._wall_s = wall_s
        self._scrub = scrub

    async def deliver(self, address: str, notification: Notification) -> None:
        now_s = self._wall_s()
        body = self._scrub(orjson.dumps(payload(notification, at=stamp(now_s))))
        message_id = f"msg_{secrets.token_hex(16)}"
        secret = None if self._secret is None else self._secret.reveal()
        headers = signed(body, secret=secret, message_id=message_id, at_s=int(now_s))
        attempts = stamina.retry_context(
            on=_is_temporary, attempts=TRIES, timeout=None, wait_initial=FIRST_WAIT_S, wait_max=WAIT_MAX_S
        )
        async for attempt in attempts:
            with attempt:
                await self._post(address, headers, body)

    async def _post(self, address: str, headers: dict[str, str], body: bytes) -> None:
        try:
            status = await self._poster.post(address, headers=headers, body=body)
        except AddressRefused as refused:
            raise NotDelivered(refused.message) from None
        except TransportError as broken:
            raise NotDelivered(broken.message, temporary=not broken.final) from None
        if not 200 <= status < 300:
            raise NotDelivered(_answered(status), temporary=status >= 500 or status in _TRY_AGAIN)


def _is_temporary(error: Exception) -> bool:
    return isinstance(error, NotDelivered) and error.temporary


def _answered(status: int) -> str:
    if 300 <= status < 400:
        return f"it answered HTTP {status}, and redirects are not followed"
    if status in (401, 403):
        return f"it answered HTTP {status}; does it know the secret in RIVYA_BATCH_NOTIFY_SECRET?"
    return f"it answered HTTP {status}"
