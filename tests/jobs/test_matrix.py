"""Cells: their number is arithmetic, their order is written, a sample holds still."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.manifest import Matrix
from jobs.matrix import Cell, cells, size, unsampled_size


def made(repeat: int = 1, rows: int | None = None, prompts: int | None = None, **matrix: Any) -> list[Cell]:
    result = cells(
        Matrix.model_validate(matrix),
        rows=[{"row": number} for number in range(rows)] if rows is not None else None,
        prompts=[f"prompt {number}" for number in range(prompts)] if prompts is not None else None,
        repeat=repeat,
    )
    found = list(result.walk())
    assert result.steps.items == len(found)
    assert found == list(result.walk())
    return found


def test_a_job_without_a_matrix_is_one_cell() -> None:
    assert list(cells(None, rows=None, prompts=None, repeat=1).walk()) == [Cell(None, None, (), (), 1)]


def test_the_order_is_rows_prompts_grid_zip_repeat() -> None:
    found = made(2, 2, 2, grid={"vars.a": [1, 2]}, zip={"vars.b": [3, 4], "vars.c": [5, 6]})

    assert len(found) == 32
    assert [(cell.row, cell.prompt, *cell.axes.values(), cell.repeat) for cell in found[:5]] == [
        (0, 0, 1, 3, 5, 1),
        (0, 0, 1, 3, 5, 2),
        (0, 0, 1, 4, 6, 1),
        (0, 0, 1, 4, 6, 2),
        (0, 0, 2, 3, 5, 1),
    ]
    assert [(cell.row, cell.prompt) for cell in found[::8]] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_an_exclude_matches_by_some_of_the_values() -> None:
    found = made(
        grid={"vars.a": [1, 2, 3], "vars.b": ["x", "y"]}, exclude=[{"vars.a": 2}, {"vars.a": 3, "vars.b": "x"}]
    )

    assert [tuple(cell.axes.values()) for cell in found] == [(1, "x"), (1, "y"), (3, "y")]


def test_true_is_not_1_for_an_exclude() -> None:
    found = made(grid={"vars.a": [True, 1, 0, False]}, exclude=[{"vars.a": 1}, {"vars.a": False}])

    assert [cell.axes["vars.a"] for cell in found] == [True, 0]


def test_an_include_adds_whole_combinations_for_every_row_and_merges_none() -> None:
    found = made(rows=2, grid={"vars.a": [1]}, exclude=[{"vars.a": 9}], include=[{"vars.a": 9}])

    assert [(cell.row, cell.axes["vars.a"]) for cell in found] == [(0, 1), (1, 1), (0, 9), (1, 9)]


def test_a_range_has_both_its_ends() -> None:
    found = made(grid={"params.cfg_scale": {"from": 0.1, "to": 0.3, "step": 0.1}})

    assert [cell.axes["params.cfg_scale"] for cell in found] == [0.1, 0.2, 0.3]


def test_no_rows_give_no_cells() -> None:
    assert made(rows=0, grid={"vars.a": [1, 2]}) == []


def test_a_sample_is_drawn_after_exclude_and_keeps_the_order() -> None:
    grid = {"vars.a": list(range(100))}
    exclude = [{"vars.a": number} for number in range(50)]

    found = [cell.axes["vars.a"] for cell in made(grid=grid, exclude=exclude, sample={"count": 10})]

    assert len(found) == 10
    assert found == sorted(found)  # type: ignore[type-var]
    assert min(found) >= 50  # type: ignore[type-var, operator]


def test_another_seed_draws_others() -> None:
    grid = {"vars.a": list(range(100))}

    assert made(grid=grid, sample={"count": 10, "seed": 1}) != made(grid=grid, sample={"count": 10, "seed": 2})


@pytest.mark.parametrize("count", [1, 7, 30])
def test_adding_a_value_changes_little_of_a_sample(count: int) -> None:
    def drawn(values: list[int]) -> set[object]:
        return {cell.axes["vars.a"] for cell in made(grid={"vars.a": values}, sample={"count": count})}

    for more in range(60, 90):
        assert len(drawn(list(range(60))) - drawn([*range(60), more])) <= 1


def test_a_sample_does_not_depend_on_the_order_of_axes_and_values() -> None:
    one = made(grid={"vars.a": [1, 2, 3], "vars.b": [4, 5, 6]}, sample={"count": 4})
    other = made(grid={"vars.b": [6, 5, 4], "vars.a": [2, 1, 3]}, sample={"count": 4})

    assert {tuple(sorted(cell.axes.items())) for cell in one} == {tuple(sorted(cell.axes.items())) for cell in other}


def test_a_billion_cells_are_counted_without_making_one() -> None:
    axis = {"from": 1, "to": 1000}
    matrix = Matrix.model_validate({"grid": {"vars.a": axis, "vars.b": axis, "vars.c": axis}, "sample": {"count": 50}})

    assert size(matrix, rows=1, prompts=1, repeat=3) == 150
    assert unsampled_size(matrix, rows=1, prompts=1) == 10**9


_AXES = st.lists(st.integers(0, 9), min_size=1, max_size=4, unique=True)


@given(
    grid=st.dictionaries(st.sampled_from(["vars.a", "vars.b", "params.c"]), _AXES, max_size=3),
    steps=st.integers(0, 3),
    rows=st.none() | st.integers(0, 4),
    prompts=st.none() | st.integers(1, 3),
    repeat=st.integers(1, 3),
    sample=st.none() | st.integers(1, 12),
    includes=st.integers(0, 2),
)
def test_the_count_is_the_number_of_cells(
    grid: dict[str, list[int]],
    steps: int,
    rows: int | None,
    prompts: int | None,
    repeat: int,
    sample: int | None,
    includes: int,
) -> None:
    matrix: dict[str, Any] = {"grid": grid, "include": [{"vars.z": number} for number in range(includes)]}
    if steps:
        matrix["zip"] = {"vars.y": list(range(steps)), "vars.z": list(range(steps))}
    if sample:
        matrix["sample"] = {"count": sample}

    found = made(repeat, rows, prompts, **matrix)

    factors = {"rows": 1 if rows is None else rows, "prompts": 1 if prompts is None else prompts}
    assert len(found) == size(Matrix.model_validate(matrix), **factors, repeat=repeat)
