"""Faults on order happen when they should, and bad orders are refused with the place."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runner.sim.faults import FaultError, parse_faults
from tests.sim.conftest import Z_IMAGE, talk

LATER_S = 3600.0


def statuses(match: dict[str, Any], times: int | None = None, count: int = 9) -> list[int]:
    rule: dict[str, Any] = {"match": match, "do": {"status": 502}}
    service = talk([rule | ({"times": times} if times is not None else {})])
    seen = []
    for n in range(count):
        seen.append(service.create(f"k{n}", **{**Z_IMAGE, "prompt": "odd" if n % 2 else "even"})[0])
        service.now_s += 1
    return seen


@pytest.mark.parametrize(
    ("match", "times", "struck"),
    [
        ({"nth": 3}, None, [2]),
        ({"every": 3}, None, [2, 5, 8]),
        ({"every": 3}, 2, [2, 5]),
        ({"prompt_contains": "odd", "nth": 2}, None, [3]),
        ({"model": "kling-3-0"}, None, []),
        ({"model": "z-image"}, 1, [0]),
        ({"endpoint": "poll"}, None, []),
        ({"endpoint": "create", "from_s": 2, "until_s": 4}, None, [2, 3]),
        ({"share": 1.0}, None, list(range(9))),
        ({"share": 0.0}, None, []),
    ],
)
def test_a_rule_fires_where_all_of_its_match_holds(match: dict[str, Any], times: int | None, struck: list[int]) -> None:
    assert [n for n, status in enumerate(statuses(match, times)) if status == 502] == struck


def test_a_share_is_met_and_does_not_depend_on_the_order_of_requests() -> None:
    def struck(order: range) -> set[int]:
        service = talk([{"match": {"endpoint": "create", "share": 0.25}, "do": {"status": 502}}])
        return {n for n in order if service.create(f"k{n}")[0] == 502}

    forward = struck(range(200))
    assert 30 <= len(forward) <= 70
    assert struck(range(199, -1, -1)) == forward


def test_a_share_is_rolled_anew_for_a_request_that_is_sent_again() -> None:
    service = talk([{"match": {"endpoint": "create", "share": 0.5}, "do": {"status": 502}}])

    assert {service.create("k")[0] for _ in range(20)} == {200, 502}


@pytest.mark.parametrize(
    ("do", "status", "wire", "tasks"),
    [
        ({"status": 502}, 502, "whole", 0),
        ({"status": 502, "after_effect": True}, 502, "whole", 1),
        ({"code": "rate_limited", "retry_after": 2}, 429, "whole", 0),
        ({"code": "brand_new_code", "status": 418}, 418, "whole", 0),
        ({"drop": "before_effect"}, 0, "drop", 0),
        ({"drop": "after_effect"}, 200, "drop", 1),
        ({"cut_after_bytes": 40}, 200, "cut", 1),
        ({"never_answer": True}, 0, "silent", 0),
        ({"never_answer": "after_effect"}, 200, "silent", 1),
        ({"delay_s": 5}, 200, "whole", 1),
        ({"body": "half_json"}, 200, "whole", 1),
        ({"status": 302, "location": "https://example.org/"}, 302, "whole", 0),
    ],
)
def test_each_fault_comes_before_or_after_the_task_is_made(
    do: dict[str, Any], status: int, wire: str, tasks: int
) -> None:
    service = talk([{"match": {"endpoint": "create"}, "do": do}])
    service.create("k")

    assert (service.last.status, service.last.wire, service.simulator.stats().tasks) == (status, wire, tasks)
    assert service.last.delay_s == do.get("delay_s", 0)
    assert [seen.born for seen in service.simulator.stats().sends] == [bool(tasks)]


def test_a_create_lost_after_its_effect_is_found_again_by_its_key() -> None:
    service = talk([{"match": {"endpoint": "create", "nth": 1}, "do": {"drop": "after_effect"}}])
    service.create("k")
    _, task = service.create("k")

    assert service.status(task["id"])["id"] == task["id"]
    assert service.simulator.stats().tasks == 1


def test_rules_can_make_tasks_that_never_end_or_fail() -> None:
    service = talk(
        [
            {"match": {"prompt_contains": "sticky"}, "do": {"stuck": True}},
            {"match": {"prompt_contains": "cursed"}, "do": {"fail": "generation_failed"}},
        ]
    )
    ids = [service.create(**{**Z_IMAGE, "prompt": prompt})[1]["id"] for prompt in ("sticky", "cursed", "plain")]
    service.now_s += LATER_S

    assert [service.status(task)["status"] for task in ids] == ["processing", "failed", "succeeded"]


def test_answers_can_be_bent_field_by_field() -> None:
    service = talk(
        [{"match": {"endpoint": "poll"}, "do": {"patch": {"status": "paused", "id": 7}, "remove": ["result"]}}]
    )
    _, task = service.create()
    bent = service.status(task["id"])

    assert (bent["status"], bent["id"], "result" in bent) == ("paused", 7, False)


@pytest.mark.parametrize("body", ["html", "half_json", "not_json"])
def test_an_error_that_is_no_json_is_given_again_as_it_was_whatever_would_be_bent(body: str) -> None:
    first = {"match": {"endpoint": "create", "nth": 1}, "do": {"status": 500, "body": body}}
    bends = {"match": {"endpoint": "create"}, "do": {"patch": {"status": "paused"}}}
    service = talk([first, bends], remembers=("5xx",))
    service.create("k")
    poisoned = service.last.body
    service.create("k")

    assert service.last.body == poisoned


@pytest.mark.parametrize(("body", "start"), [("html", b"<!doctype"), ("empty", b""), ("text", b"upstream")])
def test_errors_of_the_edge_are_no_envelopes(body: str, start: bytes) -> None:
    service = talk([{"match": {"endpoint": "create"}, "do": {"status": 503, "body": body, "retry_after": "soon"}}])
    service.create()

    assert service.last.body.startswith(start)
    assert service.last.headers["retry-after"] == "soon"


def test_rules_that_fire_together_are_joined() -> None:
    service = talk(
        [{"match": {}, "do": {"delay_s": 2}}, {"match": {"endpoint": "create"}, "do": {"drop": "after_effect"}}]
    )
    service.create()

    assert (service.last.delay_s, service.last.wire) == (2, "drop")


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("text", "a fault file is a list of rules"),
        ({"rules": []}, "a fault file is a list of rules"),
        ([7], "rule 1: expected an object with match, do, times"),
        ([{"do": {"status": 502}}, {"match": {}}], "rule 2: `do` is empty"),
        ([{"when": {}, "do": {"status": 502}}], "rule 1: unknown 'when'"),
        ([{"match": {"path": "/"}, "do": {"status": 502}}], "rule 1, match: unknown 'path'"),
        ([{"match": {"endpoint": "creates"}, "do": {"status": 502}}], "'creates' is not one of any, create"),
        ([{"match": {"nth": 0}, "do": {"status": 502}}], "match.nth: counts from 1"),
        ([{"match": {"nth": "3"}, "do": {"status": 502}}], "match.nth: expected int, got '3'"),
        ([{"match": {"nth": True}, "do": {"status": 502}}], "match.nth: expected int, got True"),
        ([{"match": {"share": 2}, "do": {"status": 502}}], "a share lies between 0 and 1"),
        ([{"do": {"status": 99}}], "a final HTTP status lies between 200 and 599"),
        ([{"do": {"body": "xml"}}], "'xml' is not one of html"),
        ([{"do": {"drop": "sometimes"}}], "is not one of before_effect, after_effect"),
        ([{"do": {"explode": True}}], "do: unknown 'explode'"),
        ([{"do": {"status": 502}, "times": "many"}], "rule 1.times: expected int"),
    ],
)
def test_a_bad_fault_file_is_refused_with_the_rule_and_what_is_possible(rules: object, message: str) -> None:
    with pytest.raises(FaultError, match=re.escape(message)):
        parse_faults(rules)


def test_a_fault_file_may_be_a_list_or_an_object_or_empty() -> None:
    rule = {"do": {"status": 502}}

    assert [parse_faults(data).fired() for data in ([rule], {"faults": [rule]}, None, [])] == [(0,), (0,), (), ()]
