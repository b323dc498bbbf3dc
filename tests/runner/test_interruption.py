"""Telling a run to end: once to drain, twice for now, and not too early to be heard."""

from __future__ import annotations

import signal

from runner.interruption import Interruption


class Run:
    def __init__(self) -> None:
        self.told: list[str] = []

    def drain(self, why: str) -> None:
        self.told.append(f"drain {why}")

    def cut(self) -> None:
        self.told.append("cut")


def test_the_first_word_drains_and_every_later_one_cuts() -> None:
    run, interruption = Run(), Interruption()
    interruption.attach(drain=run.drain, cut=run.cut)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
        interruption.say(number)

    assert run.told == ["drain SIGTERM", "cut", "cut"]
    assert interruption.signal == signal.SIGTERM, "the first gives the exit code"


def test_what_was_said_before_the_run_listens_is_heard_when_it_does() -> None:
    for words, told in ((0, []), (1, ["drain SIGINT"]), (2, ["drain SIGINT", "cut"]), (3, ["drain SIGINT", "cut"])):
        run, interruption = Run(), Interruption()
        for _ in range(words):
            interruption.say(signal.SIGINT)
        assert not interruption.is_heard

        interruption.attach(drain=run.drain, cut=run.cut)

        assert run.told == told
        assert interruption.is_heard


def test_a_run_that_is_over_is_left_alone() -> None:
    run, interruption = Run(), Interruption()
    interruption.attach(drain=run.drain, cut=run.cut)
    interruption.detach()

    interruption.say(signal.SIGINT)
    interruption.say(signal.SIGINT)

    assert run.told == []
    assert not interruption.is_heard
