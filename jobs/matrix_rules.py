"""What must hold in a job's matrix, and in the report that lays it out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from jobs.axes import AXIS_HELP, is_axis_name, range_size, range_values
from jobs.findings import Finding
from jobs.raw import Raw, entries, fields, jobs_of, note
from jobs.suggest import did_you_mean
from jobs.wording import listed, plain_text, written
from jobs.yaml12 import Document, Path

__all__ = ["MATRIX_RULES", "MAX_AXIS_VALUES"]

MAX_AXIS_VALUES: Final = 10_000  # one axis alone would then be a run that needs `--allow-large`
MAX_AXES: Final = 16  # two values each are 65,536 items already

_PATH_STARTS: Final = ("prompt", "model", "params.", "options.", "vars.", "references.")
_TEXT_AXES: Final = ("prompt", "model", "references.")
_TEMPLATE_AXES: Final = ("prompt", "vars.")


def axis_names(document: Document, data: Raw) -> Iterator[Finding]:
    for path, matrix in _matrices(data):
        for part in ("grid", "zip"):
            for name in fields(matrix.get(part)):
                if not is_axis_name(name):
                    here = (*path, part, name)
                    yield note(document, "bad-axis-name", here, f"`{name}` is no axis", _axis_help(name), key=True)
        both = [name for name in fields(matrix.get("grid")) if name in fields(matrix.get("zip"))]
        for name in both:
            message = f"axis `{name}` is in `grid` and in `zip`"
            yield note(document, "axis-twice", (*path, "zip", name), message, "keep one of the two", key=True)
        count = len(_axes(matrix))
        if count > MAX_AXES:
            message = f"the matrix has {count} axes; {MAX_AXES} are allowed"
            remedy = "vary fewer things at once, or list the combinations in a data file"
            yield note(document, "too-many-axes", path, message, remedy)


def _axis_help(name: str) -> str:
    stem, dot, rest = name.partition(".")
    if not dot and name.isidentifier():
        near = did_you_mean(name, ("prompt", "model"))
        return near or f"write `params.{name}`, `options.{name}` or `vars.{name}`; {AXIS_HELP}"
    known = [start.rstrip(".") for start in _PATH_STARTS]
    near = did_you_mean(stem, known)
    if near and stem not in known:
        return f"{near[:-2]}.{rest}`?"
    return AXIS_HELP


def axis_values(document: Document, data: Raw) -> Iterator[Finding]:
    """Ranges that go nowhere, values of the wrong kind, the same value twice."""
    for path, matrix in _matrices(data):
        for part in ("grid", "zip"):
            for name, values in fields(matrix.get(part)).items():
                here = (*path, part, name)
                if isinstance(values, dict):
                    yield from _range(document, here, values)
                elif isinstance(values, list):
                    yield from _listed(document, here, name, values, may_repeat=part == "zip")


def _range(document: Document, path: Path, values: Raw) -> Iterator[Finding]:
    numbers = _range_numbers(values)
    if numbers is None:
        return
    first, last, step = numbers
    size = range_size(first, last, step)
    if step == 0:
        yield note(
            document, "step-zero", (*path, "step"), "a step of 0 never arrives", "take the step out to step by 1"
        )
    elif size == 0:
        here = (*path, "step") if "step" in values else path
        remedy = f"from {written(first)} to {written(last)} the step must be {'above' if last > first else 'below'} 0"
        yield note(document, "step-away", here, f"a step of {written(step)} leads away from the end", remedy)
    elif size > MAX_AXIS_VALUES:
        message = f"the range has {size:,} values; an axis may have {MAX_AXIS_VALUES:,}"
        yield note(document, "axis-too-long", path, message, "use a wider step")


def _listed(
    document: Document, path: Path, name: str, values: Sequence[JsonValue], *, may_repeat: bool
) -> Iterator[Finding]:
    if len(values) > MAX_AXIS_VALUES:
        message = f"axis `{name}` has {len(values):,} values; an axis may have {MAX_AXIS_VALUES:,}"
        yield note(document, "axis-too-long", path, message, "put long lists into a data file: `data: {file: ...}`")
        return
    seen: dict[str, int] = {}
    for index, value in enumerate(values):
        here = (*path, index)
        if name.startswith(_TEXT_AXES) and not isinstance(value, str):
            remedy = f'quote it: `"{plain_text(value)}"`' if plain_text(value) else "write a text"
            yield note(
                document, "bad-axis-value", here, f"a value of `{name}` must be text, not {written(value)}", remedy
            )
        elif not name.startswith(_TEMPLATE_AXES) and isinstance(value, str) and ("{{" in value or "{%" in value):
            remedy = "write each value out"
            yield note(document, "template-not-allowed", here, f"a value of `{name}` cannot be a template", remedy)
        same = seen.setdefault(_content(value), index)
        if same != index and not may_repeat:
            remedy = f"it is the same as value {same + 1}; use `repeat` to buy the same thing several times"
            yield note(document, "axis-value-twice", here, f"axis `{name}` has {written(value)} twice", remedy)


def zips(document: Document, data: Raw) -> Iterator[Finding]:
    for path, matrix in _matrices(data):
        sizes = {name: _size(values) for name, values in fields(matrix.get("zip")).items()}
        known = {name: size for name, size in sizes.items() if size}
        if len(set(known.values())) > 1:
            lengths = ", ".join(f"`{name}` has {size}" for name, size in known.items())
            remedy = "zipped axes step together, so give them equally many values, or move one to `grid`"
            message = f"zipped axes differ in length: {lengths}"
            yield note(document, "unequal-zip", (*path, "zip"), message, remedy, key=True)


def excludes(document: Document, data: Raw) -> Iterator[Finding]:
    for path, matrix in _matrices(data):
        axes = {name: _values(values) for name, values in _axes(matrix).items()}
        contents = {name: {_content(value) for value in values} for name, values in axes.items()}
        for index, entry in enumerate(entries(matrix.get("exclude"))):
            here = (*path, "exclude", index)
            if entry == {}:
                remedy = "name the values to leave out, as in `{model: flux-2-pro}`"
                yield note(document, "empty-exclude", here, "this matches every combination", remedy)
            matched = True
            for name, value in fields(entry).items():
                if name not in axes:
                    matched = False
                    message = f"`{name}` is no axis of this job"
                    yield note(document, "unknown-axis", (*here, name), message, _axes_help(name, axes), key=True)
                elif axes[name] and _content(value) not in contents[name]:
                    matched = False
                    message = f"axis `{name}` has no value {written(value)}"
                    help_ = _values_help(axes[name], value)
                    yield note(document, "exclude-matches-nothing", (*here, name), message, help_)
            if matched and isinstance(entry, dict) and not _steps_match(fields(matrix.get("zip")), entry):
                remedy = "zipped axes step together: these values stand at different steps"
                yield note(document, "exclude-matches-nothing", here, "this exclude matches no combination", remedy)


def _values_help(values: Sequence[JsonValue], value: JsonValue) -> str:
    text = plain_text(value)
    for other in values:
        if text is not None and plain_text(other) == text:
            return f"write {written(other)}, as the axis does"
    return f"it has {listed(plain_text(other) or written(other) for other in values)}"


def _steps_match(zipped: Raw, entry: Raw) -> bool:
    """Tell whether the zipped values of `entry` stand at one and the same step."""
    wanted = [(_values(zipped[name]), _content(value)) for name, value in entry.items() if name in zipped]
    steps = [{place for place, value in enumerate(values) if _content(value) == content} for values, content in wanted]
    return not steps or bool(set.intersection(*steps))


def includes(document: Document, data: Raw) -> Iterator[Finding]:
    """An include is a whole combination: it adds items and never completes others."""
    for path, matrix in _matrices(data):
        axes = _axes(matrix)
        for index, entry in enumerate(entries(matrix.get("include"))):
            here = (*path, "include", index)
            for name in fields(entry):
                if name not in axes:
                    message = f"`{name}` is no axis of this job"
                    yield note(document, "unknown-axis", (*here, name), message, _axes_help(name, axes), key=True)
            missing = [name for name in axes if name not in fields(entry)]
            if missing and isinstance(entry, dict):
                remedy = "an include adds one whole combination, so it names every axis"
                message = f"this include does not say {listed(missing)}"
                yield note(document, "incomplete-include", here, message, remedy)


def samples(document: Document, data: Raw) -> Iterator[Finding]:
    for path, matrix in _matrices(data):
        count = fields(matrix.get("sample")).get("count")
        job = _job_of(data, path)
        if not isinstance(count, int) or job.get("data") is not None:
            continue
        sizes = [_size(values) for values in fields(matrix.get("grid")).values()]
        zipped = [_size(values) for values in fields(matrix.get("zip")).values()]
        total = math.prod(sizes) * min(zipped, default=1) * max(len(entries(job.get("prompt"))), 1)
        if 0 < total <= count:
            message = f"the sample of {count:,} takes all {total:,} combinations"
            remedy = "lower `count`, or take `sample` out"
            yield note(document, "sample-takes-all", (*path, "sample", "count"), message, remedy, severity="warning")


def prompt_axes(document: Document, data: Raw) -> Iterator[Finding]:
    for path, matrix in _matrices(data):
        if isinstance(_job_of(data, path).get("prompt"), list) and "prompt" in _axes(matrix):
            part = "grid" if "prompt" in fields(matrix.get("grid")) else "zip"
            remedy = "the axis would replace each prompt of the list: keep one of the two"
            message = "`prompt` is a list and an axis"
            yield note(document, "prompt-list-and-axis", (*path, part, "prompt"), message, remedy, key=True)


def reference_axes(document: Document, data: Raw) -> Iterator[Finding]:
    """`references.1` replaces the second reference; there must be a first."""
    defaults = fields(data.get("defaults"))
    for path, matrix in _matrices(data):
        listed_names = _job_of(data, path).get("references")
        count = len(entries(listed_names if listed_names is not None else defaults.get("references")))
        numbers = {int(name[11:]): name for name in _axes(matrix) if name[:11] == "references." and is_axis_name(name)}
        for number in sorted(numbers):
            if number > count and not all(before in numbers for before in range(count, number)):
                name = numbers[number]
                part = "grid" if name in fields(matrix.get("grid")) else "zip"
                message = f"`{name}` leaves a gap: the job has {count} reference{'' if count == 1 else 's'}"
                remedy = f"the next free place is `references.{count}`; places are counted from 0"
                yield note(document, "reference-gap", (*path, part, name), message, remedy, key=True)


def reports(document: Document, data: Raw) -> Iterator[Finding]:
    for path, job in jobs_of(data):
        report = fields(job.get("report"))
        axes = _axes(fields(job.get("matrix")))
        named: list[tuple[Path, JsonValue]] = [(("x",), report.get("x")), (("y",), report.get("y"))]
        named += [(("pages", place), name) for place, name in enumerate(entries(report.get("pages")))]
        named.append((("compare",), report.get("compare")))
        first: dict[str, Path] = {}
        for where, name in named:
            here = (*path, "report", *where)
            if not isinstance(name, str):
                continue
            if name not in axes:
                yield note(document, "unknown-axis", here, f"`{name}` is no axis of this job", _axes_help(name, axes))
            elif name in first:
                remedy = "lay each axis out in one direction only"
                yield note(document, "report-axis-twice", here, f"`{name}` is already `{first[name][0]}`", remedy)
            first.setdefault(name, where)


def _matrices(data: Raw) -> Iterator[tuple[Path, Raw]]:
    for path, job in jobs_of(data):
        matrix = job.get("matrix")
        if isinstance(matrix, dict):
            yield (*path, "matrix"), matrix


def _job_of(data: Raw, path: Path) -> Raw:
    index = path[1]
    assert isinstance(index, int), "a matrix stands in a job"
    return fields(entries(data.get("jobs"))[index])


def _axes(matrix: Raw) -> Raw:
    return {**fields(matrix.get("grid")), **fields(matrix.get("zip"))}


def _axes_help(name: str, axes: Mapping[str, object]) -> str:
    return did_you_mean(name, axes, f"its axes are {listed(axes)}" if axes else "it has no axes in `grid` or `zip`")


def _range_numbers(values: Raw) -> tuple[float, float, float] | None:
    first, last, step = values.get("from"), values.get("to"), values.get("step", 1)
    if _is_number(first) and _is_number(last) and _is_number(step):
        assert isinstance(first, int | float)
        assert isinstance(last, int | float)
        assert isinstance(step, int | float)
        return first, last, step
    return None


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _size(values: JsonValue) -> int:
    """Return how many values an axis has; 0 when it has another mistake."""
    if isinstance(values, dict):
        numbers = _range_numbers(values)
        return range_size(*numbers) if numbers is not None else 0
    return len(entries(values))


def _values(values: JsonValue) -> Sequence[JsonValue]:
    if isinstance(values, dict):
        numbers = _range_numbers(values)
        return range_values(*numbers) if numbers is not None and _size(values) <= MAX_AXIS_VALUES else ()
    return entries(values)


def _content(value: JsonValue) -> str:
    """Equal for what a matrix takes as the same value: 8 and 8.0 are, `true` and 1 are not, nor 8 and `"8"`."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int) else repr(value)


MATRIX_RULES: Final[tuple[Callable[[Document, Raw], Iterator[Finding]], ...]] = (
    axis_names,
    axis_values,
    zips,
    excludes,
    includes,
    samples,
    prompt_axes,
    reference_axes,
    reports,
)
