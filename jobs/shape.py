"""What has the wrong shape, in our words.

The models say what is wrong in the language of their library, name branches of unions that nobody wrote, and repeat
the input. Here each of their errors becomes one finding at its place, in the words of the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from jobs.findings import Finding
from jobs.raw import note
from jobs.suggest import did_you_mean, nearest
from jobs.wording import listed, plain_text, written
from jobs.yaml12 import Document, Path

__all__ = ["Keys", "shape_findings"]

# The keys that may stand at a path, `*` for any name or number.
Keys = Mapping[tuple[str, ...], tuple[str, ...]]

_PORTABLE: Final = ("aspect", "duration", "resolution", "seed", "sound", "format")
_JOB_PARTS: Final = ("prompt", "model", "params", "options", "references", "data", "matrix", "repeat", "tags")
_NO_WORDS: Final = frozenset(("no", "off", "n", "No", "NO", "Off", "OFF", "False"))
_YES_WORDS: Final = frozenset(("yes", "on", "y", "Yes", "YES", "On", "ON"))

_WANTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_WANTED_HERE: Final = {
    "prompt": "text, a list of texts, or `{file: PATH}`",
    "grid": "a list of values, or `{from: ..., to: ..., step: ...}`",
    "zip": "a list of values, or `{from: ..., to: ..., step: ...}`",
    "where": "a value, or a list of values",
    "creates": "a rate such as `60/min`",
    "polls": "a rate such as `10/s`",
    "uploads": "a rate such as `30/min`",
    "downloads": "a rate such as `5/s`",
    "timeout": "a duration such as `20m`",
    "first_poll": "a duration such as `2s`",
    "poll_gap": "a duration such as `1s`",
}


def shape_findings(document: Document, error: ValidationError, keys: Keys) -> Iterator[Finding]:
    """Return one finding for each place whose shape is wrong."""
    seen: set[Path] = set()
    for detail in error.errors(include_url=False, include_context=True):
        path = _written_path(document.data, detail)
        if path not in seen:
            seen.add(path)
            yield _finding(document, path, detail, keys)


def _written_path(data: JsonValue, detail: ErrorDetails) -> Path:
    """Return the error's path without the branches of unions, which stand in no manifest."""
    *holders, last = detail["loc"] or ("",)
    path: list[str | int] = []
    for step in holders:
        if _has(data, step):
            data = data[step]  # type: ignore[index]
            path.append(step)
    return (*path, last) if _has(data, last) or detail["type"] == "missing" else tuple(path)


def _has(data: JsonValue, step: str | int) -> bool:
    if isinstance(data, dict):
        return step in data
    return isinstance(data, list) and isinstance(step, int) and step < len(data)


