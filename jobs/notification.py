"""What people are told when nobody watches: which events there are, what leads to each, and the words.

    a life ended, or an error ended it -> exit code -> `EVENT_OF_EXIT` -> is it in `notify.on`? -> one message
    buying paused, and only a person can go on -> `attention`, once for each reason

The same line that goes to people is the last one of a log (`verdict_line`), so that a mail from cron and a message in
a chat can be held side by side.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from jobs.escape import for_terminal
from jobs.findings import Place
from jobs.lifecycle import ItemState
from jobs.record import Money
from jobs.verdict import Pause
from jobs.wording import duration

__all__ = [
    "EVENT_OF_EXIT",
    "NEEDS_A_PERSON",
    "Event",
    "News",
    "Notification",
    "event_of_end",
    "payload",
    "shown_address",
    "signed",
    "verdict",
    "verdict_line",
    "without_addresses",
]

BODY_VERSION: Final = 1
# A service's own message may be a page; in a chat, a sentence is read.
REASON_CHARS_MAX: Final = 300


class Event(StrEnum):
    """What `notify.on` may name."""

    FINISHED = "finished"
    FAILED = "failed"
    BUDGET = "budget"
    ATTENTION = "attention"


# What is not here tells nobody: 2 and 6 come before anything began, and who interrupts a run knows of it.
EVENT_OF_EXIT: Final[Mapping[int, Event]] = MappingProxyType(
    {
        0: Event.FINISHED,
        1: Event.FAILED,
        3: Event.FAILED,
        4: Event.FAILED,
        5: Event.BUDGET,
        7: Event.ATTENTION,
        8: Event.FAILED,
        9: Event.FAILED,
    }
)

# Pauses that no waiting ends. The run goes on with what is paid for, so its end may be far when these can be mended.
NEEDS_A_PERSON: Final = frozenset({Pause.AUTH, Pause.CREDITS, Pause.CONFIG, Pause.DISK, Pause.HALT, Pause.VANISHED})

_VERDICTS: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "ok",
        1: "a fault of rivya-batch",
        2: "not begun",
        3: "some items failed",
        4: "the key is missing or refused",
        5: "stopped by the budget",
        7: "needs a person",
        8: "the service was out of reach",
        9: "the ledger or the disk is in the way",
        130: "interrupted and saved",
        143: "stopped and saved",
    }
)

_STATE_WORDS: Final[Mapping[ItemState, str]] = MappingProxyType(
    {
        ItemState.FAILED: "failed",
        ItemState.REJECTED: "refused",
        ItemState.UNCERTAIN: "uncertain",
        ItemState.VANISHED: "vanished",
        ItemState.STALLED: "stalled",
        ItemState.ACCEPTED: "under way",
        ItemState.SUBMITTING: "being sent",
        ItemState.SKIPPED: "skipped",
        ItemState.PLANNED: "not bought",
    }
)


# After the host of an http address, after the scheme of any other; quotes of YAML stay.
_SECRET_PART: Final = re.compile(r"""(https?://[^/?#\s"']*|[A-Za-z][A-Za-z0-9+.-]*://)([^\s"']*)""")


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """How a run stands when people are told. `counts` is items by state, whatever life they ended in."""

    run: str
    edition: str
    exit_code: int | None  # None while it goes on
    counts: Mapping[str, int] = field(default_factory=dict)
    done_before: int = 0  # of the succeeded ones, by earlier lives
    money: Money = field(default_factory=Money)
    cap_credits: int | None = None
    elapsed_s: float | None = None  # None: it never began
    reason: str = ""  # why buying stopped, or what the error said
    next_command: str = ""
    rehearsal: bool = False  # against the simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One message: the event, and how the run stood then."""

    event: Event
    news: News

    @property
    def title(self) -> str:
        """A subject line: which run, and what of it."""
        return for_terminal(f"{_name(self.news)}: {verdict(self.news)}")

    @property
    def text(self) -> str:
        """One line with everything but the next command."""
        return verdict_line(self.news, with_next=False)


def event_of_end(news: News, *, on: Collection[str], waiting: Collection[Pause] = ()) -> Event | None:
    """What the end of a life is told as; None when nobody asked for it, or when there was nothing to do.

    `waiting` are pauses that need a person and were not told yet: who wants to hear of those alone hears of them now.
    """
    event = None if news.exit_code is None or _is_idle(news) else EVENT_OF_EXIT.get(news.exit_code)
    if event is not None and event.value in on:
        return event
    return Event.ATTENTION if waiting and Event.ATTENTION.value in on else None


def verdict(news: News) -> str:
    """How it went, in a few words."""
    if news.exit_code is None:
        return "waits for a person"
    if _is_idle(news):
        return "nothing to do"
    return _VERDICTS.get(news.exit_code, f"exit {news.exit_code}")


def verdict_line(news: News, *, with_next: bool = True) -> str:
    """Run, verdict, counts, credits, time and the next command in one line, safe to print."""
    trouble = f" (exit {news.exit_code})" if news.exit_code else ""
    parts = [f"{verdict(news)}{trouble}"]
    if news.reason:
        parts.append(_shortened(news.reason))
    if news.elapsed_s is not None:
        parts += [_counts(news), _credits(news), f"took {duration(news.elapsed_s)}"]
    if with_next and news.next_command:
        parts.append(f"next: {news.next_command}")
    return for_terminal(f"{_name(news)}: {'; '.join(parts)}")


def payload(notification: Notification, *, at: str) -> dict[str, object]:
    """The body of a webhook; `at` is when, as everything we write spells it. Names are public."""
    news = notification.news
    return {
        "version": BODY_VERSION,
        "event": notification.event.value,
        "at": at,
        "run": news.run,
        "edition": news.edition,
        "exit_code": news.exit_code,
        "counts": {state: number for state, number in news.counts.items() if number},
        "credits": {
            "settled": news.money.settled,
            "reserved": news.money.reserved,
            "cap": news.cap_credits,
        },
        "seconds": None if news.elapsed_s is None else round(news.elapsed_s, 3),
        "reason": _shortened(news.reason) or None,
        "text": notification.text,
        "next": news.next_command or None,
        "rehearsal": news.rehearsal,
    }


def signed(body: bytes, *, secret: str | None, message_id: str, at_s: int) -> dict[str, str]:
    """The headers that prove a body, as the Standard Webhooks specification has them; no signature without a secret.

    A secret that begins with `whsec_` is base64, as that specification writes secrets; any other is taken as it is.
    """
    headers = {"webhook-id": message_id, "webhook-timestamp": str(at_s)}
    if secret is not None:
        content = f"{message_id}.{at_s}.".encode() + body
        mac = hmac.new(_key(secret), content, hashlib.sha256).digest()
        headers["webhook-signature"] = "v1," + base64.b64encode(mac).decode("ascii")
    return headers


def shown_address(address: str) -> str:
    """An address without what may be secret in it: the scheme, and the host where that is one.

    Only of http addresses: in those of chat services a token often stands where a host would.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return "an address"
    if parts.scheme in ("http", "https"):
        return for_terminal(f"{parts.scheme}://{host}")
    return for_terminal(f"{parts.scheme}://") if parts.scheme else "an address"


def without_addresses(text: str, places: Iterable[Place]) -> str:
    """A manifest's text to show lines of, its notification addresses starred out as far as they may be secret.

    One star for a character, so that columns still point where they pointed.
    """
    lines = text.splitlines(keepends=True)
    for place in places:
        line = lines[place.line - 1]
        start, end = place.column - 1, place.end_column - 1
        lines[place.line - 1] = line[:start] + _SECRET_PART.sub(_starred, line[start:end]) + line[end:]
    return "".join(lines)


def _starred(found: re.Match[str]) -> str:
    return found[1] + "*" * len(found[2])


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix("whsec_")
    if encoded == secret:
        return secret.encode()
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return secret.encode()


def _name(news: News) -> str:
    return f"rehearsal of {news.run}" if news.rehearsal else news.run


def _is_idle(news: News) -> bool:
    """Whether everything had been done before: a repeated command tells nobody anew."""
    return news.exit_code == 0 and news.elapsed_s is not None and sum(news.counts.values()) == news.done_before


def _counts(news: News) -> str:
    items = sum(news.counts.values())
    told = [f"{news.counts.get(ItemState.SUCCEEDED, 0):,} of {items:,} done"]
    told += [f"{news.counts[state]:,} {word}" for state, word in _STATE_WORDS.items() if news.counts.get(state)]
    return ", ".join(told)


def _credits(news: News) -> str:
    money, cap = news.money, news.cap_credits
    held = f", {money.reserved:,} held" if money.reserved else ""
    return f"{money.settled:,}{'' if cap is None else f' of {cap:,}'} credits spent{held}"


def _shortened(text: str) -> str:
    return text if len(text) <= REASON_CHARS_MAX else text[: REASON_CHARS_MAX - 3] + "..."
