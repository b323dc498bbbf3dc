"""What has to hold for the items of a run, one small function per rule.

Adding a rule is adding a function to CHECKS, a paragraph to `jobs.codes` and a manifest to `manifests/broken`. A check
tells its tally what it found; many items of one cause become one finding there. Items go by and are not kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from jobs.catalogue import Catalogue, Model, ReferenceRule
from jobs.findings import Place
from jobs.hashes import Hashes
from jobs.item import Item, ReferenceFile
from jobs.leaks import is_secret_text
from jobs.manifest import Manifest
from jobs.names import bad_name, collision_key
from jobs.tally import Tally
from jobs.wording import listed
from jobs.yaml12 import Document

__all__ = ["CHECKS", "Check", "Inspection", "Looked", "prompt_length"]

MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What items are looked at beside. `pairs` of a model and its files are looked at once."""

    document: Document
    manifest: Manifest
    catalogue: Catalogue
    pairs: dict[tuple[str, tuple[str, ...]], list[tuple[str, str, str]]] = field(default_factory=dict)


Check = Callable[[Looked, Item, Tally], None]


def prompt_length(prompt: str) -> int:
    """Characters as the stricter of the two ways to count them: an emoji is one code point and two UTF-16 units."""
    return len(prompt) if prompt.isascii() else len(prompt.encode("utf-16-le", errors="surrogatepass")) // 2


def every_model_gets_its_prompt(looked: Looked, item: Item, tally: Tally) -> None:
    model = looked.catalogue.models[item.model]
    if model.prompt_required and not (item.prompt or "").strip():
        remedy = "add `prompt:` to the job"
        tally.add("missing-prompt", f"{model.id} needs a prompt", item.place, remedy, key=item.key)
    elif item.prompt and _takes_no_prompt(model):
        remedy = "take it out; everything it needs is in its params"
        message = f"{model.id} takes no prompt"
        tally.add("prompt-not-taken", message, item.place, remedy, severity="warning", key=item.key)


def no_prompt_is_too_long(looked: Looked, item: Item, tally: Tally) -> None:
    limit = looked.catalogue.models[item.model].prompt_max_chars
    if limit is None or not item.prompt or len(item.prompt) * 2 <= limit:
        return
    length = prompt_length(item.prompt)
    if length > limit:
        message = f"the prompt has {length:,} characters; {item.model} takes {limit:,}"
        tally.add("prompt-too-long", message, item.place, "shorten it", key=item.key, cause=item.model)


def no_item_holds_a_secret(_: Looked, item: Item, tally: Tally) -> None:
    """Rows and variables are no part of the manifest, and their values end up in the ledger and in file names."""
    words = (item.key, item.output_stem, item.edition, *item.tags)
    if not is_secret_text("\n".join((item.prompt or "", *words))):  # no key goes on over a line's end
        return
    if item.prompt is not None and is_secret_text(item.prompt):
        where = "the prompt"
    elif any(map(is_secret_text, words)):
        where = "an item's name, edition or tag"
    else:
        return
    remedy = "take it out of the text or the data, and replace the key: it may have been seen"
    tally.add("prompt-secret", f"{where} holds what looks like a secret key", item.place, remedy)


def references_fit_their_model(looked: Looked, item: Item, tally: Tally) -> None:
    """Number, kinds, sizes and types; each distinct pair of a model and its files is looked at once."""
    model = looked.catalogue.models[item.model]
    if not item.references and not model.requires_upload:
        return
    pair = (item.model, tuple(file.location for file in item.references))
    if pair not in looked.pairs:
        looked.pairs[pair] = _reference_troubles(model, item.references)
    for code, message, remedy in looked.pairs[pair]:
        tally.add(code, message, _place_in_job(looked, item, "references"), remedy, key=item.key)


def output_names_are_safe(looked: Looked, item: Item, tally: Tally) -> None:
    reason = bad_name(item.output_stem)
    if reason is not None:
        remedy = "mend the `output` template; values become slugs by themselves"
        place = _place_in_job(looked, item, "output")
        tally.add("output-name", f"the output name {reason}", place, remedy, key=item.key)


def every_item_fits_the_budget_per_item(looked: Looked, item: Item, tally: Tally) -> None:
    limit = looked.manifest.budget.per_item
    if limit is not None and item.credits is not None and item.credits > limit:
        message = f"{item.model} costs {item.credits} credits or more, and `per_item` allows {limit}"
        remedy = "raise `per_item`, or these items will be skipped"
        place = looked.document.place(("budget", "per_item"))
        tally.add("item-over-budget", message, place, remedy, severity="warning", key=item.key)


