"""The flags of `plan`, `run` and `retry`: what to pick, how much to spend, how fast to go."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from runner.cli.loading import settings_for
from runner.cli.naming import complete_selection
from runner.cli.picks import read_picks
from runner.cli.voice import Voice
from runner.errors import UsageError
from runner.halting import halt_after
from runner.saved_plan import SETTING_FLAGS, Flags, SavedPlan
from runner.selection import Choices
from runner.settings import ENGINES, Settings

__all__ = ["Asked", "choosing"]

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the flags of one command say."""

    choices: Choices
    flags: Flags  # those that are settings

    def settings(self, voice: Voice, *, beside: Path) -> Settings:
        """The settings of this command."""
        return settings_for(voice, beside=beside, **self.flags)

    def of_plan(self, saved: SavedPlan) -> Asked:
        """What a saved plan asked for. It is run as it was shown, so nothing but a flag of settings may be added."""
        if self.choices != Choices():
            raise UsageError(
                f"{saved.path} is run exactly as it was shown; {self._chosen()} cannot change it. Nothing was sent.",
                next_step=f"make another plan with `rivya-batch plan {saved.manifest} -o plan.json`",
            )
        given = {name: value for name, value in self.flags.items() if value is not None}
        return Asked(choices=saved.choices, flags={**saved.flags, **given})

    def once(self) -> Asked:
        """The same without `--again`: what goes on with a run must not buy everything anew."""
        return replace(self, choices=replace(self.choices, again=False))

    def on(self, day: str | None) -> Asked:
        """The same for this day: a run that depends on it goes on with the same one after midnight."""
        return replace(self, choices=replace(self.choices, date=day or self.choices.date))

    @property
    def budget(self) -> int | None:
        """What `--budget` says; settings have refused it if it is no number."""
        said = self.flags.get("budget")
        return None if said is None else int(said)

    def without_budget(self) -> Asked:
        """The same with whatever other layers set."""
        return replace(self, flags={**self.flags, "budget": None})

    def words(self) -> list[str]:
        """These flags as they are typed."""
        picked = self.choices
        values: list[tuple[str, object]] = [(name.replace("_", "-"), value) for name, value in self.flags.items()]
        values += [("select", glob) for glob in picked.select] + [("select", f"@{name}") for name in picked.pick_files]
        values += [("exclude", glob) for glob in picked.exclude]
        values += [("limit", picked.limit)]
        values += [("var", f"{name}={value}") for name, value in picked.variables.items()]
        values += [("date", picked.date), ("halt", picked.halt)]
        switches = [
            ("no-download", picked.no_download),
            ("allow-large", picked.allow_large),
            ("again", picked.again),
        ]
        with_values = [word for name, value in values if value is not None for word in (f"--{name}", str(value))]
        return [*with_values, *(f"--{name}" for name, is_on in switches if is_on)]

    def _chosen(self) -> str:
        return ", ".join(word for word in replace(self, flags={}).words() if word.startswith("--"))

    def retrying(self) -> Asked:
        """The same, and what failed is bought again."""
        return replace(self, choices=replace(self.choices, retry=True))


_OPTIONS = (
    click.option("--budget", metavar="N", help="Never spend more than N credits; the lowest budget set counts."),
    click.option("--creates", metavar="RATE", help="Create at most so many tasks, such as 30/min."),
    click.option("--polls", metavar="RATE", help="Ask at most so often for statuses, such as 5/s."),
    click.option("--in-flight", metavar="N", help="Have at most N tasks under way."),
    click.option("--engine", type=click.Choice(ENGINES), help="Who does the work: this process, or workers."),
    click.option(
        "--select",
        metavar="GLOB|@FILE",
        multiple=True,
        shell_complete=complete_selection,
        help="Only items whose key, job or tag fits, or whose keys a file lists, one a line; repeatable.",
    ),
    click.option("--exclude", metavar="GLOB", multiple=True, help="Not these; repeatable."),
    click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Only the first N items."),
    click.option("--var", metavar="K=V", multiple=True, help="Set a variable of the manifest; repeatable."),
    click.option("--date", metavar="YYYY-MM-DD", help="What `run.date` is.  [default: today]"),
    click.option("--halt", metavar="fail=N|fail=P%", help="Buy nothing more after so many failures."),
    click.option("--no-download", is_flag=True, help="Leave the results at the service."),
    click.option("--allow-large", is_flag=True, help="Permit more than 10,000 items."),
    click.option("--again", is_flag=True, help="Buy everything selected a second time."),
)


def choosing(function: Callable[..., object]) -> Callable[..., object]:
    """Give a verb these flags, and hand it one `Asked` for all of them."""

    @functools.wraps(function)
    def with_asked(*args: object, **given: Any) -> object:
        return function(*args, asked=_asked(given), **given)

    wrapped: Callable[..., object] = with_asked
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped


def _asked(given: dict[str, Any]) -> Asked:
    """Take the flags of this file out of what click parsed."""
    selected = given.pop("select")
    pick_files = tuple(text[1:] for text in selected if text.startswith("@"))
    choices = Choices(
        select=tuple(text for text in selected if not text.startswith("@")),
        pick_files=pick_files,
        picks=read_picks(pick_files),
        exclude=tuple(given.pop("exclude")),
        limit=given.pop("limit"),
        variables=_variables(given.pop("var")),
        date=_date(given.pop("date")),
        halt=_halt(given.pop("halt")),
        no_download=given.pop("no_download"),
        allow_large=given.pop("allow_large"),
        again=given.pop("again"),
    )
    flags = {name: given.pop(name) for name in SETTING_FLAGS}
    return Asked(choices=choices, flags=flags)


def _variables(pairs: Sequence[str]) -> dict[str, str]:
    variables = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not _VARIABLE.fullmatch(name):
            raise UsageError(f"--var {pair} sets nothing.", next_step="write --var name=value")
        variables[name] = value
    return variables


def _date(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise UsageError(f"--date {text!r} is no day.", next_step="write it as --date 2026-01-31") from None


def _halt(text: str | None) -> str | None:
    """Looked at before anything is shown or asked; how many items it means is known once they are counted."""
    halt_after(text, 1)
    return text
