"""From a manifest's path to a checked plan. Reads files and the ledger, sends nothing, buys nothing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from jobs.answers import Uploaded
from jobs.catalogue import Catalogue
from jobs.expand import Context, Expansion, expand
from jobs.findings import Finding
from jobs.item import Item
from jobs.lifecycle import ItemState
from jobs.manifest import Manifest, parse
from jobs.plan import Pace, Plan, make_plan
from jobs.rates import Rate, parse_duration_s, parse_rate
from jobs.record import Money, Record
from jobs.sources import Sources, needs
from jobs.suggest import did_you_mean
from jobs.yaml12 import Document, load
from runner.errors import ManifestRejected, UsageError
from runner.ledger import KnownUpload, PastItem
from runner.ledger.sqlite import open_reader
from runner.models_cache import load_catalogue
from runner.notify_check import notify_findings, showable
from runner.places import is_bucket
from runner.settings import SIM_SPEED, Caps, Settings
from runner.sources import read_manifest, read_sources

__all__ = [
    "Checked",
    "Choices",
    "Limits",
    "Prepared",
    "check_manifest",
    "prepare",
    "usable_uploads",
]

# The service's limits are unknown, so a run that says nothing stays well below what such services usually allow.
DEFAULT_CREATES = Rate(count=60, window_s=60.0)
DEFAULT_POLLS = Rate(count=5, window_s=1.0)
DEFAULT_UPLOADS = Rate(count=2, window_s=1.0)
DEFAULT_IN_FLIGHT = 16
DEFAULT_TIMEOUT_S = 20 * 60.0
DEFAULT_FIRST_POLL_S = 2.0
DEFAULT_POLL_GAP_S = 1.0

# How long a reference is trusted to stay at the service: its life is unknown, and uploading again is free.
UPLOAD_AGE_S_MAX = 20 * 3600.0
# One that says when it ends must last at least this much longer, so that a create in the queue still finds it.
UPLOAD_LIFE_LEFT_S = 3600.0

# What makes a line of a file of picks a pattern, if no item has it as its whole key.
_SPECIAL = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What one command picks and permits; everything that is not a setting."""

    select: tuple[str, ...] = ()
    pick_files: tuple[str, ...] = ()  # what `--select @FILE` named ...
    picks: Mapping[str, str] = field(default_factory=dict)  # ... and what they hold: an item's key, and its place
    exclude: tuple[str, ...] = ()
    limit: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    date: str | None = None  # YYYY-MM-DD; today when None
    allow_large: bool = False
    again: bool = False
    retry: bool = False
    halt: str | None = None  # `fail=3` or `fail=5%`
    no_download: bool = False


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
    plan: Plan
    limits: Limits
    choices: Choices
    digest: str
    warnings: tuple[Finding, ...]
    texts: Mapping[str, str]

    @property
    def place(self) -> str:
        """Where results go: `s3://bucket/prefix`, or a folder; like the ledger, from the current folder on."""
        place = self.manifest.output.dir or f"out/{self.manifest.name}"
        return place if is_bucket(place) else str(Path(place).expanduser())


def check_manifest(path: Path, *, catalogue: Catalogue, choices: Choices) -> Checked:
    """Read, expand and check one manifest. Every finding at once; never raises for what the user wrote."""
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
    expansion = _expand(document, manifest, sources, catalogue, choices)
    return Checked(
        path=path,
        texts=texts,
        findings=(*findings, *expansion.findings),
        manifest=manifest,
        expansion=expansion,
        digest=_digest(text, sources),
    )


def _expand(
    document: Document, manifest: Manifest, sources: Sources, catalogue: Catalogue, choices: Choices
) -> Expansion:
    context = Context(
        date=choices.date or _today(),
        variables=dict(choices.variables),
        allow_large=choices.allow_large,
    )
    return expand(document, manifest, sources, catalogue, context)


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


