"""What one command picks of a manifest and permits: `--select`, `--exclude`, `--limit` and their like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from jobs.item import Item
from jobs.suggest import did_you_mean
from runner.errors import UsageError

__all__ = ["Choices", "Selection"]

# What makes a line of a file of picks a pattern, if no item has it as its whole key.
_SPECIAL = frozenset("*?[")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What one command picks and permits; everything that is not a setting."""

    select: tuple[str, ...] = ()
    pick_files: tuple[str, ...] = ()  # what `--select @FILE` named ...
    picks: Mapping[str, str] = field(default_factory=dict)  # ... and what they hold: an item's key, and its place
    exclude: tuple[str, ...] = ()
    limit: int | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    date: str | None = None  # YYYY-MM-DD; today when None
    allow_large: bool = False
    again: bool = False
    retry: bool = False
    halt: str | None = None  # `fail=3` or `fail=5%`
    no_download: bool = False

    @property
    def takes_all(self) -> bool:
        """No item is left out."""
        return not (self.select or self.pick_files or self.exclude or self.retry) and self.limit is None

    @property
    def are_plain(self) -> bool:
        """Every item is asked for, and none that ended is bought again."""
        return self.takes_all and not self.again


class Selection:
    """The items that the choices leave, as they go by. `keys` are those of all items, for picks from a file."""

    def __init__(self, choices: Choices, keys: Sequence[str]) -> None:
        self.taken = 0
        self.takes_all = choices.takes_all
        self._choices = choices
        self._picked = _picked(keys, choices) if choices.pick_files else set()

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Those of the next items that are asked for. A pattern meets an item's key, its job or a tag."""
        choices = self._choices
        left = items
        if choices.select or choices.pick_files:
            left = [item for item in left if item.key in self._picked or _meets(item, choices.select)]
        if choices.exclude:
            left = [item for item in left if not _meets(item, choices.exclude)]
        if choices.limit is not None:
            left = left[: max(0, choices.limit - self.taken)]
        self.taken += len(left)
        return left

    def nothing(self, keys: Sequence[str]) -> UsageError:
        """Why there is no item at all."""
        choices = self._choices
        patterns = ", ".join((*choices.select, *(f"@{name}" for name in choices.pick_files), *choices.exclude))
        return UsageError(
            f"No item is left by the selection {patterns}. Nothing was sent.",
            code="nothing-selected",
            next_step=did_you_mean((choices.select or ("",))[0], keys, "see `plan --explain`"),
        )


def _picked(keys: Sequence[str], choices: Choices) -> set[str]:
    """The keys that picks mean: a whole key, or else a pattern of keys, which a key with odd characters is written as.

    A pick that is no item any more is not passed over in silence: raises UsageError with its place.
    """
    known, picked, strange = set(keys), set[str](), list[tuple[str, str]]()
    for pick, place in choices.picks.items():
        meant = {pick} & known
        if not meant and not _SPECIAL.isdisjoint(pick):
            meant = {key for key in keys if fnmatchcase(key, pick)}
        if not meant:
            strange.append((pick, place))
        picked |= meant
    if strange:
        pick, place = strange[0]
        more = f", nor {len(strange) - 1} more of the picks" if len(strange) > 1 else ""
        raise UsageError(
            f"{place}: no item of the manifest is called `{pick}`{more}. Nothing was sent.",
            code="pick-unknown",
            next_step=did_you_mean(pick, keys, "see `plan --explain` for all keys"),
        )
    return picked


def _meets(item: Item, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in (item.key, item.job, *item.tags))
