"""A core out of a run's terms and its ledger: the same for one process as for each of several."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jobs.budget import Books, Shared
from jobs.core import Core
from jobs.limits import Limits
from jobs.pacing import Pacer
from jobs.polling import Polling
from jobs.terms import Terms
from runner.ledger import Ledger
from runner.places import absolute
from runner.prepare import Prepared

__all__ = ["made_core", "terms_of"]


def terms_of(prepared: Prepared) -> Terms:
    """What a prepared run comes to, apart from its items."""
    limits, manifest, choices = prepared.limits, prepared.manifest, prepared.choices
    return Terms(
        run_id=prepared.plan.run_id,
        cap_credits=prepared.plan.cap_credits,
        per_item=manifest.budget.per_item,
        on_exhausted=manifest.budget.on_exhausted,
        resubmit_failed=manifest.retries.resubmit_failed,
        resends_max=manifest.retries.sends,
        in_flight=limits.in_flight,
        creates=limits.creates,
        polls=limits.polls,
        uploads=limits.uploads,
        downloads=limits.downloads,
        timeout_s=limits.timeout_s,
        first_poll_s=limits.first_poll_s,
        poll_gap_s=limits.poll_gap_s,
        place=absolute(prepared.place),
        save_results=not choices.no_download,
        sidecars=manifest.output.sidecar,
        retry=choices.retry,
        again=choices.again,
    )


def made_core(
    terms: Terms,
    *,
    account: str,
    ledger: Ledger,
    price_classes: Iterable[str],
    spread: Callable[[], float],
    halt_after: int | None = None,
    shared: Shared | None = None,
    limits: Limits | None = None,
) -> Core:
    """A core for items of these classes, with what the ledger knows.

    `shared` are books that others move too, `limits` those that it has a part of; else all of the terms' are its own.
    """
    limits = limits or Limits(Pacer("creates", terms.creates), Pacer("polls", terms.polls))
    creates, polls = limits.pacers
    held = ledger.books(terms.run_id)
    polling = Polling()
    for price_class, spans_s in ledger.ends_seen(sorted(price_classes)).items():
        polling.recall(price_class, spans_s)
    return Core(
        terms.settings(account=account, halt_after=halt_after, spread=spread),
        books=Books(
            cap=terms.cap_credits,
            per_item=terms.per_item,
            reserved=held.reserved,
            settled=held.settled,
            shared=shared,
        ),
        prices=ledger.class_prices(),
        creates=creates,
        polls=polls,
        polling=polling,
        limits=limits,
    )
