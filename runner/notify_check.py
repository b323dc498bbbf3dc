"""What can be said of a manifest's notification addresses before a night depends on them. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator

from jobs.findings import Finding
from jobs.manifest import Manifest
from jobs.notification import shown_address, without_addresses
from jobs.raw import entries, fields, note
from jobs.yaml12 import Document
from runner.addresses import hook_url
from runner.errors import AddressRefused
from runner.notify_courier import INSTALL_CHAT, is_webhook
from runner.on_demand import chat

__all__ = ["notify_findings", "showable"]


def notify_findings(document: Document, manifest: Manifest) -> Iterator[Finding]:
    """Addresses that could not be told, as far as that can be known now."""
    yield from _webhook_findings(document, manifest)
    yield from _chat_findings(document, manifest)


def _webhook_findings(document: Document, manifest: Manifest) -> Iterator[Finding]:
    """Webhooks that would be refused when it is too late. A name that leads into a private network shows only then."""
    for index, url in enumerate(manifest.notify.urls):
        if is_webhook(url):
            try:
                hook_url(url)
            except AddressRefused as refused:
                message = f"`{shown_address(url)}` will not be told: {refused.message.rstrip('.').lower()}"
                remedy = "write an `https://` address on a public host, without a port"
                yield note(document, "notify-refused", ("notify", "urls", index), message, remedy, severity="warning")


def _chat_findings(document: Document, manifest: Manifest) -> Iterator[Finding]:
    """Addresses of chat and mail services that nothing here can reach, or that the library cannot read."""
    services = [(index, url) for index, url in enumerate(manifest.notify.urls) if not is_webhook(url)]
    if not services:
        return
    courier = chat()
    for index, url in services:
        path = ("notify", "urls", index)
        if courier is None:
            message = f"`{shown_address(url)}` cannot be told: the library for chat and mail services is not installed"
            yield note(document, "notify-extra", path, message, INSTALL_CHAT, severity="warning")
        elif not courier.reads(url):
            message = f"the library for chat and mail services cannot read this `{shown_address(url)}` address"
            remedy = "look up how the service's addresses are written: apprise lists them"
            yield note(document, "notify-unknown", path, message, remedy, severity="warning")


def showable(text: str, document: Document) -> str:
    """The manifest's text as lines of it may be shown: tokens stand in addresses."""
    data = document.data
    urls = entries(fields(fields(data).get("notify")).get("urls"))
    places = (document.place(("notify", "urls", index)) for index in range(len(urls)))
    return without_addresses(text, places)
