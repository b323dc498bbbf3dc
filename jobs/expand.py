"""From a manifest to its items, and everything that is wrong with them.

    rows x prompts x matrix -> cells -> recipe (model, params, references) + texts (prompt, tags, name) -> items

A job's templates and each distinct recipe are looked over once; per cell only what differs is done. Whatever goes wrong
is a finding, so that one `check` tells everything; a cell with an error becomes no item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from jobs import names
from jobs.catalogue import Catalogue
from jobs.checks import CHECKS, Checked
from jobs.findings import Finding, Place
from jobs.identity import identity
from jobs.item import Item
from jobs.keys import item_key, readable
from jobs.manifest import FileText, Manifest, axis_values, merged
from jobs.matrix import Cell, Steps, cells, size, unsampled_size
from jobs.recipes import Recipe, Recipes
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

__all__ = ["Context", "Expansion", "expand"]

# A slip in a grid should not cost a fortune or an afternoon; who means it says so.
ITEMS_MAX: Final = 10_000
# What one machine can hold and look at; beyond it a run belongs into several manifests.
ITEMS_MAX_LARGE: Final = 1_000_000
# Drawing a sample looks at every combination.
COMBINATIONS_MAX: Final = 1_000_000
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

    items: tuple[Item, ...]
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
    tally = Tally()
    edition = _edition(document, manifest, context, tally)
    run = {"date": context.date, "id": f"{manifest.name}@{edition}" if edition else manifest.name}
    ready = [
        job
        for index in range(len(manifest.jobs))
        if manifest.jobs[index].enabled
        and (job := _ready(written_job(document, manifest, index, context.variables), sources, tally)) is not None
    ]
    items: list[Item] = []
    steps: dict[str, Steps] = {}
    if _fits(document, ready, context, tally):
        unread = set(context.variables) - manifest.vars.keys()
        for job in ready:
            expander = _Expander(job, sources, catalogue, edition, run, tally)
            unread -= expander.reads
            items += expander.items(len(items), steps)
        for name in sorted(unread):
            message = f"`--var {name}=...` sets a variable that nothing reads"
            remedy = did_you_mean(name, manifest.vars) or "look at its spelling"
            tally.add("unread-variable", message, None, remedy, severity="warning")
    checked = Checked(
        document=document,
        manifest=manifest,
        items=tuple(items),
        catalogue=catalogue,
        complete=not tally.errors and not any(finding.severity == "error" for finding in sources.findings),
    )
    for check in CHECKS:
        check(checked, tally)
    return Expansion(
        items=tuple(items),
        findings=(*sources.findings, *tally.findings),
        steps=steps,
        edition=edition,
        run_id=run["id"],
    )


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
    """Makes the items of one job."""

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
        self._tally = tally
        columns = job.data.columns if job.data is not None else None
        self._texts = Texts(job.written, columns, tally, (*(job.prompts or ()), *job.axis_prompts))
        self._recipes = Recipes(job.written, catalogue, sources.references)
        self._by_text = {source.text: source for source in job.axis_prompts}
        self._place = job.written.document.place(("jobs", job.written.index, "id"))

    @property
    def reads(self) -> frozenset[str]:
        """The vars that the job's templates read."""
        return frozenset(self._texts.needed)

    def items(self, start: int, steps: dict[str, Steps]) -> Iterator[Item]:
        """One item per cell that has no error. Leaves the job's counts in `steps`."""
        job, data, prompts = self._job.written.job, self._job.data, self._job.prompts
        made = cells(
            job.matrix,
            rows=data.rows if data is not None else None,
            prompts=[prompt.text for prompt in prompts] if prompts is not None else None,
            repeat=job.repeat,
        )
        steps[job.id] = made.steps
        index = start
        for cell in made.cells:
            row = data.names[cell.row] if data is not None and cell.row is not None else None
            several = cell.prompt + 1 if cell.prompt is not None and len(prompts or ()) > 1 else None
            key = item_key(job.id, row, several, cell.axes, cell.repeat)
            recipe = self._recipes.of(cell.axes)
            for problem, place in recipe.problems:
                self._tally.add(problem.code, problem.message, place, problem.help, severity=problem.severity, key=key)
            if not recipe.usable or not self._texts.sound:
                continue
            try:
                yield self._item(index, cell, recipe, key, readable(row, several, cell.axes))
            except UnrenderedError as fault:
                self._tally.add("template-failed", fault.message, fault.place, "look at the values it reads", key=key)
                continue
            index += 1

    def _item(self, index: int, cell: Cell, recipe: Recipe, key: str, readable_name: str) -> Item:
        assert recipe.model is not None
        data = self._job.data
        row = data.rows[cell.row] if data is not None and cell.row is not None else {}
        context = self._texts.context(row, cell.axes, self._run, {"index": index, "key": key})
        source = self._prompt(cell)
        prompt = source.render(context) if source is not None else None
        hashed = identity(
            model=recipe.model.id,
            prompt=prompt,
            params=recipe.params,
            reference_digests=[file.sha256 for file in recipe.references],
            repeat=cell.repeat,
            edition=self._edition,
        )
        return Item(
            identity=hashed,
            model=recipe.model.id,
            prompt=prompt,
            params=recipe.params,
            references=recipe.references,
            repeat=cell.repeat,
            edition=self._edition,
            index=index,
            key=key,
            job=self._job.written.job.id,
            axes=cell.axes,
            tags=self._texts.tags(context),
            output_stem=self._stem(context, readable_name, hashed),
            credits=recipe.credits,
            price_class=recipe.price_class,
            place=source.place if source is not None else self._place,
        )

    def _prompt(self, cell: Cell) -> Source | None:
        """The cell's prompt: from its axis, from the job's list, or none."""
        if "prompt" in cell.axes:
            return self._by_text.get(str(cell.axes["prompt"]))
        return self._job.prompts[cell.prompt] if self._job.prompts is not None and cell.prompt is not None else None

    def _stem(self, context: Mapping[str, object], readable_name: str, hashed: str) -> str:
        rendered = self._texts.output(context)
        stem = names.stem_of(rendered) if rendered is not None else None
        if rendered is not None and stem is None:
            place = self._job.written.place("output")
            self._tally.add("output-ext", "`ext` stands before the end of the output name", place, "put it last")
        return stem if stem is not None else names.default_stem(self._job.written.job.id, readable_name, hashed)
