"""Counts that are kept up change by change."""

from __future__ import annotations

from jobs.census import Census
from jobs.core import Core
from jobs.steps import Step
from tests.jobs.workbench import AMBIGUOUS, at, made_core, made_item, must_poll, must_send, seen


def census_of(core: Core) -> Census:
    return Census(core.state.records, scope="run")


def moved(census: Census, step: Step) -> list[tuple[str, float] | None]:
    return [census.moved(change) for change in step.changes]


def test_an_item_is_counted_where_it_stands() -> None:
    core = made_core(made_item())
    census = census_of(core)
    told = [census.states]
    send = must_send(core, 0)
    moved(census, send.step)
    told.append(census.states)
    moved(census, core.create_ended(send, seen(), at(1)))
    told.append(census.states)

    assert told == [{"planned": 1}, {"submitting": 1}, {"accepted": 1}]
    assert census.accepted == 1


def test_the_end_of_a_task_tells_how_long_it_took() -> None:
    core = made_core(made_item(price_class="m?x=1"))
    census = census_of(core)
    send = must_send(core, 0)
    moved(census, send.step)
    moved(census, core.create_ended(send, seen(), at(2)))
    ended = core.poll_ended(must_poll(core, 30), seen(status="succeeded", final=10, urls=("u",)), at(32))

    assert moved(census, ended) == [("m?x=1", 30.0)]
    assert census.results == {"wanted": 1}


def test_a_task_that_an_earlier_life_began_tells_no_time() -> None:
    first = made_core(made_item())
    first.create_ended(must_send(first, 0), seen(), at(2))
    later = made_core(made_item(), records=first.state.records)
    census = census_of(later)
    ended = later.poll_ended(must_poll(later, 500), seen(status="succeeded", final=10), at(500))

    assert moved(census, ended) == [None]


def test_a_result_is_counted_with_its_bytes_when_it_is_saved() -> None:
    core = made_core(made_item())
    core.create_ended(must_send(core, 0), seen(), at(2))
    core.poll_ended(must_poll(core, 30), seen(status="succeeded", final=10, urls=("u", "v")), at(32))
    census = census_of(core)
    download = core.next_download()
    assert download is not None
    saved = {"url": "u", "state": "verified", "file": "f", "bytes": 700}
    moved(census, core.download_ended(download, at(40), saved))

    assert census.results == {"wanted": 1, "verified": 1}
    assert census.saved_bytes == 700


def test_why_a_create_is_sent_again_is_known_until_it_is_accepted() -> None:
    core = made_core(made_item())
    census = census_of(core)
    send = must_send(core, 0)
    moved(census, send.step)
    moved(census, core.create_ended(send, AMBIGUOUS, at(1)))
    assert census.why(send.identity) == "connection reset"

    again = must_send(core, 100)
    moved(census, core.create_ended(again, seen(), at(101)))
    assert census.why(send.identity) == ""


def test_credits_of_an_outcome_nobody_knows_are_counted_while_it_is_unknown() -> None:
    core = made_core(made_item(), settings={"item_timeout_s": 60.0})
    census = census_of(core)
    send = must_send(core, 0)
    moved(census, send.step)
    moved(census, core.create_ended(send, seen(), at(1)))
    moved(census, core.poll_ended(must_poll(core, 100), seen(status="processing"), at(100)))
    assert (census.states, census.doubted_credits) == ({"stalled": 1}, 10)

    moved(census, core.poll_ended(must_poll(core, 300), seen(status="succeeded", final=10), at(300)))
    assert (census.states, census.doubted_credits) == ({"succeeded": 1}, 0)
