"""The core on its own: what stops a run, what waits for references, and what is left to save."""

from __future__ import annotations

import pytest

from jobs.answers import Uploaded
from jobs.core import DOWNLOAD_BACKLOG_MAX
from jobs.lifecycle import EventType, ItemState
from jobs.record import rebuys
from jobs.steps import Send, Step
from jobs.verdict import Pause
from tests.jobs.core_steps import ACCEPTED, OPENED, SUCCEEDED, bought, state_of, waits_s
from tests.jobs.workbench import (
    NOT_SENT,
    at,
    folded,
    made_core,
    made_item,
    must_send,
    refused,
    seen,
)

E, S = EventType, ItemState


# Filling


def test_a_great_many_items_are_admitted_as_each_by_itself_would_be() -> None:
    items = [made_item(0, references=1), *(made_item(n, price_class="mn"[n % 2]) for n in range(1, 9))]
    wanted = [(item, folded(item.identity)) for item in items]
    at_once, one_by_one = made_core(prices={"m": 10, "n": 10}), made_core(prices={"m": 10, "n": 10})
    at_once.admit_planned(iter(wanted))
    for item, record in wanted:
        one_by_one.admit(item, record, at(0))

    assert list(at_once.state.items.items()) == list(one_by_one.state.items.items()) != []
    assert at_once.state.records == one_by_one.state.records
    assert (at_once.state.missing, at_once.lacking.wanted()) == (one_by_one.state.missing, one_by_one.lacking.wanted())
    assert at_once.state.missing.keys() == {items[0].identity}
    sends = [(at_once.next_create(at(seconds)), one_by_one.next_create(at(seconds))) for seconds in range(8)]
    assert all(one == other for one, other in sends)
    assert [type(one) for one, _ in sends].count(Send) > 2


def test_what_was_bought_before_is_not_taken_for_new() -> None:
    item = made_item(0)

    with pytest.raises(AssertionError, match="nothing was done"):
        made_core().admit_planned([(item, folded(item.identity, OPENED))])


# Trouble


def test_a_refused_key_stops_everything_and_keeps_the_attempt_open() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    bought(core, 0, end=refused(401, "api_key_revoked"))

    assert core.finished()
    assert (state_of(core), core.state.books.reserved) == (S.SUBMITTING, 10)
    assert waits_s(core.next_create(at(1000))) is None


def test_a_wrong_address_holds_every_open_create_also_those_that_end_later() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10})
    first, second, third = (must_send(core, 0) for _ in range(3))
    core.create_ended(first, refused(500), at(0))
    core.create_ended(second, refused(302), at(0))
    core.create_ended(third, refused(429), at(1))

    assert core.finished()
    assert {state_of(core, n) for n in range(3)} == {S.SUBMITTING}
    assert core.state.books.reserved == 30


def test_nobody_there_for_five_minutes_ends_the_life() -> None:
    core = made_core(made_item())
    seconds = 0.0
    while not core.finished():
        answer = core.next_create(at(seconds))
        if isinstance(answer, Send):
            core.create_ended(answer, NOT_SENT, at(seconds))
        else:
            seconds = waits_s(answer) or seconds
    assert 300 <= seconds <= 400
    core.leave_unbought(at(seconds))
    assert set(core.state.pauses) == {Pause.NETWORK}
    assert state_of(core) is S.REJECTED, "no byte of it ever left, so its credits are free again"
    assert core.state.books.reserved == 0
    assert rebuys(core.state.records["i1-0"], resubmit_failed=0)


def test_a_silence_that_nobody_tried_to_break_is_not_an_outage() -> None:
    core = made_core(made_item())
    bought(core, end=refused(429, retry_after_s=900.0))
    core.create_ended(must_send(core, 950), NOT_SENT, at(950))

    assert not core.state.pauses


def test_halt_stops_buying_after_so_many_failures() -> None:
    core = made_core(*(made_item(n) for n in range(3)), prices={"m": 10}, settings={"halt_after": 2})
    for n in range(2):
        bought(core, n, end=refused(400, "validation_failed"))

    assert (core.finished(), list(core.state.pauses)) == (True, [Pause.HALT])
    assert state_of(core, 2) is S.PLANNED


