"""How old a key is when clocks disagree: by the clock that makes it oldest; only the service's own word is one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jobs.answers import Phase, SendEnd
from jobs.lifecycle import EventType, ItemState
from jobs.record import Record
from jobs.steps import Step
from tests.jobs.workbench import INTENT, START, at, folded, made_core, made_item, refused

HOUR_S = 3600.0


def opened(*, server_at_s: float = START) -> Record:
    """An intent of an earlier life, written at second 0 by our clock, and at `server_at_s` by the service's."""
    return folded("i1-0", (EventType.INTENT, {**INTENT, "server_at_s": server_at_s}))


def told(epoch_s: float, status: int = 200) -> SendEnd:
    return SendEnd(phase=Phase.ANSWERED, status=status, server_epoch_s=epoch_s)


def test_a_service_that_tells_its_time_late_can_still_make_a_key_too_old() -> None:
    core = made_core(made_item(), records={"i1-0": opened(server_at_s=START + 7.0)})
    core.state.contact(told(START + 1.5 * HOUR_S), at(1))  # our clock was set back meanwhile

    step = core.next_create(at(2))

    assert isinstance(step, Step)
    assert core.state.records["i1-0"].state is ItemState.UNCERTAIN


@pytest.mark.parametrize("status", [502, 503, 404])
def test_what_stands_in_front_of_the_service_does_not_tell_its_time(status: int) -> None:
    core = made_core(made_item())
    core.state.contact(told(START + HOUR_S), at(0))
    core.state.contact(told(START, status), at(1))

    assert core.state.server_s(at(1)) == START + HOUR_S + 1.0


def test_a_refusal_in_the_services_own_words_tells_its_time() -> None:
    core = made_core(made_item())
    core.state.contact(replace(refused(429, "rate_limited"), server_epoch_s=START + 50.0), at(0))

    assert core.state.server_s(at(0)) == START + 50.0
