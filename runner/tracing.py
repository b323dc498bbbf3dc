"""Spans of a run for OpenTelemetry, through its API package alone. The only file that imports it.

    run                       one span a life: items, credits, exit code; changes of speed and pauses as events
      upload                  one a try of a reference
    item                      a trace of its own, linked to the run: one item's story can be read by itself
      create, poll, download  one a request, with what it proved

A run is traced when the process has a tracer provider (`opentelemetry-instrument rivya-batch run ...`, or a program
that set one); without one nothing of this is made. Attributes name models, jobs, hashes, ids and amounts; no prompt, no
param, no item's name (axes are in it), no address and no key. Errors are told by their codes, not by their texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, Tracer

from jobs.answers import Phase, SendEnd, Uploaded
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import OPEN, EventType, ItemState
from jobs.record import Change, Record
from jobs.steps import Download, Notice
from jobs.verdict import VerdictKind, judge
from runner.engine import Look, Saver, Sender, Uploader
from runner.errors import RunnerError
from runner.exchange import MayLeave
from runner.reporter import Reporter, RunOutcome, RunStarted, RunStatistics
from runner.version import VERSION

__all__ = ["Traces", "traces"]

# Notices that say how the run as a whole went on; the rest is about single items.
_TOLD: Final = frozenset({"rate", "places", "paused", "resumed", "stopped", "tuned"})

Attributes = dict[str, str | int | float | bool]


def traces() -> Traces | None:
    """A new tracing of one run; None when nobody set a tracer provider."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider):
        return None
    return Traces(provider.get_tracer("rivya-batch", VERSION))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """An item that is traced."""

    span: Span
    keys: set[str]  # its attempts' keys and its tasks, by which requests find it


