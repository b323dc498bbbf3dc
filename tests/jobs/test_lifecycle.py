"""The state machine: what is in the table moves, everything else raises and changes nothing."""

from __future__ import annotations

import itertools

import pytest

from jobs.lifecycle import HELD, OPEN, TABLE, EventType, IllegalMove, ItemState, after

STATES: list[ItemState | None] = [None, *ItemState]
LEGAL = [(state, event, follows) for state, row in TABLE.items() for event, follows in row.items()]
ILLEGAL = [pair for pair in itertools.product(STATES, EventType) if pair[1] not in TABLE[pair[0]]]
ENDED = (ItemState.SUCCEEDED, ItemState.FAILED, ItemState.REJECTED, ItemState.SKIPPED)


def test_every_state_has_a_row() -> None:
    assert set(TABLE) == set(STATES)


@pytest.mark.parametrize(("state", "event", "follows"), LEGAL)
def test_a_legal_event_moves(state: ItemState | None, event: EventType, follows: ItemState) -> None:
    assert after(state, event) is follows


@pytest.mark.parametrize(("state", "event"), ILLEGAL)
def test_an_illegal_event_raises(state: ItemState | None, event: EventType) -> None:
    with pytest.raises(IllegalMove, match=event.value):
        after(state, event)


def test_every_state_can_be_reached_and_every_event_can_happen() -> None:
    reached: set[ItemState | None] = {None}
    while grown := {follows for state, _, follows in LEGAL if state in reached} - reached:
        reached |= grown

    assert reached == set(STATES)
    assert {event for _, event, _ in LEGAL} == set(EventType)


def test_an_attempt_opens_only_where_the_last_one_came_to_a_definite_end() -> None:
    opens = {state for state, event, _ in LEGAL if event is EventType.INTENT}

    assert opens == {ItemState.PLANNED, *ENDED}
    assert not opens & HELD


@pytest.mark.parametrize("state", ENDED)
def test_an_end_is_left_only_by_buying_again(state: ItemState) -> None:
    leaving = {event for event, follows in TABLE[state].items() if follows is not state}

    assert leaving <= {EventType.INTENT, EventType.SKIPPED, EventType.PLANNED}
    if state in {ItemState.SUCCEEDED, ItemState.FAILED}:
        assert leaving == {EventType.INTENT}


@pytest.mark.parametrize("state", sorted(HELD))
def test_what_may_cost_money_ends_only_by_evidence_or_a_person(state: ItemState) -> None:
    ends = {event for event, follows in TABLE[state].items() if follows not in HELD}

    assert ends <= {EventType.SUCCEEDED, EventType.FAILED, EventType.REJECTED, EventType.WRITTEN_OFF}


def test_an_uncertain_attempt_moves_by_a_persons_word_only() -> None:
    assert set(TABLE[ItemState.UNCERTAIN]) == {EventType.ACCEPTED, EventType.REJECTED, EventType.WRITTEN_OFF}


def test_what_is_open_holds_its_credits() -> None:
    assert OPEN < HELD


def test_the_states_are_the_documented_words() -> None:
    words = "planned submitting accepted succeeded failed rejected skipped uncertain vanished stalled"

    assert {state.value for state in ItemState} == set(words.split())
