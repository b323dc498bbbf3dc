"""From a manifest's path to a checked plan. Reads files and the ledger, sends nothing, buys nothing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from jobs.catalogue import Catalogue
from jobs.expand import Context, Expansion, Unfolding
from jobs.findings import Finding
from jobs.item import Item
from jobs.lifecycle import ItemState
from jobs.manifest import Manifest, parse
from jobs.plan import Pace, Plan
from jobs.rates import Rate, parse_duration_s, parse_rate
from jobs.record import Record
from jobs.sources import Sources, needs
from jobs.unswept import unswept
from jobs.yaml12 import Document, load
from runner.errors import LedgerUnusable, ManifestRejected, UsageError
from runner.gathering import batched
from runner.ledger.opening import open_reader
from runner.matching import Beside, Wanted
from runner.models_cache import load_catalogue
from runner.notify_check import notify_findings, showable
from runner.places import is_bucket
from runner.selection import Choices, Selection
from runner.settings import SIM_SPEED, Caps, Settings
from runner.sources import read_manifest, read_sources
from runner.version import VERSION

__all__ = [
    "Checked",
    "Choices",
    "Limits",
    "Prepared",
    "check_manifest",
    "prepare",
]

# The service's limits are unknown, so a run that says nothing stays well below what such services usually allow.
DEFAULT_CREATES = Rate(count=60, window_s=60.0)
DEFAULT_POLLS = Rate(count=5, window_s=1.0)
DEFAULT_UPLOADS = Rate(count=2, window_s=1.0)
DEFAULT_IN_FLIGHT = 16
DEFAULT_TIMEOUT_S = 20 * 60.0
DEFAULT_FIRST_POLL_S = 2.0
DEFAULT_POLL_GAP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits in force: the manifest's, the settings' and the flags', whichever is smaller."""

    creates: Rate
    polls: Rate
    uploads: Rate
    downloads: Rate | None
    in_flight: int
    timeout_s: float
    first_poll_s: float
    poll_gap_s: float

    @property
    def pace(self) -> str:
        """In words, for the plan."""
        return f"{self.creates}, {self.in_flight} in flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A manifest that was read and expanded, with everything that was found; items only when nothing is wrong."""

    path: Path
    texts: Mapping[str, str]  # for snippets, by file
    findings: tuple[Finding, ...]
    manifest: Manifest | None = None
    expansion: Expansion | None = None
    digest: str = ""  # of the manifest and of everything it named

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop a run."""
        return tuple(finding for finding in self.findings if finding.severity == "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan with all that running it needs."""

    path: Path
    manifest: Manifest
    catalogue: Catalogue
    expansion: Expansion
    items: Sequence[Item]  # those that are asked for
    plan: Plan
    limits: Limits
    choices: Choices
    digest: str
    fingerprint: str = ""  # of everything the items are made from; empty where it does not tell
    admitted: Sequence[Wanted] | None = None  # all of it, where the ledger was told the very same before
    warnings: tuple[Finding, ...]
    texts: Mapping[str, str]

    @property
    def place(self) -> str:
        """Where results go: `s3://bucket/prefix`, or a folder; like the ledger, from the current folder on."""
        place = self.manifest.output.dir or f"out/{self.manifest.name}"
        return place if is_bucket(place) else str(Path(place).expanduser())


