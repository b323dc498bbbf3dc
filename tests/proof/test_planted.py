"""Bugs planted on purpose are caught. All of them in the campaign `planted`; here some that show themselves soon."""

from __future__ import annotations

import pytest

from tests.proof.planted import hunt, mutated
from tests.proof.planted_bugs import BUGS, Bug
from tests.proof.soak import CAMPAIGNS

SOON = (
    "a 5xx proves that nothing was made",
    "giving up counts as a refusal",
    "credits that are held do not count",
    "a task that takes long was free",
)


def test_every_bug_has_a_name_and_a_place_and_is_hunted() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) == CAMPAIGNS["planted"].count


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_still_finds_its_place(bug: Bug) -> None:
    assert mutated(bug).count(bug.new) >= 1
    if bug.file.endswith(".py"):
        compile(mutated(bug), bug.file, "exec")


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.name in SOON], ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug: Bug) -> None:
    assert hunt(bug) is not None