# Rules of one item, in the order in which they are told; those of all items together are told where `Inspection` says.
CHECKS: Final[tuple[Check, ...]] = (
    every_model_gets_its_prompt,
    no_prompt_is_too_long,
    no_item_holds_a_secret,
    references_fit_their_model,
    output_names_are_safe,
    every_item_fits_the_budget_per_item,
)


class Inspection:
    """Looks at each item as it goes by, and keeps of it what a whole run needs: a few bytes.

    Two equal items are found by equal hashes of 64 bits. Where there are such, the items are made once more to see
    whether they are equal indeed: two of a million that differ share one about once in 40 million runs.
    """

    def __init__(self, looked: Looked) -> None:
        self.items = 0
        self._looked = looked
        self._tallies = {check: Tally() for check in CHECKS}
        self._each = tuple(self._tallies.items())
        self._identities = Hashes()
        self._names = Hashes()
        self._cheapest: int | None = None

    def see(self, item: Item) -> None:
        self.items += 1
        for check, tally in self._each:
            check(self._looked, item, tally)
        self._identities.add(item.identity)
        self._names.add(collision_key(item.output_stem))
        if item.credits is not None and (self._cheapest is None or item.credits < self._cheapest):
            self._cheapest = item.credits

    def end(self, items: Iterable[Item], tally: Tally, *, complete: bool) -> None:
        """Tell everything, in order. `complete` is False when some cells became no item because of an error."""
        self._tell_none(tally, complete=complete)
        for check in CHECKS:
            if check is output_names_are_safe:
                _tell_equal_items(self._identities.doubled(), items, tally)
            tally.take(self._tallies[check])
            if check is output_names_are_safe:
                _tell_equal_names(self._looked, self._names.doubled(), items, tally)
        self._tell_budget(tally)

    def _tell_none(self, tally: Tally, *, complete: bool) -> None:
        if not self.items and complete:
            place = self._looked.document.place(("jobs",))
            remedy = "look at `enabled`, `where`, `limit` and `exclude`"
            tally.add("no-items", "the manifest expands to no item at all", place, remedy)

    def _tell_budget(self, tally: Tally) -> None:
        limit = self._looked.manifest.budget.credits
        if limit is not None and self._cheapest is not None and self._cheapest > limit:
            message = f"the cheapest item costs {self._cheapest} credits, and the budget is {limit}"
            place = self._looked.document.place(("budget", "credits"))
            tally.add("budget-too-small", message, place, "raise `budget.credits`", severity="warning")


def _tell_equal_items(doubled: frozenset[int], items: Iterable[Item], tally: Tally) -> None:
    first: dict[str, Item] = {}
    for item in items if doubled else ():
        if hash(item.identity) not in doubled:
            continue
        other = first.setdefault(item.identity, item)
        if other is not item:
            line = f" on line {other.place.line}" if other.place is not None else ""
            message = f"this is the same item as `{other.key}`{line}: equal model, prompt, params and references"
            remedy = "change one of them; for several results of one prompt use `repeat`"
            tally.add("item-twice", message, item.place, remedy, key=item.key, cause=other.job)


def _tell_equal_names(looked: Looked, doubled: frozenset[int], items: Iterable[Item], tally: Tally) -> None:
    """Also when only some systems take the names for one: other case, other composition of accents."""
    first: dict[str, Item] = {}
    for item in items if doubled else ():
        name = collision_key(item.output_stem)
        if hash(name) not in doubled:
            continue
        other = first.setdefault(name, item)
        if other is not item and other.identity != item.identity:
            how = "the same" if other.output_stem == item.output_stem else "for some systems the same"
            message = f"the output name `{item.output_stem}` is {how} as that of `{other.key}`"
            remedy = "use what tells the items apart in `output`, such as `{{ item.key }}` or an axis"
            place = _place_in_job(looked, item, "output")
            tally.add("output-collision", message, place, remedy, key=item.key, cause=item.job)


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


def _place_in_job(looked: Looked, item: Item, *path: str) -> Place:
    index = next(index for index, job in enumerate(looked.manifest.jobs) if job.id == item.job)
    return looked.document.place(("jobs", index, *path))
