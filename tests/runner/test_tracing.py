"""Spans of a run, seen with the SDK's exporter in memory."""

from __future__ import annotations

import subprocess
import sys
import timeit
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from jobs.answers import ErrorSeen, Phase, SendEnd, TaskSeen, Uploaded
from jobs.item import Item, ReferenceFile
from jobs.lifecycle import EventType
from jobs.steps import Download, Notice
from runner import on_demand
from runner.cli.entry import run_command
from runner.engine import Look
from runner.errors import LinkDead
from runner.exchange import MayLeave
from runner.sim.profile import DEMO_KEY
from runner.tracing import traces
from tests.runner.ledger_cases import Teller, item
from tests.runner.media_samples import SAMPLES

MANIFEST = """\
version: 1
name: boats
edition: SECRET-EDITION
budget: {credits: 50}
limits: {creates: 50/s, polls: 50/s, in_flight: 8, first_poll: 10ms, poll_gap: 10ms}
references: {shoe: {file: SECRET-shoe.png}}
jobs:
  - id: boat
    model: z-image
    prompt: "SECRET-PROMPT {{ vars.colour }}"
    tags: [SECRET-TAG]
    matrix: {grid: {vars.colour: [SECRET-RED, SECRET-BLUE]}}
  - {id: dressed, model: nano-banana, prompt: SECRET-SHOE, references: [shoe]}
"""


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Where the spans of this process go, as if the program had set a provider."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boats.yaml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "SECRET-shoe.png").write_bytes(SAMPLES["png"][1])
    return tmp_path


def run(*words: str) -> int:
    return run_command(["run", "boats.yaml", "--sim", "--yes", "--no-progress", "-q", *words])


