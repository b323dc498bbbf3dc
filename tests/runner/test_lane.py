"""A lane: one question at a time, as many jobs at once as the crew allows, and one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest

from jobs.steps import Wait
from runner.clock import Clock
from runner.lane import Lane
from runner.testing import run_virtual

NEVER = Wait(until_s=None)


def now_s() -> float:
    return asyncio.get_running_loop().time()


class Book:
    """Answers the lane's question with what is written, and notes when what was asked and done."""

    def __init__(self, *answers: str | Wait | None, work_s: float = 0.0, ask_s: float = 0.0) -> None:
        self.answers = list(answers)
        self.asked_s: list[float] = []
        self.done: list[tuple[str, float]] = []
        self.asking = self.asking_max = self.working = self.working_max = 0
        self._work_s = work_s
        self._ask_s = ask_s

    async def ask(self) -> str | Wait | None:
        self.asking += 1
        self.asking_max = max(self.asking_max, self.asking)
        self.asked_s.append(now_s())
        await asyncio.sleep(self._ask_s)
        self.asking -= 1
        return self.answers.pop(0) if self.answers else None

    async def work(self, job: str) -> None:
        self.working += 1
        self.working_max = max(self.working_max, self.working)
        await asyncio.sleep(self._work_s)
        self.working -= 1
        self.done.append((job, now_s()))


def go(book: Book, *, crew: int = 3, beside: Callable[[Lane[str]], Awaitable[None]] | None = None) -> float:
    """Run a lane to its end; returns how long it took."""

    async def main() -> float:
        lane: Lane[str] = Lane("trial", Clock(mono_s=now_s), crew=crew, ask=book.ask, work=book.work)
        async with anyio.create_task_group() as group:
            lane.start(group)
            if beside is not None:
                await beside(lane)
        return now_s()

    return run_virtual(main())


def test_jobs_run_side_by_side_up_to_the_size_of_the_crew() -> None:
    book = Book(*"abcdefg", work_s=1.0)

    took_s = go(book, crew=3)

    assert [job for job, _ in book.done] == list("abcdefg")
    assert book.working_max == 3
    assert took_s == pytest.approx(3.0, abs=0.01)


def test_no_worker_is_hired_before_there_is_a_job_for_one_more() -> None:
    book = Book("a", Wait(until_s=1.0), "b", Wait(until_s=2.0), "c", work_s=0.5)
    workers: list[int] = []

    async def beside(lane: Lane[str]) -> None:
        for _ in range(3):
            await asyncio.sleep(0.9)
            workers.append(len(asyncio.all_tasks()) - 1)  # this one is none

    go(book, crew=32, beside=beside)

    assert max(workers) == 2, "one at work, the foreman"


def test_only_one_of_the_crew_asks_at_a_time() -> None:
    book = Book(*"abcdef", work_s=0.1, ask_s=1.0)

    go(book, crew=4)

    assert book.asking_max == 1


def test_after_no_every_worker_goes_home() -> None:
    book = Book(None, "never asked for")

    assert go(book, crew=1) == pytest.approx(0.0, abs=0.01)
    assert (book.done, book.answers) == ([], ["never asked for"])


def test_a_wait_ends_at_its_moment() -> None:
    book = Book(Wait(until_s=5.0), "a", Wait(until_s=7.5), "b")

    go(book)

    assert [job for job, _ in book.done] == ["a", "b"]
    assert [at_s for _, at_s in book.done] == pytest.approx([5.0, 7.5], abs=0.01)
    assert len(book.asked_s) == 4 + 1, "one question a moment, and the last one"


def test_a_moment_in_the_past_is_now() -> None:
    book = Book(Wait(until_s=-1.0), "a")

    assert go(book) == pytest.approx(0.0, abs=0.01)
    assert len(book.done) == 1


def test_news_end_a_wait_before_its_moment() -> None:
    book = Book(NEVER, "a", Wait(until_s=100.0), "b")

    async def beside(lane: Lane[str]) -> None:
        for _ in range(2):
            await asyncio.sleep(1.0)
            lane.wake()

    go(book, beside=beside)

    assert [job for job, _ in book.done] == ["a", "b"]
    assert [at_s for _, at_s in book.done] == pytest.approx([1.0, 2.0], abs=0.01)


def test_news_that_come_while_the_question_is_asked_are_not_lost() -> None:
    book = Book(NEVER, "a", ask_s=1.0)

    async def beside(lane: Lane[str]) -> None:
        await asyncio.sleep(0.5)
        lane.wake()

    go(book, beside=beside)

    assert len(book.done) == 1


def test_a_worker_at_work_does_not_hold_up_the_next_question() -> None:
    book = Book("long", "b", "c", work_s=50.0)

    go(book, crew=2)

    assert book.asked_s[1] == pytest.approx(0.0, abs=0.01)


def test_a_job_that_fails_ends_the_lane_and_says_why() -> None:
    book = Book("a", "b", NEVER)

    async def fail(job: str) -> None:
        raise ValueError(job)

    book.work = fail  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup) as caught:
        go(book)

    assert caught.group_contains(ValueError, match="a")


def test_a_lane_that_is_called_off_leaves_no_timer_behind() -> None:
    book = Book(Wait(until_s=10_000.0))

    async def main() -> float:
        lane: Lane[str] = Lane("trial", Clock(mono_s=now_s), crew=2, ask=book.ask, work=book.work)
        with anyio.move_on_after(1.0):
            async with anyio.create_task_group() as group:
                lane.start(group)
        await asyncio.sleep(0.1)
        return now_s()

    assert run_virtual(main()) == pytest.approx(1.1, abs=0.01)
