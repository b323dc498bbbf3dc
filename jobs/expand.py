"""From a manifest to its items, and everything that is wrong with them.

    rows x prompts x matrix -> cells -> recipe (model, params, references) + texts (prompt, tags, name) -> items

A job's templates and each distinct recipe are looked over once; per cell only what differs is done. Whatever goes wrong
is a finding, so that one `check` tells everything; a cell with an error becomes no item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, NamedTuple

from jobs import names
from jobs.catalogue import Catalogue
from jobs.checks import Inspection, Looked
from jobs.findings import Finding, Place
from jobs.item import Item
from jobs.keys import joined_key, readable
from jobs.made_anew import MadeAnew
from jobs.manifest import FileText, Manifest, axis_values, merged
from jobs.matrix import Cell, Steps, cells, size, unsampled_size
from jobs.recipes import Recipes
from jobs.rows import read_rows
from jobs.selection import Selected, select
from jobs.sources import Sources
from jobs.suggest import did_you_mean
from jobs.tally import Tally
from jobs.templates import BadTemplateError, compiled
from jobs.texts import Source, Texts, UnrenderedError, Visible, field_trouble
from jobs.variables import needed_vars, resolved
from jobs.wording import written
from jobs.written import Written, written_job
from jobs.yaml12 import Document

__all__ = ["Context", "Expansion", "Unfolding", "expand"]

# A slip in a grid should not cost a fortune or an afternoon; who means it says so.
ITEMS_MAX: Final = 10_000
# What one machine can hold and look at; beyond it a run belongs into several manifests.
ITEMS_MAX_LARGE: Final = 1_000_000
# Drawing a sample looks at every combination.
COMBINATIONS_MAX: Final = 1_000_000
# So many items are kept while they are made; more are made again for whoever asks.
KEPT_MAX: Final = 10_000
# The edition is part of the run's id and of every listing.
EDITION_CHARS_MAX: Final = 100


_FORMATS: Final[Mapping[str, Literal["csv", "jsonl"]]] = {"csv": "csv", "jsonl": "jsonl", "ndjson": "jsonl"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What comes from the command line: the run's date, `--var`, `--allow-large`."""

    date: str
    variables: Mapping[str, str] = field(default_factory=dict)
    allow_large: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """The items in order, the findings of sources, expansion and checks, and each job's counts by its id."""

    items: Sequence[Item]
    findings: tuple[Finding, ...]
    steps: Mapping[str, Steps]
    edition: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A job with its rows and prompts at hand; either is None when the job has no such thing."""

    written: Written
    data: Selected | None
    prompts: tuple[Source, ...] | None
    axis_prompts: tuple[Source, ...]

    @property
    def factors(self) -> tuple[int, int]:
        """The numbers of rows and prompts to multiply by."""
        rows = len(self.data.rows) if self.data is not None else 1
        return rows, len(self.prompts) if self.prompts is not None else 1


def expand(
    document: Document, manifest: Manifest, sources: Sources, catalogue: Catalogue, context: Context
) -> Expansion:
    """Expand and check a manifest. Items are only complete when no finding is an error."""
    unfolding = Unfolding(document, manifest, sources, catalogue, context)
    for _ in unfolding.items():
        pass
    return unfolding.end()


class Unfolding:
    """An expansion while it is made, in constant memory: walk once over all `items`, then `end` it.

    The run's name is known before the first item. However many there are, none is kept: whoever needs them again gets
    them made again.
    """

    def __init__(
        self, document: Document, manifest: Manifest, sources: Sources, catalogue: Catalogue, context: Context
    ) -> None:
        self._sources = sources
        self._tally = tally = Tally()
        self._context = context
        self._manifest = manifest
        self.edition = _edition(document, manifest, context, tally)
        self.run_id = f"{manifest.name}@{self.edition}" if self.edition else manifest.name
        run = {"date": context.date, "id": self.run_id}
        ready = [
            job
            for index in range(len(manifest.jobs))
            if manifest.jobs[index].enabled
            and (job := _ready(written_job(document, manifest, index, context.variables), sources, tally)) is not None
        ]
        make = partial(_Expander, sources=sources, catalogue=catalogue, edition=self.edition, run=run, tally=tally)
        self._ready = (
            {job.written.job.id: partial(make, job) for job in ready} if _fits(document, ready, context, tally) else {}
        )
        self._jobs: dict[str, _Expander] = {}
        self._inspection = Inspection(Looked(document=document, manifest=manifest, catalogue=catalogue))
        self._kept: list[Item] = []

    def items(self) -> Iterator[Item]:
        """All items, checked on the way. Once."""
        for item in self._walk(self._tally):
            self._inspection.see(item)
            if len(self._kept) < KEPT_MAX:
                self._kept.append(item)
            yield item

    def end(self) -> Expansion:
        """The expansion, after the walk."""
        tally, size = self._tally, self._inspection.items
        self._tell_unread()
        again = partial(self._walk, Tally())
        items = tuple(self._kept) if size <= len(self._kept) else MadeAnew(again, size)
        errors_before = any(finding.severity == "error" for finding in self._sources.findings)
        self._inspection.end(items, tally, complete=not tally.errors and not errors_before)
        return Expansion(
            items=items,
            findings=(*self._sources.findings, *tally.findings),
            steps={job: expander.steps for job, expander in self._jobs.items()},
            edition=self.edition,
            run_id=self.run_id,
        )

    def unwalked(self) -> Expansion:
        """The expansion without a walk, for who knows that it is sound."""
        again = partial(self._walk, Tally())
        steps = {job: make().steps for job, make in self._ready.items()}
        items = MadeAnew(again, sum(job.items for job in steps.values()))
        return Expansion(items=items, findings=(), steps=steps, edition=self.edition, run_id=self.run_id)

    def _walk(self, tally: Tally) -> Iterator[Item]:
        index = 0
        for job, make in self._ready.items():
            if job not in self._jobs:  # looked over when its turn comes: findings are told job by job
                self._jobs[job] = make()
            for item in self._jobs[job].items(index, tally):
                yield item
                index += 1

    def _tell_unread(self) -> None:
        if not self._jobs:
            return
        unread = set(self._context.variables) - self._manifest.vars.keys()
        for name in sorted(unread.difference(*(job.reads for job in self._jobs.values()))):
            message = f"`--var {name}=...` sets a variable that nothing reads"
            remedy = did_you_mean(name, self._manifest.vars) or "look at its spelling"
            self._tally.add("unread-variable", message, None, remedy, severity="warning")


def _edition(document: Document, manifest: Manifest, context: Context, tally: Tally) -> str:
    """The rendered edition. It comes before everything else, so it sees the manifest's vars and the date only."""
    values = merged(manifest.vars, dict(context.variables))
    seen = {"run": {"date": context.date}}
    place = document.place(("edition",))
    try:
        template = compiled(manifest.edition)
        for asked in template.fields:
            trouble = field_trouble(asked, Visible(vars=values, run=("date",), item=()))
            if trouble is not None:
                tally.add(trouble[0], f"{trouble[1]}, in the edition", place, trouble[2])
                return ""
        needed = needed_vars({name: [value] for name, value in values.items()}, template.fields)
        edition = template.render({**seen, "vars": resolved(values, needed, lambda done: {**seen, "vars": done})})
    except BadTemplateError as fault:
        tally.add(
            "template-broken", f"{fault.message}, in the edition", place, "look at `edition` and the vars it reads"
        )
        return ""
    if len(edition) > EDITION_CHARS_MAX or not edition.isprintable():
        message = f"the edition is {written(edition)}"
        tally.add(
            "edition-unfit", message, place, f"one line of at most {EDITION_CHARS_MAX} characters, such as a date"
        )
    return edition