def test_a_stop_starts_nothing_and_waits_for_what_has_left() -> None:
    core = made_core(made_item(0), made_item(1), prices={"m": 10})
    send = must_send(core, 0)
    core.stop()

    assert (waits_s(core.next_create(at(0))), core.finished()) == (None, False)
    core.create_ended(send, seen(), at(1))
    assert core.finished()
    assert waits_s(core.next_poll(at(100))) is None


# References and results


def _held(digest: str) -> Uploaded:
    return Uploaded(
        file_id=digest,
        url=f"https://x.test/{digest}",
        kind="image",
        name="r",
        mime_type="image/png",
        duration_s=2.5,
        duration_token="tok",
    )


def test_an_item_waits_for_all_its_references_and_others_do_not() -> None:
    core = made_core(made_item(0, references=2), made_item(1))
    assert core.lacking.wanted() == ["d0", "d1"]
    assert must_send(core, 0).identity == "i1-1"
    core.state.price_seen("m", 10)
    core.lacking.uploaded("d0", _held("d0"))
    assert waits_s(core.next_create(at(0))) is None
    assert not core.finished()
    core.lacking.uploaded("d1", _held("d1"))

    body = must_send(core, 0).step.changes[0].body
    assert body is not None
    assert b'"durationSeconds":2.5,"durationToken":"tok"' in body
    assert body.index(b"/d0") < body.index(b"/d1")


def test_an_upload_that_failed_skips_the_items_that_need_it() -> None:
    core = made_core(made_item(0, references=2), made_item(1, references=1))
    step = core.lacking.failed("d1", at(0), code="refused", message="not an image")

    assert [change.record.identity for change in step.changes] == ["i1-0"]
    assert core.lacking.wanted() == ["d0"]
    core.lacking.failed("d0", at(0), code="refused", message="not an image")
    assert core.finished()


def test_what_lacks_references_that_only_others_can_bring_is_left_to_them() -> None:
    core = made_core(made_item(0, references=2), made_item(1, references=1))

    assert core.lacking.leave() == {"i1-0", "i1-1"}
    assert core.lacking.wanted() == []
    assert core.finished()
    core.lacking.uploaded("d0", _held("d0"))
    assert waits_s(core.next_create(at(0))) is None


def test_results_are_saved_oldest_first_and_only_what_is_missing() -> None:
    saved = (E.SAVED, {"n": 1, "url": "u1", "state": "verified"})
    core = made_core(made_item(), records={"i1-0": folded("i1-0", OPENED, ACCEPTED, SUCCEEDED, saved)})
    assert not core.finished()
    download = core.next_download()

    assert download is not None
    assert (download.n, download.url, download.task_id) == (2, "u2", "task_1")
    assert core.next_download() is None
    assert not core.finished()
    assert [one.name for one in core.download_left(download, "HTTP 503", disk=False).notices] == ["left"]
    assert core.finished()
    assert core.download_left(download, "HTTP 503", disk=False) == Step()  # told once
    core.download_left(download, "the disk is full", disk=True)
    assert core.state.pauses == {Pause.DISK: "the disk is full"}


def test_nobody_saves_what_nobody_wants() -> None:
    record = folded("i1-0", OPENED, ACCEPTED, SUCCEEDED)

    assert made_core(made_item(), records={"i1-0": record}, settings={"save_results": False}).finished()


def test_a_heap_of_unsaved_results_stops_new_purchases_but_no_open_one() -> None:
    many = (E.SUCCEEDED, {"charge": 10, "urls": [str(n) for n in range(DOWNLOAD_BACKLOG_MAX)]})
    core = made_core(made_item(0), made_item(1), records={"i1-0": folded("i1-0", OPENED)}, prices={"m": 10})
    core.admit(made_item(2), folded("i1-2", OPENED, ACCEPTED, many), at(0))

    assert must_send(core, 0).identity == "i1-0"
    assert waits_s(core.next_create(at(0))) is None
    core.next_download()
    assert must_send(core, 0).identity == "i1-1"