def check_manifest(path: Path, *, catalogue: Catalogue, choices: Choices) -> Checked:
    """Read, expand and check one manifest. Every finding at once; never raises for what the user wrote."""
    read = _read(path)
    if isinstance(read, Checked):
        return read
    unfolding = read.unfolding(catalogue, choices)
    for _ in unfolding.items():
        pass
    return read.checked(unfolding.end())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A manifest that could be read, with everything it names."""

    path: Path
    texts: Mapping[str, str]
    findings: tuple[Finding, ...]
    document: Document
    manifest: Manifest
    sources: Sources
    digest: str

    def unfolding(self, catalogue: Catalogue, choices: Choices) -> Unfolding:
        context = Context(
            date=choices.date or _today(),
            variables=dict(choices.variables),
            allow_large=choices.allow_large,
        )
        return Unfolding(self.document, self.manifest, self.sources, catalogue, context)

    def checked(self, expansion: Expansion) -> Checked:
        return Checked(
            path=self.path,
            texts=self.texts,
            findings=(*self.findings, *expansion.findings),
            manifest=self.manifest,
            expansion=expansion,
            digest=self.digest,
        )


def _read(path: Path) -> _Read | Checked:
    """What a path holds, or why it holds no manifest."""
    text, findings = read_manifest(path)
    texts: dict[str, str] = {}
    if text is None:
        return Checked(path=path, texts=texts, findings=tuple(findings))
    texts[str(path)] = text
    document, more = load(text, str(path))
    findings = [*findings, *more]
    if document is None:
        return Checked(path=path, texts=texts, findings=tuple(findings))
    texts[str(path)] = showable(text, document)
    manifest, more = parse(document)
    findings += more
    if manifest is None:
        return Checked(path=path, texts=texts, findings=tuple(findings))
    findings += notify_findings(document, manifest)
    sources = read_sources(path, needs(document, manifest))
    texts.update(sources.texts)
    return _Read(
        path=path,
        texts=texts,
        findings=tuple(findings),
        document=document,
        manifest=manifest,
        sources=sources,
        digest=_digest(text, sources),
    )


def _today() -> str:
    return datetime.now().astimezone().date().isoformat()


def _digest(text: str, sources: Sources) -> str:
    """One hash over the manifest, its data and prompt files, and its references."""
    digest = hashlib.sha256(text.encode())
    for name, content in sorted(sources.texts.items()):
        digest.update(f"\0{name}\0{content}".encode())
    for name, files in sorted(sources.references.items()):
        digest.update(f"\0{name}\0{[file.sha256 for file in files]}".encode())
    return digest.hexdigest()


def _fingerprint(read: _Read, catalogue: Catalogue, choices: Choices) -> str:
    """One hash over everything that an expansion is made from: where it is the same, so are the items.

    The day counts only where something may read it, or no run would go on the next morning as it was left.
    """
    text = read.document.text
    texts = (text, *read.sources.texts.values(), *choices.variables.values())
    may_be_read = any("run" in one for one in texts) or "\\" in text  # an escape spells any word
    date = choices.date if may_be_read else None
    told = (VERSION, read.digest, catalogue, date, sorted(choices.variables.items()), choices.allow_large)
    return hashlib.sha256(repr(told).encode(errors="surrogatepass")).hexdigest()


def prepare(manifest_path: Path, *, settings: Settings, choices: Choices) -> Prepared:
    """Check the manifest and match it against the ledger. Raises ManifestRejected, UsageError or LedgerUnusable."""
    choices = replace(choices, date=choices.date or _today())  # one day for all of it, and for a plan that is saved
    catalogue = load_catalogue(settings.base_url, now_epoch_s=time.time())
    read = _read(manifest_path)
    if isinstance(read, Checked):
        raise _refusal(read)
    manifest = read.manifest
    caps = settings.capped(_manifest_caps(manifest), origin=str(manifest_path)).caps
    limits = _limits(manifest, caps)
    unfolding = read.unfolding(catalogue, choices)
    fingerprint = _fingerprint(read, catalogue, choices)
    with ExitStack() as stack:
        try:
            reader = open_reader(settings.store)
        except LedgerUnusable:
            checked = check_manifest(manifest_path, catalogue=catalogue, choices=choices)
            if checked.errors:
                raise _refusal(checked) from None
            raise
        if reader is not None:
            stack.enter_context(reader)
        beside = Beside(
            reader,
            unfolding.run_id,
            resubmit_failed=manifest.retries.resubmit_failed,
            retry=choices.retry,
            again=choices.again,
        )
        whole, admitted = None, None
        if choices.are_plain and not (read.findings or read.sources.findings) and beside.was_told(fingerprint):
            whole = unfolding.unwalked()
            files = (file for files in read.sources.references.values() for file in files)
            with unswept():
                admitted = beside.admitted(len(whole.items), catalogue, files)
                beside.see(admitted or ())
        if whole is None or admitted is None:
            expansion, items = _matched(read, unfolding, beside, choices)
        else:
            expansion, items = whole, [item for item, _ in admitted]
        plan = beside.plan(
            items,
            pace=Pace(
                creates_per_s=limits.creates.per_second,
                in_flight=limits.in_flight,
                category_of={model.id: model.category for model in catalogue.models.values()},
                speed=SIM_SPEED if settings.embedded else 1.0,
            ),
            cap_credits=caps.budget,
        )
    checked = read.checked(expansion)
    return Prepared(
        path=manifest_path,
        manifest=manifest,
        catalogue=catalogue,
        expansion=expansion,
        items=items,
        admitted=admitted,
        plan=plan,
        limits=limits,
        choices=choices,
        digest=checked.digest,
        fingerprint="" if checked.findings else fingerprint,  # what was found must be told again
        warnings=checked.findings,
        texts=checked.texts,
    )


def _matched(read: _Read, unfolding: Unfolding, beside: Beside, choices: Choices) -> tuple[Expansion, Sequence[Item]]:
    """The expansion, and those of its items that are asked for, each shown to the plan as it goes by."""
    walk: Iterable[Item] = unfolding.items()
    expansion = None
    if choices.pick_files:  # what they mean is only known once all keys are
        for _ in walk:
            pass
        walk = (expansion := _sound(read, unfolding)).items
    selection = Selection(choices, [item.key for item in expansion.items] if expansion is not None else [])
    kept: list[Item] = []
    for batch in batched(walk):
        beside.went_by(batch)
        asked = selection.of(batch)
        records = beside.records(asked)
        if choices.retry:
            asked = [item for item in asked if _can_retry(records.get(item.identity))]
        beside.see((item, records.get(item.identity)) for item in asked)
        if not selection.takes_all:
            kept += asked
    expansion = expansion or _sound(read, unfolding)
    if not selection.taken:
        raise selection.nothing([item.key for item in expansion.items])
    return expansion, expansion.items if selection.takes_all else tuple(kept)


def _sound(read: _Read, unfolding: Unfolding) -> Expansion:
    """The expansion, if nothing is wrong with it. Raises ManifestRejected or UsageError."""
    checked = read.checked(unfolding.end())
    if checked.errors:
        raise _refusal(checked)
    assert checked.expansion is not None, "it was just made"
    return checked.expansion


def _refusal(checked: Checked) -> ManifestRejected | UsageError:
    if not checked.texts:  # there is nothing to show a place of
        first = checked.errors[0]
        message = first.message[:1].upper() + first.message[1:]
        return UsageError(f"{message}. Nothing was sent.", code=first.code, next_step=first.help)
    return ManifestRejected(
        f"{checked.path} has {len(checked.errors)} error{'s' * (len(checked.errors) > 1)}. Nothing was sent.",
        findings=checked.findings,
        texts=checked.texts,
    )


def _can_retry(record: Record | None) -> bool:
    return record is not None and record.state in (ItemState.FAILED, ItemState.REJECTED)


def _manifest_caps(manifest: Manifest) -> Caps:
    limits = manifest.limits
    return Caps(
        budget=manifest.budget.credits,
        creates=_rate(limits.creates),
        polls=_rate(limits.polls),
        uploads=_rate(limits.uploads),
        downloads=_rate(limits.downloads),
        in_flight=limits.in_flight,
    )


def _limits(manifest: Manifest, caps: Caps) -> Limits:
    said = manifest.limits
    return Limits(
        creates=caps.creates or DEFAULT_CREATES,
        polls=caps.polls or DEFAULT_POLLS,
        uploads=caps.uploads or DEFAULT_UPLOADS,
        downloads=caps.downloads,
        in_flight=caps.in_flight or DEFAULT_IN_FLIGHT,
        timeout_s=_seconds(said.timeout, DEFAULT_TIMEOUT_S),
        first_poll_s=_seconds(said.first_poll, DEFAULT_FIRST_POLL_S),
        poll_gap_s=_seconds(said.poll_gap, DEFAULT_POLL_GAP_S),
    )


def _rate(text: str | None) -> Rate | None:
    return None if text is None else parse_rate(text)


def _seconds(text: str | None, otherwise_s: float) -> float:
    seconds = None if text is None else parse_duration_s(text)
    return otherwise_s if seconds is None else seconds
