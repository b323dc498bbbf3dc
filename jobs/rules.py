"""What must hold in a manifest beyond the shape of its values; for matrices see `jobs.matrix_rules`.

Each rule is one function over the raw document, and says nothing about what it does not understand. A new rule is a
function in `RULES`, a paragraph in `jobs.codes`, and a manifest in `manifests/broken`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

from pydantic import JsonValue

from jobs.axes import is_axis_name
from jobs.findings import Finding
from jobs.leaks import is_secret_name, is_secret_text
from jobs.matrix_rules import MATRIX_RULES
from jobs.names import bad_name
from jobs.rates import parse_duration_s, parse_rate
from jobs.raw import Raw, entries, fields, jobs_of, note
from jobs.suggest import did_you_mean
from jobs.wording import listed, written
from jobs.yaml12 import Document, Path

__all__ = ["FINDINGS_MAX", "RULES", "rule_findings"]

MAX_ID_CHARS: Final = 64  # ids become folder names
FINDINGS_MAX: Final = 10_000  # of one rule, or of the shape: one for each item of the largest ordinary manifest
# Seconds from, to. A shorter gap is a busy loop, and nothing is worth waiting a week for.
_DURATIONS_S: Final = {"timeout": (1.0, 604_800.0), "first_poll": (0.0, 600.0), "poll_gap": (0.01, 600.0)}
_SPANS: Final = {"timeout": "`1s` to `7d`", "first_poll": "`0s` to `10m`", "poll_gap": "`10ms` to `10m`"}
_RATES: Final = ("creates", "polls", "uploads", "downloads")

_ID: Final = re.compile(r"\w[\w.-]*")
# What apprise posts anywhere as it is told; a plain `https://` address does the same, checked and signed.
_PLAIN_POSTS: Final = frozenset({"json", "jsons", "xml", "xmls", "form", "forms"})
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.")
_ADDRESS_LIKE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LOOPBACK: Final = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")


def rule_findings(document: Document, data: Raw) -> Iterator[Finding]:
    """Return everything the rules have to say; of one rule not more than anybody reads."""
    for rule in RULES:
        yield from islice(rule(document, data), FINDINGS_MAX)


def version(document: Document, data: Raw) -> Iterator[Finding]:
    """`1.0` and `true` equal 1, so the shape lets them through."""
    value = data.get("version")
    if value == 1 and type(value) is not int:
        message = f"the version cannot be {written(value)}"
        yield note(document, "bad-version", ("version",), message, "write `version: 1`")


def rates(document: Document, data: Raw) -> Iterator[Finding]:
    limits = fields(data.get("limits"))
    for name in _RATES:
        text = limits.get(name)
        if isinstance(text, str) and parse_rate(text) is None:
            remedy = "write a whole number per second, minute or hour, `10000/s` at most, as in `5/s` or `60/min`"
            yield note(document, "bad-rate", ("limits", name), f"`{name}` is no rate: `{text}`", remedy)


def durations(document: Document, data: Raw) -> Iterator[Finding]:
    limits = fields(data.get("limits"))
    seconds: dict[str, float] = {}
    for name, (least_s, most_s) in _DURATIONS_S.items():
        text = limits.get(name)
        if not isinstance(text, str):
            continue
        duration_s = parse_duration_s(text)
        if duration_s is None:
            remedy = "write a number and a unit, as in `500ms`, `2s`, `20m` or `1h30m`"
            yield note(document, "bad-duration", ("limits", name), f"`{name}` is no duration: `{text}`", remedy)
        elif not least_s <= duration_s <= most_s:
            message = f"`{name}` cannot be `{text}`"
            yield note(document, "bad-duration", ("limits", name), message, f"it may be {_SPANS[name]}")
        else:
            seconds[name] = duration_s
    if "timeout" in seconds and seconds["timeout"] <= seconds.get("first_poll", 0.0):
        remedy = "no item could ever finish in time: raise `timeout` or lower `first_poll`"
        message = "`timeout` ends before the first poll"
        yield note(document, "timeout-before-poll", ("limits", "timeout"), message, remedy)


def budget(document: Document, data: Raw) -> Iterator[Finding]:
    caps = fields(data.get("budget"))
    credits_max, each_max = caps.get("credits"), caps.get("per_item")
    if isinstance(credits_max, int) and isinstance(each_max, int) and each_max > credits_max:
        message = f"`per_item` is {each_max:,}, more than the whole budget of {credits_max:,} credits"
        remedy = "it never stops anything: lower it or take it out"
        yield note(document, "per-item-above-budget", ("budget", "per_item"), message, remedy, severity="warning")


def job_ids(document: Document, data: Raw) -> Iterator[Finding]:
    first: dict[str, Path] = {}
    for path, job in jobs_of(data):
        name = job.get("id")
        if not isinstance(name, str) or not name:
            continue
        here = (*path, "id")
        if _ID.fullmatch(name) is None or len(name) > MAX_ID_CHARS:
            remedy = f"use letters, digits, `-`, `_` and `.`, at most {MAX_ID_CHARS}, not `-` or `.` first"
            yield note(document, "bad-job-id", here, "this cannot be a job's id", remedy)
        if name in first:
            line = document.place(first[name]).line
            yield note(
                document, "duplicate-job-id", here, f"job `{name}` is given twice", f"first given on line {line}"
            )
        first.setdefault(name, here)


def reference_names(document: Document, data: Raw) -> Iterator[Finding]:
    """A name that nothing declares, and a declaration that nothing names."""
    declared = fields(data.get("references"))
    used: Counter[str] = Counter()
    for path, value in _reference_uses(data):
        if not isinstance(value, str):
            continue
        used[value] += 1
        if value not in declared:
            otherwise = f"declared are {listed(declared)}" if declared else "declare it under `references:` at the top"
            help_ = did_you_mean(value, declared, otherwise)
            yield note(document, "unknown-reference", path, f"there is no reference `{value}`", help_)
    for name in declared:
        if _ID.fullmatch(name) is None:
            remedy = "use letters, digits, `-`, `_` and `.`"
            message = f"`{name}` cannot name a reference"
            yield note(document, "bad-reference-name", ("references", name), message, remedy, key=True)
        elif name not in used and all(other in declared for other in used):
            remedy = "name it in a job's `references: [...]`, or take it out"
            message = f"no job uses the reference `{name}`"
            path = ("references", name)
            yield note(document, "unused-reference", path, message, remedy, key=True, severity="warning")


def _reference_uses(data: Raw) -> Iterator[tuple[Path, JsonValue]]:
    holders = [(("defaults",), fields(data.get("defaults"))), *jobs_of(data)]
    for path, holder in holders:
        names = holder.get("references")
        if isinstance(names, str):
            yield (*path, "references"), names  # its shape is wrong, and still it says what is used
        for index, name in enumerate(entries(names)):
            yield (*path, "references", index), name
        matrix = fields(holder.get("matrix"))
        for part in ("grid", "zip"):
            for axis, values in fields(matrix.get(part)).items():
                if axis.startswith("references.") and is_axis_name(axis):
                    for index, name in enumerate(entries(values)):
                        yield (*path, "matrix", part, axis, index), name
        for index, entry in enumerate(entries(matrix.get("include"))):
            for axis, name in fields(entry).items():
                if axis.startswith("references."):
                    yield (*path, "matrix", "include", index, axis), name


def reference_files(document: Document, data: Raw) -> Iterator[Finding]:
    for name, reference in fields(data.get("references")).items():
        file = fields(reference).get("file")
        if isinstance(file, str) and "://" in file:
            remedy = "download it and name the local file; references are uploaded from here"
            path = ("references", name, "file")
            yield note(document, "reference-url", path, "a reference is a local file, not an address", remedy)


def var_names(document: Document, data: Raw) -> Iterator[Finding]:
    for path, holder in [((), data), (("defaults",), fields(data.get("defaults"))), *jobs_of(data)]:
        for name in fields(holder.get("vars")):
            if not name.isidentifier():
                remedy = "use letters, digits and `_`, no digit first: templates read it as `{{ vars.NAME }}`"
                message = f"`{name}` cannot name a var"
                yield note(document, "bad-var-name", (*path, "vars", name), message, remedy, key=True)


def template_places(document: Document, data: Raw) -> Iterator[Finding]:
    """Templates fill texts; they do not choose models, files or names, so that a manifest can be read as it stands."""
    remedy = "templates work in `prompt`, `vars`, `tags`, `output`, `output.name` and `edition`"
    for path, value in _fixed_texts(data):
        if isinstance(value, str) and ("{{" in value or "{%" in value):
            message = f"`{_name(path)}` cannot be a template"
            varied = path[-2:-1] in (("params",), ("options",))
            help_ = f"vary it with an axis: `matrix: {{grid: {{{path[-2]}.{path[-1]}: [...]}}}}`" if varied else remedy
            yield note(document, "template-not-allowed", path, message, help_)


def _name(path: Path) -> str:
    return next(str(step) for step in reversed(path) if isinstance(step, str))


def _fixed_texts(data: Raw) -> Iterator[tuple[Path, JsonValue]]:
    yield ("output", "dir"), fields(data.get("output")).get("dir")
    yield ("defaults", "model"), fields(data.get("defaults")).get("model")
    for name, reference in fields(data.get("references")).items():
        yield ("references", name, "file"), fields(reference).get("file")
    for path, holder in [(("defaults",), fields(data.get("defaults"))), *jobs_of(data)]:
        for part in ("params", "options"):
            for name, value in fields(holder.get(part)).items():
                yield (*path, part, name), value
    for path, job in jobs_of(data):
        yield (*path, "model"), job.get("model")
        yield (*path, "prompt", "file"), fields(job.get("prompt")).get("file")
        yield (*path, "data", "file"), fields(job.get("data")).get("file")


def output_place(document: Document, data: Raw) -> Iterator[Finding]:
    """Results go to a folder or a bucket; what looks like another address would become a folder of that name."""
    place = fields(data.get("output")).get("dir")
    if not isinstance(place, str) or not _ADDRESS_LIKE.match(place):
        return
    bucket, _, prefix = place.removeprefix("s3://").rstrip("/").partition("/")
    if not place.startswith("s3://"):
        problem: str | None = "is no folder, and results go to no address but `s3://`"
    elif not _BUCKET.fullmatch(bucket) or ".." in bucket:
        problem = "names no bucket"
    else:
        problem = bad_name(prefix) if prefix else None
    if problem is not None:
        remedy = "write a folder, or `s3://bucket/prefix` with letters, digits and `-_.,=+@()`"
        yield note(document, "bad-output-dir", ("output", "dir"), f"`output.dir` {problem}", remedy)


def notify_urls(document: Document, data: Raw) -> Iterator[Finding]:
    notify = fields(data.get("notify"))
    events, urls = entries(notify.get("on")), entries(notify.get("urls"))
    for index, url in enumerate(urls):
        problem = _url_problem(url) if isinstance(url, str) else None
        if problem is not None:
            yield note(document, "bad-url", ("notify", "urls", index), problem, "write it as `https://host/path`")
    if bool(events) != bool(urls):
        message = "nobody is told: `notify` has " + (
            "events and no `urls`" if events else "`urls` and no events in `on`"
        )
        remedy = "add `urls: [https://host/path]`" if events else "add `on: [failed, budget, attention]`"
        yield note(document, "notify-incomplete", ("notify",), message, remedy, key=True, severity="warning")


def _url_problem(url: str) -> str | None:
    scheme = url.partition("://")[0].lower()
    if not _SCHEME.match(url) or re.search(r"\s", url):
        return "this is no address"
    if scheme in _PLAIN_POSTS:
        return f"`{scheme}://` would get around the checks of addresses"
    if scheme not in ("http", "https"):
        return None  # a chat or a mail service: whether its address is whole, the library that knows it says
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return "this is no address"
    if parts.username is not None or parts.password is not None:
        return "an address cannot carry a name and a password"
    if scheme == "http" and not _LOOPBACK.fullmatch(host):
        return "plain `http://` is for this machine alone"
    return None if host else "this is no address"


def secrets(document: Document, _data: Raw) -> Iterator[Finding]:
    """Keys pasted into the manifest. The text itself appears in no message."""
    remedy = "take it out, replace the key (it has been written down), and set RIVYA_API_KEY or RIVYA_API_KEY_FILE"
    # The document's own data: `x-` keys are free, but not free of keys.
    waiting: list[tuple[Path, JsonValue]] = [((), document.data)]
    harmless = set[str]()  # an alias shows one text in many places
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            for name, inner in value.items():
                here = (*path, name)
                if is_secret_text(name) or (is_secret_name(name) and isinstance(inner, str) and inner):
                    yield note(document, "secret-in-manifest", here, "this looks like a key", remedy, key=True)
                else:
                    waiting.append((here, inner))
        elif isinstance(value, list):
            waiting += [((*path, index), inner) for index, inner in enumerate(value)]
        elif isinstance(value, str) and value not in harmless:
            if is_secret_text(value):
                yield note(document, "secret-in-manifest", path, "this looks like a key", remedy)
            else:
                harmless.add(value)


RULES: Final[tuple[Callable[[Document, Raw], Iterator[Finding]], ...]] = (
    version,
    rates,
    durations,
    budget,
    job_ids,
    reference_names,
    reference_files,
    var_names,
    template_places,
    notify_urls,
    output_place,
    secrets,
    *MATRIX_RULES,
)
