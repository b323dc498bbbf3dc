"""What an item is made of apart from its words: model, params as sent, references.

A run of ten thousand rows has a handful of these, so each distinct combination is worked out, typed and checked once,
and its problems are told at the place where the value was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jobs.catalogue import Catalogue, Model
from jobs.findings import Place
from jobs.identity import IdentityOf, canonical
from jobs.item import ReferenceFile
from jobs.options import translate
from jobs.params import Problem, typed_params
from jobs.pricing import price_class
from jobs.suggest import did_you_mean
from jobs.wording import listed
from jobs.written import Written

__all__ = ["Recipe", "Recipes"]

_AXES = ("model", "params.", "options.", "references.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One combination, ready for any number of items; `usable` is False when it has an error."""

    model: Model | None
    params: Mapping[str, object] = field(default_factory=dict)
    references: tuple[ReferenceFile, ...] = ()
    price_class: str = ""
    credits: int | None = None
    problems: tuple[tuple[Problem, Place], ...] = ()
    usable: bool = field(init=False)
    _identities: dict[tuple[int, str], IdentityOf] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        is_sound = all(problem.severity != "error" for problem, _ in self.problems)
        object.__setattr__(self, "usable", self.model is not None and is_sound)

    @property
    def model_id(self) -> str:
        assert self.model is not None, "only what is usable becomes an item"
        return self.model.id

    def identity(self, prompt: str | None, *, repeat: int, edition: str) -> str:
        """The content hash of an item made by it."""
        made = self._identities.get((repeat, edition))
        if made is None:
            digests = [file.sha256 for file in self.references]
            made = self._identities[repeat, edition] = IdentityOf(
                model=self.model_id, params=self.params, reference_digests=digests, repeat=repeat, edition=edition
            )
        return made(prompt)


class Recipes:
    """The recipes of one job, each made when it is first asked for."""

    def __init__(
        self, written_job: Written, catalogue: Catalogue, references: Mapping[str, tuple[ReferenceFile, ...]]
    ) -> None:
        self._job = written_job
        self._catalogue = catalogue
        self._references = references
        self._axes = tuple(name for name in written_job.axis_names if name.startswith(_AXES))
        self._made: dict[object, Recipe] = {}
        self._only: Recipe | None = None  # where no axis is one of a recipe's

    def of(self, axes: Mapping[str, object]) -> Recipe:
        """The recipe of a cell with these axis values."""
        if not self._axes:
            return self._only or self._make_only()
        own = {name: axes[name] for name in self._axes if name in axes}
        key = _hashable(own)
        recipe = self._made.get(key)
        if recipe is None:
            recipe = self._made[key] = self._make(own)
        return recipe

    def _make_only(self) -> Recipe:
        self._only = self._make({})
        return self._only

    def _make(self, axes: Mapping[str, object]) -> Recipe:
        problems: list[Problem] = []
        model = self._model(axes.get("model", self._job.model), problems)
        references = self._files(axes)
        params: dict[str, object] = {}
        if model is not None:
            params = self._params(model, axes, problems)
        placed = tuple((problem, self._job.place(problem.path, axes)) for problem in problems)
        if model is None:
            return Recipe(model=None, problems=placed)
        return Recipe(
            model=model,
            params=params,
            references=references,
            price_class=price_class(model, params, reference_count=len(references)),
            credits=model.base_credits,
            problems=placed,
        )

    def _model(self, name: object, problems: list[Problem]) -> Model | None:
        models = self._catalogue.models
        if name is None:
            remedy = "add `model:` to the job or to `defaults`; `rivya-batch models` lists them"
            problems.append(Problem(code="missing-model", path="model", message="the job has no model", help=remedy))
            return None
        model = models.get(name) if isinstance(name, str) else None
        if model is None:
            remedy = "`rivya-batch models` lists them"
            if isinstance(name, str):
                remedy = did_you_mean(name, models) or remedy
            message = f"there is no model `{name}`"
            problems.append(Problem(code="unknown-model", path="model", message=message, help=remedy))
        elif not model.callable:
            same = [other.id for other in models.values() if other.callable and other.category == model.category]
            remedy = f"{model.category} models that can: {listed(same)}" if same else "choose another model"
            message = f"{model.id} is listed, but cannot be called through the API now"
            problems.append(Problem(code="model-not-callable", path="model", message=message, help=remedy))
        return model

    def _params(self, model: Model, axes: Mapping[str, object], problems: list[Problem]) -> dict[str, object]:
        options = _with_axes(self._job.options, axes, "options.")
        params = _with_axes(self._job.params, axes, "params.")
        translated, found = translate(model, options)
        problems += found
        for key in translated.keys() & {key for key, value in params.items() if value is not None}:
            remedy = "keep one of the two; `null` takes a default back"
            message = f"`params.{key}` and an option say the same thing about {model.id}"
            problems.append(Problem(code="option-and-param", path=f"params.{key}", message=message, help=remedy))
        sent, found = typed_params(model, {**translated, **params})
        problems += found
        return sent

    def _files(self, axes: Mapping[str, object]) -> tuple[ReferenceFile, ...]:
        """The files of the ordered names; a file that could not be read has its finding already."""
        names: list[object] = list(self._job.references)
        for axis, value in axes.items():
            if axis.startswith("references."):
                place = int(axis.removeprefix("references."))
                names += [None] * (place + 1 - len(names))
                names[place] = value
        return tuple(file for name in names if isinstance(name, str) for file in self._references.get(name, ()))


def _with_axes(values: Mapping[str, object], axes: Mapping[str, object], prefix: str) -> dict[str, object]:
    replaced = {name.removeprefix(prefix): value for name, value in axes.items() if name.startswith(prefix)}
    return {**values, **replaced}


def _hashable(axes: Mapping[str, object]) -> object:
    """A key in which `true` is not 1; lists and objects are spelled out."""
    values = tuple(axes.values())
    try:
        key = (*values, *map(type, values))
        hash(key)
    except TypeError:
        return canonical(list(values))
    return (tuple(axes), key)
