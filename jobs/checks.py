"""What has to hold for the items of a run, one small function per rule.

Adding a rule is adding a function to CHECKS, a paragraph to `jobs.codes` and a manifest to `manifests/broken`. A check
tells the tally what it found; many items of one cause become one finding there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jobs.catalogue import Catalogue, Model, ReferenceRule
from jobs.findings import Place
from jobs.item import Item, ReferenceFile
from jobs.leaks import is_secret_text
from jobs.manifest import Manifest
from jobs.names import bad_name, collision_key
from jobs.tally import Tally
from jobs.wording import listed
from jobs.yaml12 import Document

__all__ = ["CHECKS", "Check", "Checked", "prompt_length"]

MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Everything the checks look at. `complete` is False when some cells became no item because of an error."""

    document: Document
    manifest: Manifest
    items: tuple[Item, ...]
    catalogue: Catalogue
    complete: bool


Check = Callable[[Checked, Tally], None]


def prompt_length(prompt: str) -> int:
    """Characters as the stricter of the two ways to count them: an emoji is one code point and two UTF-16 units."""
    return len(prompt) if prompt.isascii() else len(prompt.encode("utf-16-le", errors="surrogatepass")) // 2


def some_item_is_wanted(checked: Checked, tally: Tally) -> None:
    if not checked.items and checked.complete:
        place = checked.document.place(("jobs",))
        remedy = "look at `enabled`, `where`, `limit` and `exclude`"
        tally.add("no-items", "the manifest expands to no item at all", place, remedy)


def every_model_gets_its_prompt(checked: Checked, tally: Tally) -> None:
    for item in checked.items:
        model = checked.catalogue.models[item.model]
        if model.prompt_required and not (item.prompt or "").strip():
            remedy = "add `prompt:` to the job"
            tally.add("missing-prompt", f"{model.id} needs a prompt", item.place, remedy, key=item.key)
        elif item.prompt and _takes_no_prompt(model):
            remedy = "take it out; everything it needs is in its params"
            message = f"{model.id} takes no prompt"
            tally.add("prompt-not-taken", message, item.place, remedy, severity="warning", key=item.key)


def no_prompt_is_too_long(checked: Checked, tally: Tally) -> None:
    for item in checked.items:
        limit = checked.catalogue.models[item.model].prompt_max_chars
        if limit is None or not item.prompt or len(item.prompt) * 2 <= limit:
            continue
        length = prompt_length(item.prompt)
        if length > limit:
            message = f"the prompt has {length:,} characters; {item.model} takes {limit:,}"
            tally.add("prompt-too-long", message, item.place, "shorten it", key=item.key, cause=item.model)


def no_item_holds_a_secret(checked: Checked, tally: Tally) -> None:
    """Rows and variables are no part of the manifest, and their values end up in the ledger and in file names."""
    for item in checked.items:
        if item.prompt is not None and is_secret_text(item.prompt):
            where = "the prompt"
        elif any(map(is_secret_text, (item.key, item.output_stem, item.edition, *item.tags))):
            where = "an item's name, edition or tag"
        else:
            continue
        remedy = "take it out of the text or the data, and replace the key: it may have been seen"
        tally.add("prompt-secret", f"{where} holds what looks like a secret key", item.place, remedy)


def references_fit_their_model(checked: Checked, tally: Tally) -> None:
    """Number, kinds, sizes and types; each distinct pair of a model and its files is looked at once."""
    seen: dict[tuple[str, tuple[str, ...]], list[tuple[str, str, str]]] = {}
    for item in checked.items:
        model = checked.catalogue.models[item.model]
        if not item.references and not model.requires_upload:
            continue
        pair = (item.model, tuple(file.location for file in item.references))
        if pair not in seen:
            seen[pair] = _reference_troubles(model, item.references)
        for code, message, remedy in seen[pair]:
            tally.add(code, message, _reference_place(checked, item), remedy, key=item.key)


def no_two_items_are_the_same(checked: Checked, tally: Tally) -> None:
    first: dict[str, Item] = {}
    for item in checked.items:
        other = first.setdefault(item.identity, item)
        if other is not item:
            line = f" on line {other.place.line}" if other.place is not None else ""
            message = f"this is the same item as `{other.key}`{line}: equal model, prompt, params and references"
            remedy = "change one of them; for several results of one prompt use `repeat`"
            tally.add("item-twice", message, item.place, remedy, key=item.key, cause=other.job)


def output_names_are_safe(checked: Checked, tally: Tally) -> None:
    for item in checked.items:
        reason = bad_name(item.output_stem)
        if reason is not None:
            remedy = "mend the `output` template; values become slugs by themselves"
            tally.add("output-name", f"the output name {reason}", _output_place(checked, item), remedy, key=item.key)


