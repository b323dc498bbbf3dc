"""Posts of notifications: to hosts that nobody vouches for, without the key, with bounds on size and time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver

from jobs.answers import Phase
from runner.addresses import hook_url, is_loopback
from runner.errors import AddressRefused, TransportError
from runner.transport.connections import CheckedResolver, Connector, Deadlines, new_session, tls_context
from runner.transport.reading import reason_of

__all__ = ["HOOK_DEADLINES", "AiohttpPoster"]

# A run has ended and somebody waits for its exit code. A host that needs longer than this to say `ok` is not well.
HOOK_DEADLINES: Final = Deadlines(connect_s=5.0, silence_s=5.0, exchange_s=8.0)


class AiohttpPoster:
    """One post, each in a session of its own: notifications are rare, and nothing of one may reach another."""

    def __init__(self, *, deadlines: Deadlines = HOOK_DEADLINES, resolver: AbstractResolver | None = None) -> None:
        self._deadlines = deadlines
        self._resolver = resolver

    async def post(self, address: str, *, headers: Mapping[str, str], body: bytes) -> int:
        """The status of the answer; its body is of no interest and is not read. Follows no redirect.

        Raises AddressRefused or TransportError; neither names the address.
        """
        url = hook_url(address)
        resolver = CheckedResolver(self._resolver or aiohttp.ThreadedResolver(), loopback=is_loopback(url.host or ""))
        connector = Connector(ssl=tls_context(), force_close=True, resolver=resolver, use_dns_cache=False)
        failure: AddressRefused | TransportError
        try:
            async with (
                new_session(connector) as session,
                session.post(
                    url,
                    headers={**headers, "Content-Type": "application/json"},
                    data=body,
                    allow_redirects=False,
                    timeout=self._deadlines.timeout(self._deadlines.exchange_s),
                ) as answer,
            ):
                return answer.status
        except AddressRefused:
            failure = AddressRefused("Its host leads into a private network.")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            final = isinstance(error, aiohttp.ClientConnectorCertificateError)
            failure = TransportError(f"No answer: {reason_of(error)}.", phase=Phase.SENT, final=final)
        raise failure