def prepare(manifest_path: Path, *, settings: Settings, choices: Choices) -> Prepared:
    """Check the manifest and match it against the ledger. Raises ManifestRejected, UsageError or LedgerUnusable."""
    choices = replace(choices, date=choices.date or _today())  # one day for all of it, and for a plan that is saved
    catalogue = load_catalogue(settings.base_url, now_epoch_s=time.time())
    checked = check_manifest(manifest_path, catalogue=catalogue, choices=choices)
    if not checked.texts and checked.errors:  # there is nothing to show a place of
        first = checked.errors[0]
        message = first.message[:1].upper() + first.message[1:]
        raise UsageError(f"{message}. Nothing was sent.", code=first.code, next_step=first.help)
    if checked.errors:
        raise ManifestRejected(
            f"{manifest_path} has {len(checked.errors)} error{'s' * (len(checked.errors) > 1)}. Nothing was sent.",
            findings=checked.findings,
            texts=checked.texts,
        )
    manifest, expansion = checked.manifest, checked.expansion
    assert manifest is not None, "without errors there is a manifest"
    assert expansion is not None, "and its items"
    caps = settings.capped(_manifest_caps(manifest), origin=str(manifest_path)).caps
    limits = _limits(manifest, caps)
    items = _chosen(expansion.items, choices)
    digests = sorted({reference.sha256 for item in items for reference in item.references})
    known = _known(settings.store, expansion.run_id, [item.identity for item in items], digests)
    if choices.retry:
        items = [item for item in items if _can_retry(known.records.get(item.identity))]
    categories = {item.model: catalogue.models[item.model].category for item in items}
    plan = make_plan(
        items,
        run_id=expansion.run_id,
        records=known.records,
        past=known.past,
        prices=known.prices,
        known_uploads=frozenset() if choices.retry else known.uploads,
        books=known.books,
        cap_credits=caps.budget,
        position=known.position,
        pace=Pace(
            creates_per_s=limits.creates.per_second,
            in_flight=limits.in_flight,
            category_of=categories,
            speed=SIM_SPEED if settings.embedded else 1.0,
        ),
        wanted=frozenset(item.identity for item in expansion.items),
        resubmit_failed=manifest.retries.resubmit_failed,
        retry=choices.retry,
        again=choices.again,
    )
    return Prepared(
        path=manifest_path,
        manifest=manifest,
        catalogue=catalogue,
        expansion=expansion,
        plan=plan,
        limits=limits,
        choices=choices,
        digest=checked.digest,
        warnings=checked.findings,
        texts=checked.texts,
    )


def _can_retry(record: Record | None) -> bool:
    return record is not None and record.state in (ItemState.FAILED, ItemState.REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the ledger says about the wanted items; empty without a ledger."""

    records: Mapping[str, Record] = field(default_factory=dict)
    past: Sequence[PastItem] = ()
    prices: Mapping[str, int] = field(default_factory=dict)
    uploads: frozenset[str] = frozenset()
    books: Money = field(default_factory=Money)
    position: int = 0


def _known(store: Path, run_id: str, identities: Sequence[str], digests: Sequence[str]) -> _Known:
    reader = open_reader(store)
    if reader is None:
        return _Known()
    with reader:
        return _Known(
            records=reader.records(identities),
            past=reader.past_items(run_id),
            prices=reader.class_prices(),
            uploads=frozenset(usable_uploads(reader.uploads(digests), now_s=time.time())),
            books=reader.books(run_id),
            position=reader.position(),
        )


def usable_uploads(known: Mapping[str, KnownUpload], *, now_s: float) -> dict[str, Uploaded]:
    """The references that the service can be trusted to hold still."""
    return {digest: one.uploaded for digest, one in known.items() if _usable(one, now_s)}


def _usable(known: KnownUpload, now_s: float) -> bool:
    if not 0 <= now_s - known.at_s < UPLOAD_AGE_S_MAX:
        return False
    if known.uploaded.expires_at is None:
        return True
    try:
        expires_s = datetime.fromisoformat(known.uploaded.expires_at).timestamp()
    except ValueError:
        return True
    return expires_s - now_s > UPLOAD_LIFE_LEFT_S


def _chosen(items: Sequence[Item], choices: Choices) -> list[Item]:
    """The items that `--select`, `--exclude` and `--limit` leave. A pattern meets an item's key, its job or a tag."""
    picked, is_open = _picked(items, choices), not (choices.select or choices.pick_files)
    chosen = [
        item
        for item in items
        if (is_open or item.key in picked or _meets(item, choices.select)) and not _meets(item, choices.exclude)
    ]
    if not chosen:
        patterns = ", ".join((*choices.select, *(f"@{name}" for name in choices.pick_files), *choices.exclude))
        raise UsageError(
            f"No item is left by the selection {patterns}. Nothing was sent.",
            code="nothing-selected",
            next_step=did_you_mean((choices.select or ("",))[0], [item.key for item in items], "see `plan --explain`"),
        )
    return chosen[: choices.limit]


def _picked(items: Sequence[Item], choices: Choices) -> set[str]:
    """The keys that picks mean: a whole key, or else a pattern of keys, which a key with odd characters is written as.

    A pick that is no item any more is not passed over in silence: raises UsageError with its place.
    """
    keys = [item.key for item in items]
    known, picked, strange = set(keys), set[str](), list[tuple[str, str]]()
    for pick, place in choices.picks.items():
        meant = {pick} & known
        if not meant and not _SPECIAL.isdisjoint(pick):
            meant = {key for key in keys if fnmatchcase(key, pick)}
        if not meant:
            strange.append((pick, place))
        picked |= meant
    if strange:
        pick, place = strange[0]
        more = f", nor {len(strange) - 1} more of the picks" if len(strange) > 1 else ""
        raise UsageError(
            f"{place}: no item of the manifest is called `{pick}`{more}. Nothing was sent.",
            code="pick-unknown",
            next_step=did_you_mean(pick, keys, "see `plan --explain` for all keys"),
        )
    return picked


def _meets(item: Item, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in (item.key, item.job, *item.tags))


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
