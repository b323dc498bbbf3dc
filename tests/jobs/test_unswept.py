"""What a run fills up with is not looked at while it comes, and counts as old as soon as it is there."""

from __future__ import annotations

import gc

import pytest

from jobs.unswept import unswept


class Thing:
    """Something that the collector knows of."""


def test_nothing_is_collected_meanwhile() -> None:
    with unswept():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_what_was_made_meanwhile_is_old_at_once_and_can_still_be_collected() -> None:
    with unswept():
        made = [Thing() for _ in range(10)]
    old = {id(thing) for thing in gc.get_objects(generation=2)}

    assert all(id(thing) in old for thing in made)
    assert gc.get_freeze_count() == 0


def test_who_had_it_off_or_things_frozen_finds_both_as_they_were() -> None:
    gc.freeze()
    frozen = gc.get_freeze_count()
    gc.disable()
    try:
        with unswept():
            pass
        assert not gc.isenabled()
        assert gc.get_freeze_count() > frozen // 2, "some die meanwhile, but none is let go"
        gc.enable()
        with unswept():
            pass
        assert gc.get_freeze_count() > frozen // 2
    finally:
        gc.unfreeze()
        gc.enable()


def test_trouble_leaves_it_on() -> None:
    with pytest.raises(RuntimeError), unswept():
        raise RuntimeError
    assert gc.isenabled()
