"""From a job's matrix to its cells: rows x prompts x grid x zip, without exclude, sampled, with include, repeated.

The number of cells is arithmetic, so a slip that asks for a billion of them is refused before one is made. A sample is
drawn by content, not by position: every cell has a hash, and the smallest ones win. A cell that is added or taken away
changes at most one place of the sample, and the order of axes and values none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import product

from jobs.identity import canonical
from jobs.manifest import Matrix, axis_size, axis_values

__all__ = ["Cell", "Cells", "Steps", "cells", "size", "unsampled_size"]

_EMPTY = Matrix()


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination. `row` and `prompt` are places in the job's rows and prompts, None when it has no such thing."""

    row: int | None
    prompt: int | None
    axes: Mapping[str, object]
    repeat: int  # 1-based


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """How many cells there are after each step, for `plan --explain`."""

    rows: int
    prompts: int
    grid: int
    zip: int
    product: int
    after_exclude: int
    after_sample: int
    after_include: int
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells of one job, in order, and how they came about."""

    cells: tuple[Cell, ...]
    steps: Steps


def size(matrix: Matrix | None, *, rows: int, prompts: int, repeat: int) -> int:
    """How many cells at most, known without making them: what `exclude` takes away is not counted off."""
    shape = matrix or _EMPTY
    made = rows * prompts * _grid_size(shape) * _zip_size(shape)
    if shape.sample is not None:
        made = min(made, shape.sample.count)
    return (made + rows * prompts * len(shape.include)) * repeat


def unsampled_size(matrix: Matrix | None, *, rows: int, prompts: int) -> int:
    """How many combinations have to be looked at to draw a sample."""
    shape = matrix or _EMPTY
    return rows * prompts * _grid_size(shape) * _zip_size(shape)


def cells(matrix: Matrix | None, *, rows: Sequence[object] | None, prompts: Sequence[str] | None, repeat: int) -> Cells:
    """Every cell of a job. `rows` and `prompts` are None when the job has none; an empty list gives no cells."""
    shape = matrix or _EMPTY
    combinations = list(_combinations(shape))
    kept = [axes for axes in combinations if not any(_matches(entry, axes) for entry in shape.exclude)]
    places = list(product(_places(rows), _places(prompts)))
    drawn: list[_Drawn] = [(row, prompt, axes) for row, prompt in places for axes in kept]
    before = len(drawn)
    if shape.sample is not None and shape.sample.count < before:
        drawn = _sample(drawn, shape.sample.count, shape.sample.seed, rows or (), prompts or ())
    sampled = len(drawn)
    drawn += [(row, prompt, dict(entry)) for row, prompt in places for entry in shape.include]
    made = tuple(Cell(row, prompt, axes, number) for row, prompt, axes in drawn for number in range(1, repeat + 1))
    steps = Steps(
        rows=len(rows) if rows is not None else 1,
        prompts=len(prompts) if prompts is not None else 1,
        grid=_grid_size(shape),
        zip=_zip_size(shape),
        product=len(places) * len(combinations),
        after_exclude=before,
        after_sample=sampled,
        after_include=len(drawn),
        items=len(made),
    )
    return Cells(cells=made, steps=steps)


_Drawn = tuple[int | None, int | None, Mapping[str, object]]


def _places(things: Sequence[object] | None) -> Sequence[int | None]:
    return (None,) if things is None else range(len(things))


def _grid_size(shape: Matrix) -> int:
    made = 1
    for values in shape.grid.values():
        made *= axis_size(values)
    return made


def _zip_size(shape: Matrix) -> int:
    return min((axis_size(values) for values in shape.zip.values()), default=1)


def _combinations(shape: Matrix) -> Iterator[dict[str, object]]:
    """Grid x zip, in the order written: the last axis turns fastest."""
    if not shape.grid and not shape.zip:
        yield {}
        return
    names = [*shape.grid, *shape.zip]
    steps = list(zip(*(axis_values(values) for values in shape.zip.values()), strict=False)) if shape.zip else [()]
    for values in product(*(axis_values(values) for values in shape.grid.values())):
        for step in steps:
            yield dict(zip(names, (*values, *step), strict=True))


def _matches(entry: Mapping[str, object], axes: Mapping[str, object]) -> bool:
    return all(name in axes and _same(axes[name], value) for name, value in entry.items())


def _same(one: object, other: object) -> bool:
    """Equal as written: `true` is not 1, though Python says so; 8 and 8.0 are the same number."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _sample(drawn: list[_Drawn], count: int, seed: int, rows: Sequence[object], prompts: Sequence[str]) -> list[_Drawn]:
    row_bytes = [canonical(row) for row in rows]
    prompt_bytes = [canonical(prompt) for prompt in prompts]
    start = canonical(seed)

    def rank(place: int) -> bytes:
        row, prompt, axes = drawn[place]
        content = hashlib.sha256(start)
        content.update(b"\n" + row_bytes[row] if row is not None else b"\n")
        content.update(b"\n" + prompt_bytes[prompt] if prompt is not None else b"\n")
        content.update(b"\n" + canonical(dict(axes)))
        return content.digest()

    return [drawn[place] for place in sorted(nsmallest(count, range(len(drawn)), key=rank))]
