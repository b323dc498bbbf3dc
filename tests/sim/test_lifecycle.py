"""From queued to an end, and every way the road may bend."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sim.conftest import Talk, talk

STEADY: dict[str, Any] = {"durations": (("*", 10.0),), "duration_sigma": 0.0, "queue_s": 2.0}
LONG_S = 1e6


def walk(service: Talk, moments: tuple[float, ...]) -> list[str]:
    _, task = service.create()
    start_s, seen = service.now_s, []
    for moment in moments:
        service.now_s = start_s + moment
        answer = service.status(task["id"])
        seen.append(answer.get("status") or answer["error"]["code"])
    return seen


def test_a_task_is_queued_then_processing_then_succeeded() -> None:
    assert walk(talk(**STEADY), (0.0, 1.9, 2.0, 11.9, 12.0)) == [
        "queued",
        "queued",
        "processing",
        "processing",
        "succeeded",
    ]


def test_the_answer_is_the_documented_object(service: Talk) -> None:
    _, task = service.create()

    assert task == {
        "id": task["id"],
        "status": "queued",
        "model": "z-image",
        "reserved_credits": 1,
        "final_credits": 0,
        "created_at": "1970-01-12T13:46:40.000Z",
        "updated_at": "1970-01-12T13:46:40.000Z",
        "result": None,
        "error": None,
    }


def test_a_failed_task_has_an_error_without_a_request_id() -> None:
    service = talk(fail_share=1.0, fail_code="content_rejected")
    _, task = service.create()
    service.now_s += LONG_S
    failed = service.status(task["id"])

    assert (failed["status"], failed["result"]) == ("failed", None)
    assert failed["error"] == {"code": "content_rejected", "message": "The generation did not succeed."}


@pytest.mark.parametrize(
    ("switches", "moments", "expected"),
    [
        ({"stuck_share": 1.0}, (5.0, LONG_S), ["processing", "processing"]),
        ({"lag_s": 3.0}, (0.0, 2.9, 3.0), ["not_found", "not_found", "processing"]),
        ({"retention_s": 60.0}, (12.0, 71.9, 72.0), ["succeeded", "succeeded", "not_found"]),
        (
            {"unknown_status": "upscaling"},
            (5.0, 7.0, 10.0, 12.0),
            ["processing", "upscaling", "processing", "succeeded"],
        ),
        ({"goes_back": "open"}, (5.0, 7.0, 10.0, 12.0), ["processing", "queued", "processing", "succeeded"]),
        ({"goes_back": "final"}, (12.0, 13.5, 15.0), ["succeeded", "processing", "succeeded"]),
    ],
)
def test_each_odd_life_is_a_switch(switches: dict[str, Any], moments: tuple[float, ...], expected: list[str]) -> None:
    assert walk(talk(**{**STEADY, **switches}), moments) == expected


def test_work_takes_about_as_long_as_the_model_usually_does() -> None:
    def finished_after(model: str, seconds: float) -> float:
        service = talk()
        ids = [service.create(f"k{n}", model=model, prompt="x")[1]["id"] for n in range(40)]
        service.now_s += seconds
        return [service.status(task)["status"] for task in ids].count("succeeded") / 40

    assert finished_after("z-image", 10) > 0.9
    assert finished_after("seedance-1-5-pro", 30) < 0.1
    assert 0.2 < finished_after("seedance-1-5-pro", 62) < 0.8


def test_speed_hurries_the_work_and_nothing_else() -> None:
    service = talk(**STEADY, lag_s=1.0)
    service.simulator.speed = 10.0

    assert walk(service, (0.0, 1.1, 1.2)) == ["not_found", "processing", "succeeded"]


def test_repeats_of_one_body_differ_in_their_times(service: Talk) -> None:
    _, first = service.create("a")
    _, second = service.create("b")
    tasks = service.simulator._world.tasks

    assert tasks[first["id"]].finish_s != tasks[second["id"]].finish_s


def test_the_same_seed_and_requests_give_the_same_bytes_and_another_seed_does_not() -> None:
    def transcript(seed: int) -> list[Any]:
        faults = [{"match": {"share": 0.3}, "do": {"status": 503}}]
        service = talk(faults, seed=seed, surprise_share=0.5, fail_share=0.3)
        answers: list[Any] = []
        for n in range(30):
            service.now_s += 0.7
            service.create(f"k{n % 20}")
            answers.append((service.last.status, service.last.body, tuple(service.last.headers.items())))
            answers.append(service.send("GET", "/api/v1/credits"))
        return answers

    assert transcript(1) == transcript(1)
    assert transcript(1) != transcript(2)
