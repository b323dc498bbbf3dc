"""Every interleaving of small worlds: nothing is lost, paid twice or overspent, and each broken rule is found out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from jobs.steps import Now, Send
from tests.proof.exhaustive import MUST_MEET, Counterexample, explore
from tests.proof.exhaustive_bounds import Root
from tests.proof.exhaustive_core import START_S, picture, twin
from tests.proof.exhaustive_roots import ROOTS, little
from tests.proof.exhaustive_world import World
from tests.proof.mutants import MUTANTS
from tests.proof.soak import CAMPAIGNS

TWO_ITEMS = Root(says="two items", bases=(10, 10))


@pytest.fixture(scope="module")
def met() -> Counter[str]:
    return Counter()


@pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.says)
def test_no_interleaving_of_a_little_world_goes_wrong(root: Root, met: Counter[str]) -> None:
    found = explore(little(root))

    met.update(found.counts)
    assert found.states > 200, "a world in which hardly anything happens"


def test_the_little_worlds_meet_every_answer_in_doubt_and_in_none(met: Counter[str]) -> None:
    unmet = [what for what in MUST_MEET if not met[what]]

    assert not unmet


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_has_a_counterexample(name: str) -> None:
    mutant = MUTANTS[name]

    with mutant.planted(), pytest.raises(Counterexample) as found:
        explore(mutant.root)

    way = found.value.moves
    sys.stdout.write(f"\n{name} ({mutant.breaks}), {len(way)} moves in {found.value}\n")  # `pytest -s` shows them
    assert mutant.seen in found.value.what
    assert 2 <= len(way) <= 12, "a shortest way is short"
    assert f"\n  {len(way):2}  {way[-1]}\n  ->  " in str(found.value), "and it is told to its last move"


@pytest.mark.parametrize("name", MUTANTS)
def test_the_same_world_is_sound_when_the_rule_is_kept(name: str) -> None:
    """Otherwise a mutant's counterexample would prove nothing of the mutant."""
    assert explore(MUTANTS[name].root, states_max=150).states >= 150


def test_a_mutant_leaves_nothing_behind() -> None:
    root = MUTANTS["5xx releases"].root
    before = explore(root, states_max=300)

    for mutant in MUTANTS.values():
        with mutant.planted():
            pass

    assert explore(root, states_max=300) == before


def test_an_exploration_is_the_same_in_every_process() -> None:
    """Whatever order sets have there."""
    program = (
        "from tests.proof.exhaustive import explore\n"
        "from tests.proof.exhaustive_roots import ROOTS, little\n"
        "print(explore(little(ROOTS[18])))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("0", "77")
    ]

    assert told == [str(explore(little(ROOTS[18])))] * 2


def test_the_campaign_plays_every_world() -> None:
    assert CAMPAIGNS["exhaustive"].count == len(ROOTS)


def test_a_twin_moves_by_itself() -> None:
    core = World(TWO_ITEMS, Counter(), {}).core
    assert core is not None
    before, now = picture(core, START_S), Now(START_S, START_S)

    other = twin(core)
    assert isinstance(other.next_create(now), Send)

    assert picture(core, START_S) == before
    assert picture(other, START_S) != before


def test_a_twin_looks_the_same_and_keeps_what_its_parts_share() -> None:
    core = World(TWO_ITEMS, Counter(), {}).core
    assert core is not None

    other = twin(core)

    assert picture(other, START_S) == picture(core, START_S)
    assert other._buying._state is other._watching._state is other.state
    assert other.state is not core.state


def test_a_picture_does_not_depend_on_when_it_is_taken() -> None:
    core = World(TWO_ITEMS, Counter(), {}).core
    assert core is not None
    later_s = START_S + 500.0
    earlier, later = twin(core), twin(core)

    earlier.next_create(Now(START_S, START_S))
    later.next_create(Now(later_s, later_s))

    assert picture(earlier, START_S) == picture(later, later_s)
    assert picture(earlier, START_S) != picture(earlier, later_s), "an intent that grew old has another future"
