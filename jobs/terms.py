"""The terms of a run's life, apart from its items: all that whoever works on it must know, as text if need be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter

from jobs.polling import PollFloors
from jobs.rates import Rate
from jobs.runstate import CoreSettings
from jobs.verdict import SendPolicy

__all__ = ["Terms", "terms_in", "text_of_terms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What manifest, settings and flags come to. The rates and places are those of the whole account."""

    run_id: str
    cap_credits: int | None
    per_item: int | None
    on_exhausted: str
    resubmit_failed: int
    resends_max: int | None
    in_flight: int
    creates: Rate
    polls: Rate
    uploads: Rate
    downloads: Rate | None
    timeout_s: float
    first_poll_s: float
    poll_gap_s: float
    place: str  # where results go: a bucket, or a folder
    save_results: bool
    sidecars: bool
    retry: bool  # a person asked to buy what failed or was refused
    again: bool  # or to buy it whatever it came to

    def settings(self, *, account: str, halt_after: int | None, spread: Callable[[], float]) -> CoreSettings:
        """The core's part of it."""
        return CoreSettings(
            account=account,
            scope=self.run_id,
            in_flight_max=self.in_flight,
            on_exhausted=self.on_exhausted,
            resubmit_failed=self.resubmit_failed,
            item_timeout_s=self.timeout_s,
            floors=PollFloors(first_poll_s=self.first_poll_s, poll_gap_s=self.poll_gap_s),
            send_policy=SendPolicy() if self.resends_max is None else SendPolicy(resends_max=self.resends_max),
            save_results=self.save_results,
            halt_after=halt_after,
            spread=spread,
        )

    def spends_more_than(self, before: Terms) -> bool:
        """Whether the budget is a larger one."""
        return self.cap_credits is not None and before.cap_credits is not None and self.cap_credits > before.cap_credits


_TEXT: Final = TypeAdapter(Terms)


def text_of_terms(terms: Terms) -> str:
    """The terms as JSON text: the same terms, the same text."""
    return _TEXT.dump_json(terms).decode()


def terms_in(text: str) -> Terms:
    """The terms of such a text. Raises `pydantic.ValidationError` for what another release wrote."""
    return _TEXT.validate_json(text)