def named(spans: Sequence[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


def of(span: ReadableSpan, attribute: str) -> object:
    return (span.attributes or {}).get(attribute)


def test_a_run_has_a_span_and_each_item_a_trace_of_its_own(folder: Path, exporter: InMemorySpanExporter) -> None:
    assert run() == 0
    spans = exporter.get_finished_spans()

    assert Counter(span.name for span in spans if span.name != "poll") == {
        "run": 1,
        "item": 3,
        "upload": 1,
        "create": 3,
        "download": 3,
    }
    assert len(named(spans, "poll")) >= 3
    assert all(span.parent for span in spans if span.name not in ("run", "item"))
    (the_run,) = named(spans, "run")
    assert (of(the_run, "rivya.run"), of(the_run, "rivya.items")) == ("boats@SECRET-EDITION", 3)
    assert (of(the_run, "rivya.exit_code"), of(the_run, "rivya.credits.settled")) == (0, 5)
    by_id = {span.context.span_id: span for span in spans if span.context}
    for whole in named(spans, "item"):
        assert whole.parent is None
        assert [link.context for link in whole.links] == [the_run.context]
        children = {
            span.name
            for span in spans
            if span.parent and whole.context and span.parent.span_id == whole.context.span_id
        }
        assert children == {"create", "poll", "download"}
        assert (of(whole, "rivya.state"), whole.status.status_code) == ("succeeded", StatusCode.UNSET)
        assert next(event.name for event in whole.events) == "intent"
        assert [event.name for event in whole.events][-1] == "saved"
    for span in spans:
        if span.parent is not None:
            assert span.context
            assert span.context.trace_id == by_id[span.parent.span_id].context.trace_id
            assert span.start_time is not None
            assert span.end_time is not None
            assert span.start_time <= span.end_time
    (upload,) = named(spans, "upload")
    assert [span.name for span in spans if span.parent and span.parent.span_id == the_run.context.span_id] == ["upload"]
    assert upload.parent is not None
    assert upload.parent.span_id == the_run.context.span_id


def test_each_request_says_what_it_proved(folder: Path, exporter: InMemorySpanExporter) -> None:
    assert run() == 0
    spans = exporter.get_finished_spans()

    for create in named(spans, "create"):
        assert of(create, "rivya.outcome") == "accepted"
        assert of(create, "http.response.status_code") in (200, 201, 202)
        assert of(create, "rivya.request_id")
    assert {of(poll, "rivya.task.status") for poll in named(spans, "poll")} >= {"succeeded"}
    for download in named(spans, "download"):
        assert of(download, "rivya.result.state") == "verified"
        assert isinstance(of(download, "rivya.result.bytes"), int)


def test_no_prompt_name_address_or_key_is_in_a_span(folder: Path, exporter: InMemorySpanExporter) -> None:
    assert run() == 0

    for span in exporter.get_finished_spans():
        text = span.to_json().replace("boats@SECRET-EDITION", "")  # the run's name is what one looks for
        assert [word for word in ("SECRET", "http://", "https://", DEMO_KEY, "rvb1-") if word in text] == []


class Service:
    """Answers with what it was told to, and raises what is an error."""

    def __init__(self, *answers: SendEnd | Exception) -> None:
        self._answers = iter(answers)

    async def create(self, *, idempotency_key: str, body: bytes, may_leave: MayLeave | None = None) -> SendEnd:
        return self._next()

    async def status(self, task_id: str) -> SendEnd:
        return self._next()

    async def upload(self, reference: ReferenceFile, model: str) -> Uploaded:
        raise AssertionError("nothing is uploaded here")

    async def save(self, item: Item, wanted: Download, look: Look) -> Mapping[str, object]:
        raise LinkDead("the address https://SECRET.example died")

    def _next(self) -> SendEnd:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


LIMITED = SendEnd(
    phase=Phase.ANSWERED, status=429, error=ErrorSeen(code="rate_limited", message="SECRET"), request_id="req-1"
)
TAKEN = SendEnd(phase=Phase.ANSWERED, status=201, task=TaskSeen(id="task-1", status="queued"))


async def test_what_went_wrong_is_told_by_its_code(exporter: InMemorySpanExporter) -> None:
    traced, teller, one = traces(), Teller(), item(1)
    assert traced is not None
    service = Service(LIMITED, TAKEN, ZeroDivisionError("SECRET"))
    sender, _, save = traced.around(service, service.upload, service.save)
    teller.plan(one)
    intent = teller.intent(one)
    traced.changed(one, intent)
    await sender.create(idempotency_key=str(intent.event.data["key"]), body=b"{}")
    await sender.create(idempotency_key=str(intent.event.data["key"]), body=b"{}")
    traced.changed(one, teller.accepted(one, task_id="task-1"))
    with pytest.raises(ZeroDivisionError):
        await sender.status("task-1")
    with pytest.raises(LinkDead):
        await save(one, Download(identity=one.identity, n=1, url="", task_id="task-1"), Service().status)
    traced.changed(
        one, teller.tell(one.identity, EventType.FAILED, charge=0, code="generation_failed", message="SECRET")
    )
    traced.noticed(Notice(name="rate", data={"limit": "creates", "before": 5.0, "after": 2.5, "why": "SECRET why"}))
    traced.closed()

    spans = exporter.get_finished_spans()
    limited, taken = named(spans, "create")
    assert (of(limited, "rivya.outcome"), of(limited, "error.type")) == ("limited", "rate_limited")
    assert (limited.status.status_code, taken.status.status_code) == (StatusCode.ERROR, StatusCode.UNSET)
    assert [of(span, "error.type") for span in (*named(spans, "poll"), *named(spans, "download"))] == [
        "ZeroDivisionError",
        "download-link-dead",
    ]
    (whole,) = named(spans, "item")
    assert (of(whole, "error.type"), whole.status.status_code) == ("generation_failed", StatusCode.ERROR)
    (life,) = named(spans, "run")
    assert [(event.name, dict(event.attributes or {})) for event in life.events] == [
        ("rate", {"limit": "creates", "before": 5.0, "after": 2.5})
    ]
    assert not [span for span in spans if "SECRET" in span.to_json()]


async def test_requests_of_an_attempt_from_before_belong_to_its_item(exporter: InMemorySpanExporter) -> None:
    traced, teller, one = traces(), Teller(), item(1)
    assert traced is not None
    teller.plan(one)
    teller.intent(one)
    teller.accepted(one, task_id="task-1")
    traced.know(teller.records.values())
    sender, _, _ = traced.around(Service(TAKEN), Service().upload, Service().save)

    await sender.status("task-1")
    traced.closed()

    spans = exporter.get_finished_spans()
    (poll,), (whole,) = named(spans, "poll"), named(spans, "item")
    assert (poll.parent, of(whole, "rivya.item")) == (whole.context, one.identity)


async def test_a_request_is_the_current_span_for_who_instruments_the_client(exporter: InMemorySpanExporter) -> None:
    traced = traces()
    assert traced is not None

    with traced.request("create", identity=None) as span:
        assert trace.get_current_span() is span
    traced.closed()


async def test_what_is_over_is_forgotten(exporter: InMemorySpanExporter) -> None:
    traced, teller, one = traces(), Teller(), item(1)
    assert traced is not None
    teller.plan(one)
    steps = teller.intent(one), teller.accepted(one, task_id="task-1"), teller.succeeded(one)
    for change in (*steps, teller.saved(one, state="verified", file="a.mp4")):
        traced.changed(one, change)

    assert (traced._items, traced._names) == ({}, {})
    traced.closed()


async def test_what_was_never_bought_has_no_story(exporter: InMemorySpanExporter) -> None:
    traced, teller, one = traces(), Teller(), item(1)
    assert traced is not None
    teller.plan(one)
    traced.changed(one, teller.tell(one.identity, EventType.SKIPPED, code="budget_exhausted", message="no room"))
    traced.closed()

    assert [span.name for span in exporter.get_finished_spans()] == ["run"]


def test_without_a_provider_nothing_is_traced(folder: Path) -> None:
    assert traces() is None
    assert on_demand.traces() is None


def test_an_ordinary_run_does_not_even_import_it(folder: Path) -> None:
    code = (
        "import sys\nfrom runner.cli.entry import run_command\n"
        "code = run_command(['run', 'boats.yaml', '--sim', '--yes', '-q'])\n"
        "print(code, [name for name in sys.modules if name.partition('.')[0] in ('opentelemetry', 'duckdb', 'obstore', "
        "'prometheus_client')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "0 []"


def test_off_it_costs_nothing_but_one_question_a_run() -> None:
    assert timeit.timeit(on_demand.traces, number=1000) / 1000 < 100e-6
