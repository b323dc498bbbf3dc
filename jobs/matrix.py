"""From a job's matrix to its cells: rows x prompts x grid x zip, without exclude, sampled, with include, repeated.

The number of cells is arithmetic, so a slip that asks for a billion of them is refused before one is made. A sample is
drawn by content, not by position: every cell has a hash, and the smallest ones win. A cell that is added or taken away
changes at most one place of the sample, and the order of axes and values none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import product
from typing import Final, NamedTuple, TypeVar

from jobs.identity import canonical
from jobs.keys import short
from jobs.manifest import Matrix, axis_size, axis_values
from jobs.wording import plain_text

__all__ = ["Cell", "Cells", "Choice", "Steps", "cells", "size", "unsampled_size"]

_EMPTY = Matrix()

# So many combinations are kept while rows and prompts go round; more are made again for each.
KEPT_MAX: Final = 10_000


class Choice(NamedTuple):
    """One value of one axis, with all that is written of it: a million cells share a few of these."""

    name: str
    value: object
    text: str | None  # in a template; None when it is no scalar
    short: str  # in a key and a file's name
    named: str  # `name=short`

    @classmethod
    def of(cls, name: str, value: object) -> Choice:
        told = short(value)
        return cls(name, value, plain_text(value), told, f"{name}={told}")


Choices = tuple[Choice, ...]


class Cell(NamedTuple):
    """One combination. `row` and `prompt` are places in the job's rows and prompts, None when it has no such thing."""

    row: int | None
    prompt: int | None
    names: tuple[str, ...]  # of the axes
    choices: Choices
    repeat: int  # 1-based

    @property
    def axes(self) -> dict[str, object]:
        """The values by the axes' names."""
        return dict(zip(self.names, [choice.value for choice in self.choices], strict=True))


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
    """The cells of one job, in order and made as they are walked over, and how they came about."""

    walk: Callable[[], Iterator[Cell]]
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
    combined = _grid_size(shape) * _zip_size(shape)
    kept = _again(lambda: _kept(shape), combined)
    left = sum(1 for _ in kept()) if shape.exclude else combined
    places = [(row, prompt) for row in _places(rows) for prompt in _places(prompts)]
    sampled = before = len(places) * left
    sample: list[_Drawn] | None = None
    if shape.sample is not None and shape.sample.count < before:
        sampled = shape.sample.count
        every = [(row, prompt, choices) for row, prompt in places for choices in kept()]
        sample = _sample(every, sampled, shape.sample.seed, rows or (), prompts or ())
    names = (*shape.grid, *shape.zip)
    included = [(tuple(entry), tuple(Choice.of(*named) for named in entry.items())) for entry in shape.include]
    numbers = range(1, repeat + 1)

    def walk() -> Iterator[Cell]:
        drawn = ((row, prompt, choices) for row, prompt in places for choices in kept()) if sample is None else sample
        for row, prompt, choices in drawn:
            for number in numbers:
                yield Cell(row, prompt, names, choices, number)
        for row, prompt in places:
            for own_names, choices in included:
                for number in numbers:
                    yield Cell(row, prompt, own_names, choices, number)

    after_include = sampled + len(places) * len(included)
    steps = Steps(
        rows=len(rows) if rows is not None else 1,
        prompts=len(prompts) if prompts is not None else 1,
        grid=_grid_size(shape),
        zip=_zip_size(shape),
        product=len(places) * combined,
        after_exclude=before,
        after_sample=sampled,
        after_include=after_include,
        items=after_include * repeat,
    )
    return Cells(walk=walk, steps=steps)


_Drawn = tuple[int | None, int | None, Choices]
_T = TypeVar("_T")


def _again(make: Callable[[], Iterator[_T]], number: int) -> Callable[[], Iterable[_T]]:
    """A way to walk over the same again and again: few are kept, many are made anew each time."""
    if number > KEPT_MAX:
        return make
    kept = tuple(make())
    return lambda: kept


def _places(things: Sequence[object] | None) -> Sequence[int | None]:
    return (None,) if things is None else range(len(things))


def _grid_size(shape: Matrix) -> int:
    made = 1
    for values in shape.grid.values():
        made *= axis_size(values)
    return made


def _zip_size(shape: Matrix) -> int:
    return min((axis_size(values) for values in shape.zip.values()), default=1)


def _kept(shape: Matrix) -> Iterator[Choices]:
    """Grid x zip without what is excluded, in the order written: the last axis turns fastest."""
    grid = [[Choice.of(name, value) for value in axis_values(values)] for name, values in shape.grid.items()]
    zipped = [[Choice.of(name, value) for value in axis_values(values)] for name, values in shape.zip.items()]
    steps = list(zip(*zipped, strict=False)) if zipped else [()]
    made = ((*chosen, *step) for chosen in product(*grid) for step in steps) if zipped else product(*grid)
    if not shape.exclude:
        return iter(made)
    return (choices for choices in made if not any(_matches(entry, choices) for entry in shape.exclude))


def _matches(entry: Mapping[str, object], choices: Choices) -> bool:
    axes = {choice.name: choice.value for choice in choices}
    return all(name in axes and _same(axes[name], value) for name, value in entry.items())


def _same(one: object, other: object) -> bool:
    """Equal as written: `true` is not 1, though Python says so; 8 and 8.0 are the same number."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _sample(drawn: list[_Drawn], count: int, seed: int, rows: Sequence[object], prompts: Sequence[str]) -> list[_Drawn]:
    row_bytes = [canonical(row) for row in rows]
    prompt_bytes = [canonical(prompt) for prompt in prompts]
    start = canonical(seed)

    def rank(place: int) -> bytes:
        row, prompt, choices = drawn[place]
        content = hashlib.sha256(start)
        content.update(b"\n" + row_bytes[row] if row is not None else b"\n")
        content.update(b"\n" + prompt_bytes[prompt] if prompt is not None else b"\n")
        content.update(b"\n" + canonical({choice.name: choice.value for choice in choices}))
        return content.digest()

    return [drawn[place] for place in sorted(nsmallest(count, range(len(drawn)), key=rank))]