def _ready(job: Written, sources: Sources, tally: Tally) -> _Ready | None:
    """The job with its files; None when one of them could not be read, which is a finding already."""
    data = None
    if job.job.data is not None:
        file = job.job.data.file
        if file not in sources.texts:
            return None
        format_ = _FORMATS.get(file.lower().rpartition(".")[2])
        if format_ is None:
            place = job.document.place(("jobs", job.index, "data", "file"))
            remedy = "save the table as CSV (`.csv`) or JSON lines (`.jsonl`)"
            tally.add("data-format", f"`{file}` is neither CSV nor JSON lines by its name", place, remedy)
            return None
        rows, findings = read_rows(sources.texts[file], file, format_)
        for finding in findings:
            tally.add(finding.code, finding.message, finding.place, finding.help, severity=finding.severity)
        if findings and not rows:
            return None  # its columns are unknown: what templates read of them would only be more noise
        data = select(job, job.job.data, rows, tally)
    if "prompt" in job.axis_names:
        return _Ready(written=job, data=data, prompts=None, axis_prompts=_axis_prompts(job))
    prompt = job.job.prompt
    if isinstance(prompt, FileText):
        if prompt.file not in sources.texts:
            return None
        start = Place(file=prompt.file, line=1, column=1, end_column=2)
        prompts = [Source(text=sources.texts[prompt.file], place=start, own_file=True)]
    elif isinstance(prompt, list):
        places = (job.document.place(("jobs", job.index, "prompt", number)) for number in range(len(prompt)))
        prompts = [Source(text=text, place=place) for text, place in zip(prompt, places, strict=True)]
    else:
        prompts = [Source(text=prompt, place=job.place("prompt"))] if prompt is not None else []
    return _Ready(written=job, data=data, prompts=tuple(prompts) or None, axis_prompts=())