class Traces(Reporter):
    """One life of a run. A reporter for what became durable, and wrappers for what leaves."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._run = tracer.start_span("run")
        self._items: dict[str, _Known] = {}
        self._names: dict[str, str] = {}  # key or task id -> identity

    def know(self, records: Iterable[Record]) -> None:
        """Where the items stand as this life begins: requests of attempts from before belong to them."""
        for record in records:
            if record.attempt is not None and (record.state in OPEN or record.is_unsaved):
                self._names[record.attempt.key] = record.identity
                if record.attempt.task_id is not None:
                    self._names[record.attempt.task_id] = record.identity

    def around(self, sender: Sender, uploader: Uploader, saver: Saver) -> tuple[Sender, Uploader, Saver]:
        """The same three, with a span around each request."""
        return _Sender(self, sender), _uploader(self, uploader), _saver(self, saver)

    @contextmanager
    def request(self, name: str, *, identity: str | None, of_run: bool = False) -> Iterator[Span]:
        """A span that is current while the request lasts, so that what instruments the client finds its parent."""
        parent = self._run if of_run or identity is None else self._item(identity)
        with self._tracer.start_as_current_span(
            name,
            context=trace.set_span_in_context(parent),
            kind=SpanKind.CLIENT,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as error:
                word = error.code if isinstance(error, RunnerError) else type(error).__name__
                span.set_attribute("error.type", word)
                span.set_status(StatusCode.ERROR, word)
                raise

    def find(self, identity: str, name: str) -> None:
        """From now on this key or task means this item, until its story is over."""
        self._names[name] = identity
        self._items[identity].keys.add(name)

    def owner(self, name: str) -> str | None:
        """The item that a key or a task belongs to."""
        return self._names.get(name)

    def started(self, run: RunStarted) -> None:
        said: Attributes = {"rivya.run": run.run_id, "rivya.items": run.items, "rivya.new": run.new}
        if run.cap_credits is not None:
            said["rivya.credits.cap"] = run.cap_credits
        self._run.set_attributes(said)

    def changed(self, item: Item, change: Change) -> None:
        event, record = change.event, change.record
        if item.identity not in self._items and event.type in (EventType.PLANNED, EventType.SKIPPED):
            return  # nothing was bought of it, so there is no story
        span = self._item(item.identity, at_s=event.at_s)
        span.set_attributes({"rivya.job": item.job, "rivya.model": item.model, "rivya.state": record.state.value})
        span.add_event(event.type.value, timestamp=_ns(event.at_s))
        attempt = record.attempt
        if attempt is not None:
            self.find(item.identity, attempt.key)
            if attempt.task_id is not None:
                self.find(item.identity, attempt.task_id)
                span.set_attribute("rivya.task", attempt.task_id)
            span.set_attributes({"rivya.credits.settled": attempt.settled, "rivya.credits.reserved": attempt.reserved})
        if record.state not in (ItemState.PLANNED, *OPEN) and not record.is_unsaved:
            self._over(item.identity, record)

    def noticed(self, notice: Notice) -> None:
        if notice.name in _TOLD:
            figures = {name: value for name, value in notice.data.items() if isinstance(value, int | float)}
            limit = notice.data.get("limit") or notice.data.get("why")
            words = {"limit": limit} if isinstance(limit, str) and limit.isidentifier() else {}
            self._run.add_event(notice.name, {**figures, **words})

    def stopping(self, why: str, wait_s: float) -> None:
        self._run.add_event("stopping", {"wait_s": wait_s})

    def broken(self, last: RunStatistics) -> None:
        self._run.set_status(StatusCode.ERROR, "broken")

    def ended(self, outcome: RunOutcome) -> None:
        money = outcome.statistics.credits
        self._run.set_attributes(
            {
                "rivya.exit_code": outcome.exit_code,
                "rivya.creates": outcome.creates,
                "rivya.credits.settled": money.settled,
                "rivya.credits.reserved": money.reserved,
            }
        )
        if outcome.exit_code:
            self._run.set_status(StatusCode.ERROR, f"exit {outcome.exit_code}")

    def closed(self) -> None:
        for known in self._items.values():
            known.span.end()
        self._items.clear()
        self._run.end()

    def _item(self, identity: str, *, at_s: float | None = None) -> Span:
        known = self._items.get(identity)
        if known is None:
            span = self._tracer.start_span(
                "item",
                context=Context(),  # a root
                links=[Link(self._run.get_span_context())],
                attributes={"rivya.item": identity},
                start_time=None if at_s is None else _ns(at_s),
            )
            known = self._items[identity] = _Known(span=span, keys=set())
        return known.span

    def _over(self, identity: str, record: Record) -> None:
        known = self._items.pop(identity)
        if record.state is not ItemState.SUCCEEDED:
            known.span.set_status(StatusCode.ERROR, record.state.value)
            if record.error_code is not None:
                known.span.set_attribute("error.type", record.error_code)
        known.span.end()
        for name in known.keys:
            self._names.pop(name, None)


class _Sender:
    """Creates and statuses, each in a span."""

    def __init__(self, traced: Traces, sender: Sender) -> None:
        self._traced = traced
        self._sender = sender

    async def create(self, *, idempotency_key: str, body: bytes, may_leave: MayLeave | None = None) -> SendEnd:
        identity = self._traced.owner(idempotency_key)
        with self._traced.request("create", identity=identity) as span:
            end = await self._sender.create(idempotency_key=idempotency_key, body=body, may_leave=may_leave)
            if identity is not None and end.task is not None:
                self._traced.find(identity, end.task.id)  # a poll may leave before the ledger has the task
            kind = judge(end).kind
            span.set_attributes({"rivya.outcome": kind.value, "rivya.request.bytes": len(body), **_facts(end)})
            if kind is not VerdictKind.ACCEPTED:
                span.set_status(StatusCode.ERROR, kind.value)
            return end

    async def status(self, task_id: str) -> SendEnd:
        with self._traced.request("poll", identity=self._traced.owner(task_id)) as span:
            end = await self._sender.status(task_id)
            span.set_attributes({"rivya.task": task_id, **_facts(end)})
            if end.phase is not Phase.ANSWERED or (end.status or 0) >= 400:
                span.set_status(StatusCode.ERROR)
            return end


def _uploader(traced: Traces, uploader: Uploader) -> Uploader:
    async def upload(reference: ReferenceFile, model: str) -> Uploaded:
        with traced.request("upload", identity=None, of_run=True) as span:
            span.set_attributes({"rivya.reference": reference.sha256, "rivya.reference.bytes": reference.bytes})
            return await uploader(reference, model)

    return upload


def _saver(traced: Traces, saver: Saver) -> Saver:
    async def save(item: Item, wanted: Download, look: Look) -> Mapping[str, object]:
        with traced.request("download", identity=item.identity) as span:
            saved = await saver(item, wanted, look)
            facts = {"rivya.result.state": saved["state"], "rivya.result.type": saved.get("type")}
            span.set_attributes({name: str(fact) for name, fact in facts.items() if fact is not None})
            size_bytes = saved.get("bytes")
            if isinstance(size_bytes, int):
                span.set_attribute("rivya.result.bytes", size_bytes)
            if saved["state"] not in ("verified", "unverified"):
                span.set_status(StatusCode.ERROR, str(saved["state"]))
            return saved

    return save


def _facts(end: SendEnd) -> Attributes:
    facts = {
        "rivya.phase": end.phase.value,
        "http.response.status_code": end.status,
        "rivya.request_id": end.request_id,
        "rivya.task.status": end.task.status if end.task else None,
        "error.type": end.error.code if end.error else None,
    }
    return {name: fact for name, fact in facts.items() if fact is not None}


def _ns(at_s: float) -> int:
    return int(at_s * 1e9)
