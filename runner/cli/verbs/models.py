"""`rivya-batch models [ID]`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, fields, replace

import click

from jobs.catalogue import Catalogue, CatalogueError, Model, Param
from jobs.escape import for_terminal
from jobs.suggest import did_you_mean
from runner.cli.columns import columns
from runner.cli.flags import verb
from runner.cli.loading import settings_for
from runner.cli.loop import run_async
from runner.cli.voice import Voice
from runner.compose import refresh_models
from runner.errors import ServiceRefused, UsageError
from runner.models_cache import load_catalogue
from runner.settings import Settings

__all__ = ["command"]


@verb("models", example="rivya-batch models seedance-1-5-pro")
@click.argument("model_id", metavar="[ID]", required=False)
@click.option("--category", type=click.Choice(["image", "video", "audio"]), help="List only models of this kind.")
@click.option("--refresh", is_flag=True, help="Ask the service first; needs no key.")
@click.pass_obj
def command(voice: Voice, model_id: str | None, category: str | None, *, refresh: bool) -> None:
    settings, now_epoch_s = settings_for(voice), time.time()
    if refresh:
        _refresh(settings, now_epoch_s)
    catalogue = load_catalogue(settings.base_url, now_epoch_s=now_epoch_s)
    if model_id is not None:
        _one(voice, catalogue, model_id)
        return
    models = [
        model for _, model in sorted(catalogue.models.items()) if model.callable and category in (None, model.category)
    ]
    if voice.json:
        voice.object(
            {"source": catalogue.source, "fetched_at": catalogue.fetched_at, "models": [_object(m) for m in models]}
        )
        return
    rows = [
        (model.id, model.category, _price(model), _prompt(model), _references(model), for_terminal(model.display_name))
        for model in models
    ]
    voice.data(columns(("id", "kind", "credits", "prompt", "references", "name"), rows, right=("credits",)))
    voice.talk(f"{len(models)} models, {_told(catalogue)}; credits are for base settings")


def _refresh(settings: Settings, now_epoch_s: float) -> None:
    try:
        run_async(refresh_models(settings, now_epoch_s=now_epoch_s))
    except CatalogueError as problem:
        raise ServiceRefused(
            f"The service answered, but its catalogue cannot be read: {problem}.", status=200, code="answer-unreadable"
        ) from problem


def _one(voice: Voice, catalogue: Catalogue, model_id: str) -> None:
    model = catalogue.models.get(model_id)
    if model is None:
        raise UsageError(
            f"There is no model `{model_id}`.",
            next_step=did_you_mean(model_id, catalogue.models, "list them with `rivya-batch models`"),
        )
    if voice.json:
        voice.object(_object(model))
        return
    facts = [
        ("name", model.display_name),
        ("kind", model.category),
        ("credits", f"{_price(model)} ({model.billing_type})"),
        ("prompt", _prompt(model)),
        ("references", _references(model)),
        *(("note", note) for note in model.notes),
    ]
    voice.data(f"{model.id}\n" + "".join(f"  {name:<11}{for_terminal(text)}\n" for name, text in facts))
    rows = [*(_param(param) for param in model.params), *((key, "list", "", "") for key in model.structured_params)]
    if rows:
        voice.data("\n" + columns(("param", "type", "default", "values"), rows, indent=2))
    if not model.complete:
        voice.talk("the documentation of this model is not complete: unknown params are warnings, not errors")


def _object(model: Model) -> dict[str, object]:
    rule = model.reference
    return {name.name: getattr(model, name.name) for name in fields(model)} | {
        "params": [asdict(param) for param in model.params],
        "reference": rule and asdict(replace(rule, mixes=())) | {"mixes": [dict(mix) for mix in rule.mixes]},
    }


def _price(model: Model) -> str:
    if model.base_credits is None:
        return "?"
    return f"{model.base_credits}+" if model.billing_type == "METERED" else str(model.base_credits)


def _prompt(model: Model) -> str:
    need = "required" if model.prompt_required else "optional"
    return need if model.prompt_max_chars is None else f"{need}, {model.prompt_max_chars:,}"


def _references(model: Model) -> str:
    rule = model.reference
    if rule is None:
        return "-"
    kinds = "/".join(rule.kinds) or "files"
    return kinds if rule.max_files is None else f"{rule.max_files} {kinds}"


def _param(param: Param) -> tuple[str, str, str, str]:
    name = f"{param.key} *" if param.required else param.key
    default = "" if param.default is None else str(param.default)
    return for_terminal(name), param.type, for_terminal(default), for_terminal(", ".join(_values(param)))


def _values(param: Param) -> Iterator[str]:
    yield from param.options
    if param.min is not None or param.max is not None:
        low, high = ("" if bound is None else f"{bound:.15g}" for bound in (param.min, param.max))
        yield f"{low}..{high}"
    if param.step not in (None, 1):
        yield f"step {param.step:.15g}"


def _told(catalogue: Catalogue) -> str:
    if catalogue.source == "packaged":
        return "as packaged with this release"
    return f"as the service told at {catalogue.fetched_at}"