def _axis_prompts(job: Written) -> tuple[Source, ...]:
    matrix = job.job.matrix
    assert matrix is not None, "it has an axis"
    axis = matrix.grid.get("prompt") or matrix.zip["prompt"]
    prompts = [*axis_values(axis), *(entry["prompt"] for entry in matrix.include if "prompt" in entry)]
    return tuple(Source(text=str(prompt), place=job.place("prompt", {"prompt": prompt})) for prompt in prompts)


def _fits(document: Document, ready: Sequence[_Ready], context: Context, tally: Tally) -> bool:
    """Whether the cells may be made at all; counted, not tried."""
    place = document.place(("jobs",))
    total = looked_at = 0
    for job in ready:
        matrix, (rows, prompts) = job.written.job.matrix, job.factors
        total += size(matrix, rows=rows, prompts=prompts, repeat=job.written.job.repeat)
        looked_at += unsampled_size(matrix, rows=rows, prompts=prompts)
    limit = ITEMS_MAX_LARGE if context.allow_large else ITEMS_MAX
    if total > limit:
        remedy = "take values out, or draw a `sample`"
        if not context.allow_large and total <= ITEMS_MAX_LARGE:
            remedy += "; `--allow-large` if you mean it"
        tally.add("too-many-items", f"the manifest asks for {total:,} items; {limit:,} are allowed", place, remedy)
        return False
    if looked_at > COMBINATIONS_MAX:
        message = f"a sample would be drawn from {looked_at:,} combinations; {COMBINATIONS_MAX:,} are allowed"
        tally.add("too-many-items", message, place, "take values out")
        return False
    return True


