"""`vars` that are templates themselves, rendered in whatever order they need each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from jobs.templates import BadTemplateError, Field, compiled, is_template

__all__ = ["needed_vars", "resolved"]

Context = Mapping[str, object]


def needed_vars(choices: Mapping[str, Sequence[object]], fields: Iterable[Field]) -> tuple[str, ...]:
    """The vars that `fields` read, and those that these read in turn, each after what it needs.

    `choices` are all the values a var can have, so that the order holds for every cell. Raises BadTemplateError for a
    var whose template is broken, and for vars that need each other in a circle.
    """
    found: dict[str, None] = {}

    def visit(name: str, asked: tuple[str, ...]) -> None:
        if name in asked:
            circle = " -> ".join((*asked[asked.index(name) :], name))
            raise BadTemplateError(f"these vars need each other: {circle}")
        if name in found:
            return
        for value in choices[name]:
            if isinstance(value, str) and is_template(value):
                for other in _read_by(choices, compiled(value).fields):
                    visit(other, (*asked, name))
        found[name] = None

    for name in _read_by(choices, fields):
        visit(name, ())
    return tuple(found)


def resolved(values: Context, order: Iterable[str], context: Callable[[Context], Context]) -> dict[str, object]:
    """The values of `order`, rendered where they are templates; `context` makes a template's context from the vars
    that are done. Raises BadTemplateError.
    """
    done: dict[str, object] = {}
    for name in order:
        value = values.get(name)
        done[name] = compiled(value).render(context(done)) if isinstance(value, str) and is_template(value) else value
    return done


def _read_by(choices: Mapping[str, object], fields: Iterable[Field]) -> list[str]:
    """The vars these fields read themselves, in one order on every machine; unknown names are left out."""
    paths = [field.path for field in fields if field.root == "vars"]
    if None in paths:
        return sorted(choices)
    return sorted({name for path in paths if path is not None and (name := path.partition(".")[0]) in choices})
