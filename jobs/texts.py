"""A job's templates: looked over once, rendered for every cell.

What a template reads is known before anything is rendered, so a misspelt column is one finding for the job and not ten
thousand for its rows. Only what the data itself does (an empty cell, a key missing in one JSON line) shows up later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from jobs.findings import Place
from jobs.manifest import axis_values
from jobs.matrix import Cell
from jobs.names import EXT_MARK, slugged
from jobs.straight import Straight, straight
from jobs.suggest import did_you_mean
from jobs.tally import Tally
from jobs.templates import BadTemplateError, Field, compiled, is_template
from jobs.variables import needed_vars, resolved
from jobs.wording import listed
from jobs.written import Written

__all__ = ["Source", "Texts", "UnrenderedError", "Visible", "field_trouble", "nested"]

_ITEM_FIELDS: Final = ("index", "key")

# Tags are words to filter by. Every item carries its own, through the ledger and into each result's sidecar.
TAGS_MAX: Final = 100
TAG_CHARS_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A template's text and where it was written; `own_file` when its lines are the lines of a file."""

    text: str
    place: Place
    own_file: bool = False

    def at(self, line: int) -> Place:
        """Where a line of it stands; a text inside the manifest is shown as a whole."""
        return replace(self.place, line=line, column=1, end_column=2) if self.own_file else self.place

    def line_told(self, line: int) -> str:
        """The line in words, where the place cannot show it."""
        return f" (line {line} of the text)" if line > 1 and not self.own_file else ""

    def render(self, context: Mapping[str, object]) -> str:
        """The text with its values in it. Raises UnrenderedError."""
        try:
            return compiled(self.text).render(context)
        except BadTemplateError as fault:
            raise UnrenderedError(fault, self) from None