class _Expander:
    """Makes the items of one job, again and again."""

    def __init__(
        self,
        job: _Ready,
        sources: Sources,
        catalogue: Catalogue,
        edition: str,
        run: Mapping[str, object],
        tally: Tally,
    ) -> None:
        self._job = job
        self._edition = edition
        self._run = run
        columns = job.data.columns if job.data is not None else None
        self._texts = Texts(job.written, columns, tally, (*(job.prompts or ()), *job.axis_prompts))
        self._recipes = Recipes(job.written, catalogue, sources.references)
        self._by_text = {source.text: source for source in job.axis_prompts}
        self._place = job.written.document.place(("jobs", job.written.index, "id"))
        self._cells = cells(
            job.written.job.matrix,
            rows=job.data.rows if job.data is not None else None,
            prompts=[prompt.text for prompt in job.prompts] if job.prompts is not None else None,
            repeat=job.written.job.repeat,
        )

    @property
    def reads(self) -> frozenset[str]:
        """The vars that the job's templates read."""
        return frozenset(self._texts.needed)

    @property
    def steps(self) -> Steps:
        """The job's counts."""
        return self._cells.steps

    def items(self, start: int, tally: Tally) -> Iterator[Item]:
        """One item per cell that has no error; what is wrong with the others goes to the tally."""
        data, is_one_of_several = self._job.data, len(self._job.prompts or ()) > 1
        job, index = self._job.written.job.id, start
        for cell in self._cells.walk():
            row = data.names[cell.row] if data is not None and cell.row is not None else None
            several = cell.prompt + 1 if cell.prompt is not None and is_one_of_several else None
            key = joined_key(job, row, several, [choice.named for choice in cell.choices], cell.repeat)
            axes = cell.axes
            recipe = self._recipes.of(axes)
            for problem, place in recipe.problems:
                tally.add(problem.code, problem.message, place, problem.help, severity=problem.severity, key=key)
            if not recipe.usable or not self._texts.sound:
                continue
            try:
                told = self._told(cell, axes, index, key, tally)
            except UnrenderedError as fault:
                tally.add("template-failed", fault.message, fault.place, "look at the values it reads", key=key)
                continue
            identity = recipe.identity(told.prompt, repeat=cell.repeat, edition=self._edition)
            stem = told.stem
            if stem is None:
                stem = names.default_stem(job, readable(row, several, [c.short for c in cell.choices]), identity)
            yield Item(
                identity=identity,
                model=recipe.model_id,
                prompt=told.prompt,
                params=recipe.params,
                references=recipe.references,
                repeat=cell.repeat,
                edition=self._edition,
                index=index,
                key=key,
                job=job,
                axes=axes,
                tags=told.tags,
                output_stem=stem,
                credits=recipe.credits,
                price_class=recipe.price_class,
                place=told.place,
            )
            index += 1

    def _told(self, cell: Cell, axes: Mapping[str, object], index: int, key: str, tally: Tally) -> _Told:
        """What the job's texts come to for one cell. Raises UnrenderedError."""
        source = self._prompt(cell, axes)
        place = source.place if source is not None else self._place
        row = self._job.data.rows[cell.row] if self._job.data is not None and cell.row is not None else {}
        if self._texts.only_tags is not None:
            prompt = self._texts.plainly(source, cell, row, self._run) if source is not None else None
            if prompt is not None or source is None:
                return _Told(prompt, self._texts.only_tags, None, place)
        context = self._texts.context(row, axes, self._run, {"index": index, "key": key})
        prompt = source.render(context) if source is not None else None
        return _Told(prompt, self._texts.tags(context), self._stem(context, tally), place)

    def _prompt(self, cell: Cell, axes: Mapping[str, object]) -> Source | None:
        """The cell's prompt: from its axis, from the job's list, or none."""
        if cell.prompt is not None and self._job.prompts is not None:
            return self._job.prompts[cell.prompt]
        return self._by_text.get(str(axes["prompt"])) if "prompt" in axes else None

    def _stem(self, context: Mapping[str, object], tally: Tally) -> str | None:
        """The name that the job's template gives; None when it has none, or a bad one."""
        rendered = self._texts.output(context)
        stem = names.stem_of(rendered) if rendered is not None else None
        if rendered is not None and stem is None:
            place = self._job.written.place("output")
            tally.add("output-ext", "`ext` stands before the end of the output name", place, "put it last")
        return stem


class _Told(NamedTuple):
    """The texts of one cell."""

    prompt: str | None
    tags: tuple[str, ...]
    stem: str | None
    place: Place
