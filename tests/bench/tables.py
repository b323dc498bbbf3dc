"""Figures as a person reads them: one table a workload, one for the targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.bench.figures import Figures, Round, Spread, Verdict, spread
from tests.bench.workloads import Workload

__all__ = ["target_table", "workload_table"]

# Heading, field, digits
_COLUMNS = (
    ("x bound", "over_bound", 3),
    ("process x", "wall_over_bound", 3),
    ("creates/s", "creates_per_s", 1),
    ("req/item", "requests_per_item", 2),
    ("polls/item", "polls_per_item", 2),
    ("refused/item", "refusals_per_item", 3),
    ("delay s", "delay_s", 3),
    ("x optimum", "delay_over_optimum", 2),
    ("CPU ms/item", "cpu_ms_per_item", 2),
    ("req/s", "requests_per_s", 0),
    ("RSS MiB", "rss_mib", 0),
    ("others s", "others_s", 1),
)


def workload_table(workload: Workload, rounds: Sequence[Round]) -> Iterator[str]:
    """Medians, with the least and the most of what matters most."""
    yield f"{workload.name}: {workload.says}"
    names = list(dict.fromkeys(name for run in rounds for name in run))
    rows = [["client", "items", "rounds", "x bound (least..most)", *(heading for heading, _, _ in _COLUMNS[1:])]]
    for name in names:
        runs = [run[name] for run in rounds if name in run]
        rows.append([name, f"{runs[0].items:,}", _rounds(runs), *(_cell(runs, column) for column in _COLUMNS)])
    yield from _aligned(rows)


def _rounds(runs: Sequence[Figures]) -> str:
    undone = sum(not run.done for run in runs)
    return f"{len(runs)}" if not undone else f"{len(runs)} ({undone} NOT DONE)"


def _cell(runs: Sequence[Figures], column: tuple[str, str, int]) -> str:
    _, field, digits = column
    values = [getattr(run, field) for run in runs]
    found = spread(value for value in values if value is not None)
    if found is None:
        return "-"
    text = f"{found.median:.{digits}f}"
    return f"{text} ({found.least:.{digits}f}..{found.most:.{digits}f})" if field == "over_bound" else text


def target_table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """What must be shown, and whether it was."""
    rows = [["target", "", "measured (least..most)", "goal", "moonshot", ""]]
    for verdict in verdicts:
        sign = ">=" if verdict.more else "<="
        measured = "-" if verdict.value is None else _spread(verdict.value)
        goals = [f"{sign} {verdict.goal:g}", f"{sign} {verdict.moonshot:g}"]
        rows.append([verdict.workload, verdict.says, measured, *goals, verdict.word])
    yield from _aligned(rows, texts=2)


def _spread(value: Spread) -> str:
    return f"{value.median:.3f} ({value.least:.3f}..{value.most:.3f})"


def _aligned(rows: Sequence[Sequence[str]], *, texts: int = 1) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (
            text.ljust(width) if column < texts or column == len(row) - 1 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  " + "  ".join(cells).rstrip()
