"""Templates that only put values into a text, for a million cells: the text once, the values by their places.

Most prompts are such. What the values of one cell do not fit (a missing one, no scalar, too long a text) is left to the
template itself, which says what is wrong; so both ways give the same text or the same finding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from jobs.sandbox import MAX_TEXT_CHARS
from jobs.templates import Field, compiled, is_template
from jobs.wording import plain_text

__all__ = ["Straight", "straight"]

# From the texts of a cell's axis values, in order, and its row to the text; None: ask the template.
Straight = Callable[[Sequence[str | None], Mapping[str, object]], str | None]


def straight(
    text: str, *, axes: Sequence[str], variables: Mapping[str, object], run: Mapping[str, object]
) -> Straight | None:
    """How to render a template from `axes` of these names; None when it reads more, or does more than read.

    `variables` are the job's vars, which an axis `vars.name` replaces.
    """
    parts = compiled(text).parts
    if parts is None:
        return None
    pattern, places, columns = "", list[int](), list[str]()
    for part in parts:
        found: int | str | None
        if isinstance(part, str):
            found = part
        elif part.root == "row" and part.path is not None and "." not in part.path:
            found = len(axes) + len(columns)
            columns.append(part.path)
        else:
            found = _found(part, axes, variables, run)
        if found is None:
            return None
        if isinstance(found, int):
            pattern += "%s"
            places.append(found)
        else:
            pattern += found.replace("%", "%%")
    return _renderer(pattern, places, columns)


def _found(
    field: Field, axes: Sequence[str], variables: Mapping[str, object], run: Mapping[str, object]
) -> int | str | None:
    """The place of a field's value among the axes, or its text where it is always the same."""
    name = field.path or ""
    match field.root:
        case "axis" if name in axes:
            return axes.index(name)
        case "vars" if f"vars.{name}" in axes:
            return axes.index(f"vars.{name}")
        case "vars":
            text = plain_text(variables.get(name))
            return None if text is None or is_template(text) else text
        case "run":
            return plain_text(run.get(name))
    return None


def _renderer(pattern: str, places: Sequence[int], columns: Sequence[str]) -> Straight:
    if not places:
        whole = pattern.replace("%%", "%")
        return lambda _, __: whole if len(whole) <= MAX_TEXT_CHARS else None
    pick = itemgetter(*places)

    def render(texts: Sequence[str | None], row: Mapping[str, object]) -> str | None:
        values = pick([*texts, *[plain_text(row.get(column)) for column in columns]] if columns else texts)
        if values is None or (type(values) is tuple and None in values):
            return None
        text = pattern % values
        return text if len(text) <= MAX_TEXT_CHARS else None

    return render
