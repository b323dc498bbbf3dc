"""The intent: what is decided on, and durable, before a create leaves. Its key and its body follow from it alone."""

from __future__ import annotations

from collections.abc import Mapping

from jobs.answers import Uploaded
from jobs.identity import body_bytes, idempotency_key
from jobs.item import Item
from jobs.record import Attempt
from jobs.runstate import CoreSettings

__all__ = ["create_body", "intent_of"]


def intent_of(
    item: Item, previous: Attempt | None, *, epoch: int, bound: int, server_at_s: float, settings: CoreSettings
) -> dict[str, object]:
    """The data of the event. `bound`: credits to hold; `server_at_s`: by the service's clock, seconds since 1970.

    The next attempt in the same epoch has the next ordinal, and so another key.
    """
    ordinal = previous.ordinal + 1 if previous and previous.epoch == epoch else 0
    key = idempotency_key(
        account=settings.account,
        edition=item.edition,
        identity=item.identity,
        repeat=item.repeat,
        epoch=epoch,
        ordinal=ordinal,
    )
    return {
        "epoch": epoch,
        "ordinal": ordinal,
        "key": key,
        "bound": bound,
        "price_class": item.price_class,
        "scope": settings.scope,
        "server_at_s": server_at_s,
    }


def create_body(item: Item, key: str, uploads: Mapping[str, Uploaded]) -> bytes:
    """The bytes of the create. `uploads`: by digest, the item's references as the service holds them."""
    return body_bytes(
        model=item.model,
        prompt=item.prompt,
        params=item.params,
        reference_items=[uploads[reference.sha256].in_body for reference in item.references],
        client_request_id=key,
    )