class UnrenderedError(Exception):
    """A template that the values of one cell do not fit."""

    def __init__(self, fault: BadTemplateError, source: Source) -> None:
        super().__init__(fault.message)
        self.message = fault.message + source.line_told(fault.line)
        self.place = source.at(fault.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """The names a template can see. `columns` is None without data; `ext` is for output names only."""

    vars: Iterable[str] = ()
    columns: Sequence[str] | None = None
    axes: Sequence[str] = ()
    run: Sequence[str] = ("date", "id")
    item: Sequence[str] = _ITEM_FIELDS
    ext: bool = False


def field_trouble(asked: Field, visible: Visible) -> tuple[str, str, str] | None:
    """A finding's code, message and help for a field that is not there; None when it is, or the template minds it."""
    name = (asked.path or "").partition(".")[0]
    if asked.root == "ext":
        return None if visible.ext else ("template-ext", "`ext` is only known in output names", "take it out")
    if asked.root == "row" and visible.columns is None:
        return ("template-row", "`row` is only known in a job with `data`", "add `data: {file: ...}` to the job")
    if asked.root == "axis":
        path = asked.path or ""
        known = not path or any(axis == path or axis.startswith(f"{path}.") for axis in visible.axes)
        return None if known or asked.guarded else _unknown("axis", "unknown-axis", path, visible.axes)
    if asked.path is None or asked.guarded:
        return None
    if asked.root == "row":
        columns = visible.columns or ()
        return None if name in columns else _unknown("column", "unknown-column", name, columns)
    if asked.root == "vars":
        known_vars = tuple(visible.vars)
        return None if name in known_vars else _unknown("variable", "unknown-variable", name, known_vars)
    names = visible.run if asked.root == "run" else visible.item
    return None if name in names else _unknown(f"`{asked.root}` field", "unknown-field", name, names)


def _unknown(what: str, code: str, name: str, known: Sequence[str]) -> tuple[str, str, str]:
    remedy = did_you_mean(name, known) or (f"there is {listed(known)}" if known else f"there is no {what} here at all")
    return code, f"there is no {what} `{name}`", remedy


def nested(axes: Mapping[str, object]) -> dict[str, object]:
    """Axis values for templates, by path and by name: `axis['params.duration']` and `axis.params.duration`."""
    found: dict[str, object] = dict(axes)
    for name, value in axes.items():
        head, _, rest = name.partition(".")
        if rest:
            inner = found.setdefault(head, {})
            if isinstance(inner, dict):
                inner[rest] = value
    return found


@dataclass(slots=True)
class Texts:
    """The prompts, tags and output name of one job. `sound` is False once looking over them found an error."""

    job: Written
    columns: Sequence[str] | None
    tally: Tally
    prompts: Sequence[Source]
    sound: bool = True
    _choices: dict[str, Sequence[object]] = field(default_factory=dict)
    needed: tuple[str, ...] = ()
    _tags: tuple[Source, ...] = ()
    _output: Source | None = None
    _straight: dict[tuple[str, tuple[str, ...]], Straight | None] = field(default_factory=dict)
    only_tags: tuple[str, ...] | None = None  # of every cell, where prompts are all that may differ

    def __post_init__(self) -> None:
        job = self.job
        self._tags = tuple(Source(text=tag, place=job.place("tags")) for tag in job.tags)
        self._output = Source(text=job.output, place=job.place("output")) if job.output is not None else None
        self._choices = {name: [value] for name, value in job.vars.items()} | _axis_vars(job)
        visible = Visible(vars=self._choices, columns=self.columns, axes=job.axis_names)
        fields: list[Field] = []
        for source in (*self.prompts, *self._tags):
            fields += self._look_over(source, visible)
        if self._output is not None:
            fields += self._look_over(self._output, replace(visible, ext=True))
        of_vars = self._look_over_vars(visible)
        self._order_vars(fields)
        self._look_for_unused((*fields, *of_vars))
        tags = tuple(tag.text for tag in self._tags)
        nested_vars = (value for name in self.needed for value in self._choices[name] if isinstance(value, str))
        if self._output is None and len(tags) <= TAGS_MAX and not any(map(is_template, (*tags, *nested_vars))):
            self.only_tags = tags if all(len(tag) <= TAG_CHARS_MAX for tag in tags) else None

    def plainly(self, source: Source, cell: Cell, row: Mapping[str, object], run: Mapping[str, object]) -> str | None:
        """A cell's prompt where values only have to be put into it; None says: render it with a `context`."""
        name = source.text, cell.names
        if name not in self._straight:
            self._straight[name] = straight(source.text, axes=cell.names, variables=self.job.vars, run=run)
        render = self._straight[name]
        return None if render is None else render([choice.text for choice in cell.choices], row)

    def context(
        self,
        row: Mapping[str, object],
        axes: Mapping[str, object],
        run: Mapping[str, object],
        item: Mapping[str, object],
    ) -> dict[str, object]:
        """What the templates of one cell can see. Raises UnrenderedError when a var cannot be rendered."""
        seen: dict[str, object] = {"row": row, "axis": nested(axes), "run": run, "item": item}
        values = {**self.job.vars, **{name[5:]: value for name, value in axes.items() if name.startswith("vars.")}}
        try:
            seen["vars"] = resolved(values, self.needed, lambda done: {**seen, "vars": done})
        except BadTemplateError as fault:
            raise UnrenderedError(fault, Source(text="", place=self.job.place("vars"))) from None
        return seen

    def tags(self, context: Mapping[str, object]) -> tuple[str, ...]:
        """The rendered tags. Raises UnrenderedError, also for more of them than tags are for."""
        if len(self._tags) > TAGS_MAX:
            raise UnrenderedError(_over(f"there are {len(self._tags):,} tags", TAGS_MAX), self._tags[0])
        rendered = tuple(tag.render(context) for tag in self._tags)
        for source, tag in zip(self._tags, rendered, strict=True):
            if len(tag) > TAG_CHARS_MAX:
                raise UnrenderedError(_over(f"a tag has {len(tag):,} characters", TAG_CHARS_MAX), source)
        return rendered

    def output(self, context: Mapping[str, object]) -> str | None:
        """The rendered output name with its values as slugs, or None when the job has none. Raises UnrenderedError."""
        if self._output is None:
            return None
        seen: dict[str, object] = {"ext": EXT_MARK}
        for asked in compiled(self._output.text).fields:
            if asked.root != "ext":
                seen[asked.root] = _slugged_part(context[asked.root], asked.path, seen.get(asked.root))
        return self._output.render(seen)

    def _look_over(self, source: Source, visible: Visible) -> tuple[Field, ...]:
        """The template's fields, or a finding for each one that is not there."""
        try:
            template = compiled(source.text)
        except BadTemplateError as fault:
            remedy = "`rivya-batch explain template-broken` shows what a template may hold"
            self._refuse("template-broken", fault.message, source, fault.line, remedy)
            return ()
        for asked in template.fields:
            trouble = field_trouble(asked, visible)
            if trouble is not None:
                self._refuse(*trouble[:2], source, asked.line, trouble[2])
        return template.fields

    def _look_over_vars(self, visible: Visible) -> list[Field]:
        fields: list[Field] = []
        for name in sorted(self._choices):
            for value in self._choices[name]:
                if isinstance(value, str) and is_template(value):
                    place = self.job.place(f"vars.{name}", {f"vars.{name}": value} if self._is_axis(name) else None)
                    fields += self._look_over(Source(text=value, place=place), visible)
        return fields

    def _order_vars(self, fields: Sequence[Field]) -> None:
        if not self.sound:
            return
        try:
            self.needed = needed_vars(self._choices, fields)
        except BadTemplateError as fault:
            source = Source(text="", place=self.job.place("vars"))
            self._refuse("template-circle", fault.message, source, 1, "write one of them out, without the others")

    def _look_for_unused(self, fields: Sequence[Field]) -> None:
        """An axis over a var that nothing reads: usually a slip, sometimes a label beside an axis it is zipped to."""
        reads_axes = {asked.path for asked in fields if asked.root == "axis"} | _reported(self.job)
        for axis in self.job.axis_names:
            name = axis.removeprefix("vars.")
            if axis == name or name in self.needed or not self.sound or reads_axes & {None, "vars", axis}:
                continue
            message = f"`{axis}` is varied, but nothing reads it"
            remedy = f"write `{{{{ vars.{name} }}}}` in the prompt, or take the axis out"
            self.tally.add("axis-unused", message, self.job.place_of_axis(axis), remedy, severity="warning")

    def _is_axis(self, name: str) -> bool:
        return f"vars.{name}" in self.job.axis_names

    def _refuse(self, code: str, message: str, source: Source, line: int, remedy: str = "") -> None:
        self.sound = False
        self.tally.add(code, message + source.line_told(line), source.at(line), remedy)


def _over(what: str, limit: int) -> BadTemplateError:
    return BadTemplateError(f"{what}; {limit:,} are allowed")


def _reported(job: Written) -> set[str]:
    """The axes that lay out the job's report."""
    report = job.job.report
    if report is None:
        return set()
    return {axis for axis in (report.x, report.y, report.compare, *report.pages) if axis is not None}


def _axis_vars(job: Written) -> dict[str, Sequence[object]]:
    """All values of every axis over a var, those of `include` too."""
    matrix = job.job.matrix
    if matrix is None:
        return {}
    axes = {**matrix.grid, **matrix.zip}
    return {
        name.removeprefix("vars."): [*axis_values(values), *(entry[name] for entry in matrix.include if name in entry)]
        for name, values in axes.items()
        if name.startswith("vars.")
    }


def _slugged_part(root: object, path: str | None, before: object) -> object:
    """As much of a root as a field reads, as slugs: whole rows would be slugged for one column."""
    if not isinstance(root, Mapping) or path is None:
        return slugged(root)
    head = path.partition(".")[0]
    part = dict(before) if isinstance(before, Mapping) else {}
    for name in (head, path):
        if name in root:
            part[name] = slugged(root[name])
    return part
