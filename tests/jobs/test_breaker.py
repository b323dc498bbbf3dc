"""The breaker: three refusals alike stop buying what the refused items share, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from jobs.answers import Uploaded
from jobs.breaker import REFUSALS_MAX, Breaker, Shut
from jobs.item import Item
from jobs.steps import Notice, Wait
from tests.jobs.workbench import at, events_of, made_core, made_item, must_send, refused, seen


def made(index: int, *, job: str = "job", model: str = "m", **axes: object) -> Item:
    named: Mapping[str, object] = {name.replace("_", "."): value for name, value in axes.items()}
    return replace(made_item(index), job=job, model=model, axes=named)


def refuse(breaker: Breaker, items: list[Item], left: list[Item], *, message: str = "no") -> list[Shut]:
    told = [breaker.refused(item, code="validation_failed", message=message, left=left) for item in items]
    return [shut for shut in told if shut is not None]


def test_the_narrowest_thing_that_the_refused_share_is_shut_and_the_rest_goes_on() -> None:
    breaker = Breaker()
    bad = [made(n, params_duration=12, vars_style=n) for n in range(6)]
    good = [made(n, params_duration=4, vars_style=n) for n in range(10, 40)]

    (shut,) = refuse(breaker, bad[:REFUSALS_MAX], [*bad[REFUSALS_MAX:], *good])

    assert shut.what == "params.duration=12"
    assert all(breaker.why(item) is shut for item in bad)
    assert not any(breaker.why(item) for item in good)


def test_what_was_taken_once_is_never_shut() -> None:
    breaker = Breaker()
    breaker.taken(made(0, params_duration=12))
    bad = [made(n, params_duration=12) for n in range(1, 9)]

    assert refuse(breaker, bad[:7], bad[7:]) == []


def test_refusals_for_different_reasons_are_not_alike() -> None:
    breaker = Breaker()
    bad = [made(n, params_duration=12) for n in range(9)]

    told = [refuse(breaker, [item], bad[8:], message=f"prompt {n}") for n, item in enumerate(bad[:8])]

    assert not any(told)


def test_a_whole_job_is_shut_when_nothing_narrower_explains_it() -> None:
    breaker = Breaker()
    bad = [made(n, job="stills", vars_style=n) for n in range(9)]
    other = [made(n, job="clips", vars_style=n) for n in range(9)]

    (shut,) = refuse(breaker, bad[:3], [*bad[3:], *other])

    assert shut.what == "job stills"
    assert breaker.why(bad[5]) is shut
    assert breaker.why(other[5]) is None


def test_a_value_that_nothing_is_left_of_shuts_nothing_wider() -> None:
    breaker = Breaker()
    bad = [made(n, params_duration=12, vars_style=n) for n in range(3)]
    good = [made(n, params_duration=4, vars_style=n) for n in range(10, 40)]

    assert refuse(breaker, bad, good) == []


def test_what_explains_three_refusals_is_not_counted_against_the_wider_ones_any_more() -> None:
    breaker = Breaker()
    bad, worse = ([made(n, params_duration=seconds, vars_style=n) for n in range(3)] for seconds in (12, 20))
    left = [made(n, params_duration=seconds, vars_style=n) for n in range(10, 20) for seconds in (4, 12, 20)]
    refuse(breaker, bad, left)

    assert refuse(breaker, worse[:2], left) == [], "the job was refused five times, and three of them are explained"
    assert [shut.what for shut in refuse(breaker, worse[2:], left)] == ["params.duration=20"]


def test_a_run_skips_what_is_shut_says_so_and_buys_the_rest() -> None:
    bad = [made(n, params_duration=12) for n in range(5)]
    good = [made(n, params_duration=4) for n in range(5, 7)]
    core = made_core(*bad, *good, prices={"m": 10})
    notices: list[Notice] = []
    for _ in range(REFUSALS_MAX):
        send = must_send(core, 0)
        notices += core.create_ended(send, refused(400, "validation_failed"), at(0)).notices

    skipped = [core.next_create(at(1)), core.next_create(at(1))]

    assert [notice.data["what"] for notice in notices if notice.name == "shut"] == ["params.duration=12"]
    assert [events_of(step) for step in skipped] == [["skipped"], ["skipped"]]  # type: ignore[arg-type]
    assert {core.state.records[item.identity].error_code for item in bad[3:]} == {"refused_alike"}
    assert must_send(core, 2).identity == good[0].identity


def test_a_run_that_was_taken_before_goes_on_through_any_number_of_refusals() -> None:
    items = [made(n, params_duration=12) for n in range(9)]
    core = made_core(*items, prices={"m": 10})
    core.create_ended(must_send(core, 0), seen(), at(0))
    for _ in range(8):
        core.create_ended(must_send(core, 0), refused(400, "validation_failed"), at(0))

    assert not len(core.state.ready)


def test_of_two_causes_with_as_much_left_the_narrower_kind_is_shut() -> None:
    breaker = Breaker()
    bad = [made(n, params_duration=12) for n in range(9)]

    (shut,) = refuse(breaker, bad[:3], bad[3:])

    assert shut.what == "params.duration=12"


def test_items_that_wait_for_an_upload_count_as_left() -> None:
    bad = [made(n, params_duration=12) for n in range(5)]
    waiting = [replace(made(n, params_duration=8), references=made_item(references=1).references) for n in range(5, 9)]
    core = made_core(*bad, *waiting, prices={"m": 10})
    for _ in range(REFUSALS_MAX):
        core.create_ended(must_send(core, 0), refused(400, "validation_failed"), at(0))
    while not isinstance(core.next_create(at(1)), Wait):
        pass

    assert {core.state.records[item.identity].error_code for item in bad[3:]} == {"refused_alike"}
    core.lacking.uploaded("d0", Uploaded(file_id="f", url="u", kind="image", name="r", mime_type="image/png"))
    assert must_send(core, 2).identity == waiting[0].identity
