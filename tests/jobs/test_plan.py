"""The plan: what a run would do with each item, and why."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from jobs.item import Item
from jobs.lifecycle import EventType
from jobs.plan import (
    Explaining,
    Matching,
    Pace,
    Plan,
    Planning,
    Standing,
    identities_digest,
    plan_of,
    seconds_to_finish,
)
from jobs.record import Money, Record
from jobs.steps import Send
from tests.jobs.workbench import INTENT, at, folded, made_core, made_item

E = EventType
PACE = Pace(creates_per_s=1.0, in_flight=10, category_of={"m": "image", "n": "video"})


@dataclass(frozen=True, kw_only=True)
class _Past:
    """An item of an earlier life."""

    identity: str
    key: str
    job: str = "job"
    model: str = "m"
    prompt: str | None = "prompt"
    params: Mapping[str, object] = field(default_factory=dict)
    reference_digests: tuple[str, ...] = ()
    repeat: int = 1
    edition: str = ""
    axes: Mapping[str, object] = field(default_factory=dict)


def _cell(duration: int, **changed: object) -> Item:
    plain = replace(
        made_item(duration),
        key=f"job/params.duration={duration}",
        prompt="prompt",
        params={"duration": str(duration)},
        axes={"params.duration": duration},
    )
    return replace(plain, **changed)  # type: ignore[arg-type]


def _past(item: Item, **changed: object) -> _Past:
    plain = _Past(
        identity=item.identity,
        key=item.key,
        job=item.job,
        model=item.model,
        prompt=item.prompt,
        params=item.params,
        reference_digests=tuple(reference.sha256 for reference in item.references),
        repeat=item.repeat,
        edition=item.edition,
        axes=item.axes,
    )
    return replace(plain, **changed)  # type: ignore[arg-type]


def _plan(
    items: Sequence[Item],
    *,
    records: Mapping[str, Record] | None = None,
    past: Sequence[_Past] = (),
    prices: Mapping[str, int] | None = None,
    known_uploads: frozenset[str] = frozenset(),
    resubmit_failed: int = 0,
    retry: bool = False,
    again: bool = False,
) -> Plan:
    known = records or {}
    matching = Matching(prices=prices or {}, resubmit_failed=resubmit_failed, retry=retry, again=again)
    planning = Planning(matching)
    planning.see((item, known.get(item.identity)) for item in items)
    return plan_of(
        planning,
        run_id="run",
        items=tuple(Explaining(matching, past).planned(items, known)),
        known_uploads=known_uploads,
        books=Money(),
        cap_credits=100,
        missing=0,
        position=0,
        pace=PACE,
    )


def _reasons(plan: Plan) -> list[str]:
    return [planned.reason for planned in plan.items]


def test_on_a_first_run_everything_is_new() -> None:
    plan = _plan([_cell(4), _cell(8)])

    assert _reasons(plan) == ["first run", "first run"]
    assert (plan.count(Standing.NEW), plan.count(Standing.OPEN), plan.count(Standing.DONE)) == (2, 0, 0)


def test_a_value_added_to_an_axis_is_named() -> None:
    done = folded("i1-4", (E.INTENT, INTENT), (E.ACCEPTED, {"task_id": "t"}), (E.SUCCEEDED, {"charge": 1}))
    plan = _plan([_cell(4), _cell(16)], past=[_past(_cell(4)), _past(_cell(8))], records={"i1-4": done})

    assert _reasons(plan) == ["succeeded", "params.duration=16 is new"]


def test_two_known_values_that_never_met_are_a_new_combination() -> None:
    one = _cell(4, identity="a", key="job/a", axes={"x": 1, "y": 1})
    other = _cell(4, identity="b", key="job/b", axes={"x": 2, "y": 2})
    both = _cell(4, identity="c", key="job/c", axes={"x": 1, "y": 2})

    assert _reasons(_plan([both], past=[_past(one), _past(other)])) == ["a new combination"]


def test_values_of_different_types_are_different_values() -> None:
    text = _cell(4, identity="b", key="job/b", axes={"params.duration": "4"})

    assert _reasons(_plan([text], past=[_past(_cell(4))])) == ["params.duration=4 is new"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"prompt": "other"}, "prompt changed"),
        ({"model": "n"}, "model m -> n"),
        ({"params": {"duration": "5"}}, "params.duration 4 -> 5"),
        ({"params": {}}, "params.duration 4 -> unset"),
        ({"params": {"duration": "4", "seed": 1}}, "params.seed unset -> 1"),
        ({"references": made_item(0, references=1).references}, "references changed"),
        ({"repeat": 2}, "repeat 1 -> 2"),
        ({"edition": "may"}, "edition empty -> may"),
        ({"prompt": "other", "edition": "may"}, "prompt changed; edition empty -> may"),
    ],
)
def test_an_item_of_a_known_name_says_what_changed(changed: dict[str, object], reason: str) -> None:
    now = _cell(4, identity="other", **changed)

    assert _reasons(_plan([now], past=[_past(_cell(4))])) == [reason]


def test_a_known_item_that_was_never_bought_says_so() -> None:
    assert _reasons(_plan([_cell(4)], past=[_past(_cell(4))], records={"i1-4": folded("i1-4")})) == ["not bought yet"]


def test_a_new_job_is_named() -> None:
    assert _reasons(_plan([_cell(4, job="b", key="b/1")], past=[_past(_cell(4))])) == ["job b is new"]


OPENED = (E.INTENT, INTENT)
ACCEPTED = (E.ACCEPTED, {"task_id": "task_7"})
DOUBTED = (E.UNCERTAIN, {"reason": "?"})
HISTORIES: dict[str, tuple[tuple[EventType, Mapping[str, object]], ...]] = {
    "planned": (),
    "submitting": (OPENED,),
    "accepted": (OPENED, ACCEPTED),
    "succeeded": (OPENED, ACCEPTED, (E.SUCCEEDED, {"charge": 1})),
    "failed": (OPENED, ACCEPTED, (E.FAILED, {"charge": 0, "code": "generation_failed"})),
    "poor_task": (OPENED, ACCEPTED, (E.FAILED, {"charge": 0, "code": "insufficient_credits"})),
    "rejected": (OPENED, (E.REJECTED, {"code": "validation_failed"})),
    "poor": (OPENED, (E.REJECTED, {"code": "insufficient_credits"})),
    "skipped": ((E.SKIPPED, {"code": "budget_exhausted"}),),
    "uncertain": (OPENED, DOUBTED),
    "written_off": (OPENED, DOUBTED, (E.WRITTEN_OFF, {"charge": 10})),
    "vanished": (OPENED, ACCEPTED, (E.VANISHED, {})),
    "stalled": (OPENED, ACCEPTED, (E.STALLED, {})),
}


@pytest.mark.parametrize(
    ("history", "flags", "standing", "reason"),
    [
        ("skipped", {}, Standing.NEW, "skipped: budget_exhausted"),
        ("submitting", {}, Standing.OPEN, "its create may have arrived; sent again with the same key"),
        ("accepted", {}, Standing.OPEN, "bought as task_7, not ended"),
        ("uncertain", {"again": True}, Standing.OPEN, "uncertain: uncertain; held as spent"),
        ("vanished", {"retry": True}, Standing.OPEN, "vanished: vanished; held as spent"),
        ("stalled", {}, Standing.OPEN, "stalled: stalled; held as spent"),
        ("rejected", {}, Standing.DONE, "rejected: validation_failed"),
        ("rejected", {"retry": True}, Standing.NEW, "was rejected: validation_failed"),
        ("poor", {}, Standing.NEW, "was rejected: insufficient_credits"),
        ("poor_task", {}, Standing.NEW, "was failed: insufficient_credits"),
        ("failed", {}, Standing.DONE, "failed: generation_failed"),
        ("failed", {"resubmit_failed": 1}, Standing.NEW, "was failed: generation_failed"),
        ("failed", {"retry": True}, Standing.NEW, "was failed: generation_failed"),
        ("written_off", {"resubmit_failed": 9}, Standing.DONE, "failed: written_off"),
        ("written_off", {"retry": True}, Standing.NEW, "was failed: written_off"),
        ("succeeded", {"retry": True}, Standing.DONE, "succeeded"),
        ("succeeded", {"again": True}, Standing.NEW, "bought again by --again"),
    ],
)
def test_a_known_item_stands_where_its_record_stands(
    history: str, flags: dict[str, bool], standing: Standing, reason: str
) -> None:
    item = _cell(4)
    record = folded(item.identity, *HISTORIES[history])
    planned = _plan([item], records={item.identity: record}, past=[_past(item)], **flags).items[0]  # type: ignore[arg-type]

    assert (planned.standing, planned.reason) == (standing, reason)
    assert (planned.estimate is not None) == (standing is Standing.NEW)


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize(
    ("resubmit_failed", "retry", "again"), list(itertools.product((0, 1), (False, True), (False, True)))
)
def test_a_run_buys_what_its_plan_calls_new_and_nothing_else(
    history: str, resubmit_failed: int, retry: bool, again: bool
) -> None:
    item = made_item()
    record = folded(item.identity, *HISTORIES[history])
    plan = _plan([item], records={item.identity: record}, resubmit_failed=resubmit_failed, retry=retry, again=again)
    core = made_core(
        item,
        settings={"resubmit_failed": resubmit_failed},
        records={item.identity: record},
        retry=retry,
        again=again,
    )

    answer = core.next_create(at(0))
    bought = isinstance(answer, Send) and bool(answer.step.changes)
    assert bought == (plan.items[0].standing is Standing.NEW)


def test_credits_are_those_of_new_items_only() -> None:
    known, guessed, unknown = _cell(4), _cell(8, price_class="m?duration=8"), _cell(12, price_class="x", credits=None)
    done = folded("i1-4", *HISTORIES["succeeded"])
    plan = _plan([known, guessed, unknown], records={"i1-4": done}, prices={"m": 99})

    assert (plan.low, plan.likely, plan.high, plan.or_more) == (10, 10, 60, True)
    assert not _plan([known], prices={"m": 99}).or_more


def test_uploads_are_counted_once_by_content() -> None:
    items = [made_item(0, references=2), made_item(1, references=1)]
    plan = _plan(items, known_uploads=frozenset({"d1"}))

    assert [reference.sha256 for reference in plan.uploads] == ["d0"]
    assert plan.uploads_known == 1


def test_what_is_not_bought_needs_no_upload() -> None:
    item = made_item(0, references=2)

    assert _plan([item], records={item.identity: folded(item.identity, *HISTORIES["accepted"])}).uploads == ()


@pytest.mark.parametrize(
    ("categories", "pace", "seconds"),
    [
        ([], PACE, 0.0),
        (["image"], PACE, 10.0),
        (["video"], PACE, 90.0),
        (["other"], PACE, 90.0),
        (["image"] * 61, PACE, 70.0),
        (["video"] * 100, replace(PACE, creates_per_s=1000.0), 900.0),
    ],
)
def test_the_time_is_what_the_rate_or_the_places_in_flight_allow(
    categories: list[str], pace: Pace, seconds: float
) -> None:
    assert seconds_to_finish(categories, pace) == pytest.approx(seconds)


def test_a_plan_has_a_digest_of_what_it_wants_in_order() -> None:
    one, other = _cell(4), _cell(8)

    assert identities_digest([one, other]) != identities_digest([other, one])
    assert identities_digest([one]) == identities_digest([replace(one, tags=("x",), index=7)])