def _finding(document: Document, path: Path, detail: ErrorDetails, keys: Keys) -> Finding:
    kind, value = detail["type"], _value_at(document.data, path)
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(document, path, keys)
    if path == ("version",):
        return _version(document, path, value)
    if kind == "missing":
        return _missing(document, path)
    if path == ("name",) and isinstance(value, str):
        remedy = f"use lowercase letters, digits and `-`, at most 64 characters, as in `{_as_name(value)}`"
        return note(document, "bad-name", path, f"{written(value)} cannot name a run", remedy)
    if kind == "too_short":
        return _empty(document, path)
    if kind == "string_too_short":
        return note(document, "empty-text", path, f"`{_last(path)}` is empty", "write something, or take the line out")
    if kind == "literal_error":
        expected = str(context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")
        remedy = did_you_mean(value, expected) if isinstance(value, str) else ""
        message = f"`{_last(path)}` cannot be {written(value)}"
        return note(document, "unknown-choice", path, message, remedy or f"it may be {listed(expected)}")
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {context['ge']:,}" if "ge" in context else f"at most {context['le']:,}"
        message = f"`{_last(path)}` must be {bound}"
        return note(document, "number-out-of-range", path, message, f"it is {written(value)}")
    return _wrong_type(document, path, kind, value)


def _unknown_key(document: Document, path: Path, keys: Keys) -> Finding:
    name, holder = str(path[-1]), _pattern(path[:-1])
    known = keys.get(holder, ())
    stem, dot, rest = name.partition(".")
    homes = {key: parts for parts, inside in keys.items() if "*" not in parts[-1:] for key in inside}
    if dot and stem in known:
        help_ = f"write `{stem}: {{{rest}: ...}}`; dotted names are for axes"
    elif name.startswith("x-"):
        help_ = "keys that start with `x-` are free at the top of the file only"
    elif holder == () and name in _JOB_PARTS:
        help_ = f"`{name}` belongs into a job, or under `defaults`"
    elif "options" in known and name in _PORTABLE:
        help_ = f"write `options: {{{name}: ...}}`"
    elif name in homes and _within(holder, homes[name]):
        help_ = f"`{name}` belongs under `{homes[name][-1]}`"
    elif name.isidentifier() and "params" in known and not _is_slip(name, known):
        help_ = f"a parameter of the model goes under `params`: `params: {{{name}: ...}}`"
    else:
        help_ = did_you_mean(name, known, f"known here are {listed(known)}")
    return note(document, "unknown-key", path, f"unknown key `{name}`", help_, key=True)


def _is_slip(name: str, known: tuple[str, ...]) -> bool:
    """Tell a slip of the finger from another word: `negative_prompt` is no misspelt `prompt`."""
    near = nearest(name, known)
    return near is not None and abs(len(near) - len(name)) <= 2


def _within(holder: tuple[str, ...], home: tuple[str, ...]) -> bool:
    """Tell whether `home` is a part of what stands around `holder`, so that moving there is what was meant."""
    return bool(home) and (home[:-1] == holder or home[:-1] == holder[:-1])


def _version(document: Document, path: Path, value: JsonValue) -> Finding:
    if value is None:
        remedy = "write `version: 1` as the first line"
        return note(document, "missing-version", path, "the manifest does not say its version", remedy)
    if isinstance(value, int) and not isinstance(value, bool) and value > 1:
        remedy = "upgrade rivya-batch to run it"
        return note(document, "newer-version", path, f"version {value} is newer than this program knows", remedy)
    message = f"the version cannot be {written(value)}"
    return note(document, "bad-version", path, message, "write `version: 1`, without quotes")


def _missing(document: Document, path: Path) -> Finding:
    name, holder = str(path[-1]), path[:-1]
    whose = f"`{_readable(holder)}`" if holder else "the manifest"
    examples = {"name": "name: my-run", "jobs": "jobs: [{id: first, ...}]", "id": "id: first"}
    remedy = f"add `{examples.get(name, f'{name}: ...')}`"
    return note(document, "missing-key", path, f"{whose} has no `{name}`", remedy)


def _empty(document: Document, path: Path) -> Finding:
    name = _last(path)
    if path == ("jobs",):
        return note(document, "no-jobs", path, "there are no jobs", "add one: `- {id: first, model: ..., prompt: ...}`")
    if "matrix" in path:
        return note(
            document, "empty-axis", path, f"axis `{name}` has no values", "give it values, or take it out", key=True
        )
    return note(
        document, "empty-list", path, f"`{name}` is an empty list", "give it an entry, or take it out", key=True
    )


def _wrong_type(document: Document, path: Path, kind: str, value: JsonValue) -> Finding:
    name = _last(path)
    holder = str(path[-2]) if len(path) > 1 else ""
    wanted = _WANTED.get(kind, "something else")
    if kind.startswith("union") or holder in ("limits", "where"):
        wanted = _WANTED_HERE.get(name) or _WANTED_HERE.get(holder) or wanted
    if value is None:
        message, help_ = f"`{name}` has no value", f"write {wanted}, or take the line out"
    else:
        message = f"`{name}` must be {wanted}, not {_kind_of(value)}"
        help_ = _type_help(document, path, kind, value, wanted)
    return note(document, "wrong-type", path, message, help_)


def _type_help(document: Document, path: Path, kind: str, value: JsonValue, wanted: str) -> str:
    name = _last(path)
    if path[0] == "limits" and isinstance(value, int) and not isinstance(value, bool):
        units = ("s", "m") if name in ("timeout", "first_poll", "poll_gap") else ("/s", "/min")
        return f"say per what: `{value}{units[0]}` or `{value}{units[1]}`"
    if "where" in path:
        return "compare with a value, or with several: `market: [DE, FR]`"
    help_ = ""
    if kind == "string_type" or (kind.startswith("union") and name == "prompt"):
        help_ = _text_help(document, path, value)
    elif kind == "bool_type" and isinstance(value, str):
        help_ = _truth_help(value)
    elif kind in ("int_type", "float_type") and isinstance(value, str) and value.lstrip("+-").isdigit():
        help_ = f"take the quotes out: `{value}`"
    elif kind in ("model_type", "dict_type"):
        help_ = _mapping_help(path, value)
    elif kind == "list_type" or kind.startswith("union"):
        help_ = _list_help(name, value)
    return help_ or f"write {wanted}"


def _text_help(document: Document, path: Path, value: JsonValue) -> str:
    name = _last(path)
    if isinstance(value, list) and name == "model":
        return f"to try several, make it an axis: `matrix: {{grid: {{{name}: [...]}}}}`"
    if isinstance(value, list | dict):
        return ""
    place = document.place(path)  # as it is written: 1.10 has become 1.1
    source = document.text.splitlines()[place.line - 1][place.column - 1 : place.end_column - 1]
    return f'quote it: `"{source}"`'


def _truth_help(value: str) -> str:
    if value in _NO_WORDS or value in _YES_WORDS:
        return f"use `{'false' if value in _NO_WORDS else 'true'}`; in YAML 1.2 `{value}` is text"
    return "write it without quotes" if value in ("true", "false") else ""


def _mapping_help(path: Path, value: JsonValue) -> str:
    if path[0] == "references" and isinstance(value, str):
        return f"write `{_last(path)}: {{file: {value}}}`"
    return "write `key: value` lines, without `- `" if isinstance(value, list) else ""


def _list_help(name: str, value: JsonValue) -> str:
    text = plain_text(value)
    if text is not None:
        return f"write `{name}: [{text}]`"
    return "start each entry with `- `" if isinstance(value, dict) else ""


def _kind_of(value: JsonValue) -> str:
    if isinstance(value, bool):
        return written(value)
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"the text {written(value)}" if isinstance(value, str) else f"the number {written(value)}"


def _value_at(data: JsonValue, path: Path) -> JsonValue:
    for step in path:
        if not _has(data, step):
            return None
        data = data[step]  # type: ignore[index]
    return data


def _pattern(path: Path) -> tuple[str, ...]:
    """Return the path with `*` for numbers and for names that people choose."""
    steps: list[str] = []
    for step in path:
        named = not steps or steps[-1] not in ("references", "grid", "zip")
        steps.append(step if isinstance(step, str) and named else "*")
    return tuple(steps)


def _last(path: Path) -> str:
    """Return the last name in the path: entries of a list are spoken of by the list's name."""
    return next((str(step) for step in reversed(path) if isinstance(step, str)), "manifest")


def _readable(path: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _as_name(text: str) -> str:
    kept = "".join(char if char.isascii() and char.isalnum() else "-" for char in text.lower())
    return "-".join(part for part in kept.split("-") if part)[:64] or "my-run"