def no_two_items_share_an_output_name(checked: Checked, tally: Tally) -> None:
    """Also when only some systems take the names for one: other case, other composition of accents."""
    first: dict[str, Item] = {}
    for item in checked.items:
        other = first.setdefault(collision_key(item.output_stem), item)
        if other is not item and other.identity != item.identity:
            how = "the same" if other.output_stem == item.output_stem else "for some systems the same"
            message = f"the output name `{item.output_stem}` is {how} as that of `{other.key}`"
            remedy = "use what tells the items apart in `output`, such as `{{ item.key }}` or an axis"
            tally.add("output-collision", message, _output_place(checked, item), remedy, key=item.key, cause=item.job)


def every_item_fits_the_budget_per_item(checked: Checked, tally: Tally) -> None:
    limit = checked.manifest.budget.per_item
    if limit is None:
        return
    place = checked.document.place(("budget", "per_item"))
    for item in checked.items:
        if item.credits is not None and item.credits > limit:
            message = f"{item.model} costs {item.credits} credits or more, and `per_item` allows {limit}"
            remedy = "raise `per_item`, or these items will be skipped"
            tally.add("item-over-budget", message, place, remedy, severity="warning", key=item.key)


def the_budget_buys_one_item(checked: Checked, tally: Tally) -> None:
    limit = checked.manifest.budget.credits
    prices = [item.credits for item in checked.items if item.credits is not None]
    if limit is not None and prices and min(prices) > limit:
        message = f"the cheapest item costs {min(prices)} credits, and the budget is {limit}"
        place = checked.document.place(("budget", "credits"))
        tally.add("budget-too-small", message, place, "raise `budget.credits`", severity="warning")


CHECKS: Final[tuple[Check, ...]] = (
    some_item_is_wanted,
    every_model_gets_its_prompt,
    no_prompt_is_too_long,
    no_item_holds_a_secret,
    references_fit_their_model,
    no_two_items_are_the_same,
    output_names_are_safe,
    no_two_items_share_an_output_name,
    every_item_fits_the_budget_per_item,
    the_budget_buys_one_item,
)


def _takes_no_prompt(model: Model) -> bool:
    return model.complete and not model.prompt_required and model.prompt_max_chars is None


def _reference_troubles(model: Model, files: tuple[ReferenceFile, ...]) -> list[tuple[str, str, str]]:
    rule = model.reference
    if not files:
        return [
            ("missing-reference", f"{model.id} cannot be called without a reference", "add `references:` to the job")
        ]
    if rule is None:
        return [
            ("reference-not-taken", f"{model.id} takes no references", "take `references` out, or choose another model")
        ]
    troubles = [trouble for file in files if (trouble := _file_trouble(model, rule, file)) is not None]
    if rule.max_files is not None and len(files) > rule.max_files:
        message = f"{len(files)} references are too many for {model.id}"
        troubles.append(("reference-too-many-files", message, _takes(model, rule)))
    elif rule.mixes and not troubles:
        counts = Counter(file.kind for file in files)
        if not any(all(counts[kind] <= mix.get(kind, 0) for kind in counts) for mix in rule.mixes):
            mix_shown = " and ".join(f"{count} {kind} file{'s' * (count > 1)}" for kind, count in counts.items())
            message = f"{mix_shown} do not go together for {model.id}"
            troubles.append(("reference-mix", message, _takes(model, rule)))
    return troubles


def _file_trouble(model: Model, rule: ReferenceRule, file: ReferenceFile) -> tuple[str, str, str] | None:
    if rule.kinds and file.kind not in rule.kinds:
        return ("reference-kind", f"{model.id} takes no {file.kind}: `{file.path}`", _takes(model, rule))
    for limit in rule.limits:
        if limit.kind != file.kind:
            continue
        if file.mime not in limit.mime_types:
            message = f"{model.id} takes no {file.mime}: `{file.path}`"
            return ("reference-type", message, f"convert it; it takes {listed(limit.mime_types)}")
        if file.bytes > limit.max_bytes:
            message = (
                f"`{file.path}` has {file.bytes / MEGABYTE:,.1f} MB; "
                f"{model.id} takes {limit.max_bytes / MEGABYTE:,.0f} for a {file.kind}"
            )
            return ("reference-size", message, "make it smaller")
    return None


def _takes(model: Model, rule: ReferenceRule) -> str:
    return f"{model.id}: {rule.text}" if rule.text else f"see `rivya-batch models {model.id}`"


def _reference_place(checked: Checked, item: Item) -> Place | None:
    index = _job_index(checked, item)
    return checked.document.place(("jobs", index, "references"))


def _output_place(checked: Checked, item: Item) -> Place | None:
    return checked.document.place(("jobs", _job_index(checked, item), "output"))


def _job_index(checked: Checked, item: Item) -> int:
    return next(index for index, job in enumerate(checked.manifest.jobs) if job.id == item.job)
