"""What a task in flight costs the core, so that a hundred thousand of them fit."""

from __future__ import annotations

import tracemalloc

from jobs.budget import Books
from tests.jobs.workbench import at, made_core, made_item, must_send, seen

BYTES_MAX = 1300  # beyond the item itself


def test_a_task_in_flight_takes_about_a_kilobyte_however_many_there_are() -> None:
    items = [made_item(number) for number in range(1500)]
    core = made_core(*items, settings={"in_flight_max": 100_000}, prices={"m": 10}, books=Books(cap=None))
    each = []
    tracemalloc.start()
    try:
        for upto in (500, 1500):
            begun = tracemalloc.get_traced_memory()[0]
            first = len(core.state.slots)
            for number in range(first, upto):
                core.create_ended(must_send(core, number), seen(f"task-{number}"), at(number))
            each.append((tracemalloc.get_traced_memory()[0] - begun) / (upto - first))
    finally:
        tracemalloc.stop()

    assert max(each) <= BYTES_MAX
    assert each[1] <= 1.2 * each[0]
