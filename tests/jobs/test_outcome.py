"""The exit code: one row per condition, first match wins."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Mapping

import pytest

from jobs.lifecycle import ItemState
from jobs.outcome import exit_code, interrupted_code
from jobs.record import Artifact, Record
from jobs.verdict import Pause


def _record(state: ItemState, *, code: str | None = None, artifacts: tuple[str, ...] = ()) -> Record:
    kept = tuple(Artifact(n=n, url="u", state=kind) for n, kind in enumerate(artifacts, 1))  # type: ignore[arg-type]
    return Record(identity="i", state=state, version=1, first_at_s=0.0, error_code=code, artifacts=kept)


FINE = _record(ItemState.SUCCEEDED, artifacts=("verified", "unverified"))
POOR = _record(ItemState.REJECTED, code="insufficient_credits")
UNPAID = _record(ItemState.SKIPPED, code="budget_exhausted")
BROKEN = _record(ItemState.FAILED, code="generation_failed")
DOUBTFUL = _record(ItemState.UNCERTAIN, code="uncertain")


@pytest.mark.parametrize(
    ("records", "pauses", "code"),
    [
        ([], [], 0),
        ([FINE], [], 0),
        ([FINE, BROKEN], [], 3),
        ([_record(ItemState.REJECTED, code="validation_failed")], [], 3),
        ([_record(ItemState.SKIPPED, code="over_per_item")], [], 3),
        ([_record(ItemState.SKIPPED, code="upload_refused")], [], 3),
        ([_record(ItemState.SUCCEEDED, artifacts=("verified", "gone"))], [], 3),
        ([_record(ItemState.SUCCEEDED, artifacts=("quarantined",))], [], 3),
        ([_record(ItemState.SUCCEEDED)], [], 3),
        ([FINE], [Pause.HALT], 3),
        ([FINE, UNPAID], [], 5),
        ([FINE, POOR], [], 5),
        ([_record(ItemState.FAILED, code="insufficient_credits")], [], 5),
        ([_record(ItemState.PLANNED)], [Pause.BUDGET], 5),
        ([_record(ItemState.PLANNED)], [Pause.CREDITS], 5),
        ([DOUBTFUL], [], 7),
        ([_record(ItemState.VANISHED)], [], 7),
        ([_record(ItemState.STALLED)], [], 7),
        ([_record(ItemState.PLANNED)], [Pause.NETWORK], 8),
        ([_record(ItemState.SUBMITTING)], [Pause.CONFIG], 8),
        ([_record(ItemState.PLANNED)], [Pause.AUTH], 4),
        ([FINE], [Pause.DISK], 9),
    ],
)
def test_an_ending_has_its_code(records: list[Record], pauses: list[Pause], code: int) -> None:
    assert exit_code(records, pauses=dict.fromkeys(pauses, "")) == code


REASONS: list[tuple[int, Record | None, Pause | None]] = [
    (9, None, Pause.DISK),
    (4, None, Pause.AUTH),
    (7, DOUBTFUL, None),
    (5, UNPAID, None),
    (8, None, Pause.NETWORK),
    (3, BROKEN, None),
]


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(REASONS, 2)))
def test_of_several_reasons_the_first_of_9_4_7_5_8_3_counts(
    first: tuple[int, Record | None, Pause | None], second: tuple[int, Record | None, Pause | None]
) -> None:
    records = [reason[1] for reason in (second, first) if reason[1] is not None]
    pauses: Mapping[Pause, str] = {reason[2]: "" for reason in (second, first) if reason[2] is not None}

    assert exit_code([FINE, *records], pauses=pauses) == first[0]


def test_a_result_left_for_another_life_can_be_had_later() -> None:
    assert exit_code([_record(ItemState.SUCCEEDED, artifacts=("wanted",))], pauses={}, left=1) == 8


def test_files_that_nobody_wanted_are_not_missing() -> None:
    gone = _record(ItemState.SUCCEEDED, artifacts=("gone",))

    assert exit_code([gone, _record(ItemState.SUCCEEDED)], pauses={}, keep=False) == 0


def test_an_interrupted_run_ends_as_a_shell_expects() -> None:
    assert (interrupted_code(signal.SIGINT), interrupted_code(signal.SIGTERM)) == (130, 143)


def test_every_pause_but_a_persons_is_a_reason_not_to_exit_0() -> None:
    """A run that a person paused ends by itself only when nothing was left to buy."""
    good = [why for why in Pause if exit_code([FINE], pauses={why: ""}) == 0]

    assert good == [Pause.PERSON]
