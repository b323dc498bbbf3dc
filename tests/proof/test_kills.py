"""Real processes die and are interrupted; the long campaigns are `make soak ONLY=kills`, `points` and `signals`."""

from __future__ import annotations

import ast
import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runner.failpoints import POINTS, arm, failpoint
from tests.proof import kills
from tests.proof.kills import World, drawn, play_kill, play_point, play_signal
from tests.proof.kills_zygote import RAISE, Strike
from tests.proof.soak import CAMPAIGNS

RUNNER = Path(__file__).parents[2] / "runner"
SIDE_BY_SIDE = 6  # scenarios at once: what they mostly do is wait

# What only some lives pass, and is passed in tests of its own here.
NOT_IN_EVERY_RUN = {"drain.mid", "export.mid_write"}


@pytest.fixture(scope="module", autouse=True)
def zygote() -> Iterator[None]:
    kills.begin()
    yield
    kills.end()


@pytest.fixture
def sound() -> Iterator[World]:
    """A sound service and a manifest of some items."""
    with kills.world("test", drawn(random.Random(11), faulty=0.0), seed=1) as here:
        yield here


def played(play: Callable[[int], Counter[str]], numbers: range) -> Counter[str]:
    with ThreadPoolExecutor(SIDE_BY_SIDE) as crew:
        return sum(crew.map(play, numbers), Counter())


# The points


def test_every_point_stands_at_one_place_of_the_product_or_of_each_store_and_every_place_is_a_point() -> None:
    named = Counter(
        (node.value, "postgres" in file.name)
        for file in RUNNER.rglob("*.py")
        if file.name != "failpoints.py"
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in POINTS
    )
    of_a_store = {"ledger.locked", "migrate.mid", "commit.before", "commit.after"}

    assert named == dict.fromkeys([*((point, False) for point in POINTS), *((point, True) for point in of_a_store)], 1)
    assert len(POINTS) >= 25


def test_an_ordinary_run_passes_every_point(sound: World) -> None:
    notes = sound.folder / "passed"
    assert (
        sound.live(passed=str(notes), strikes=[Strike(point="accept.after_commit", number=signal.SIGTERM)]).code == 143
    )
    assert sound.live(passed=str(notes)).code == 0
    assert sound.live(argv=("results", "-o", "r.txt"), passed=str(notes)).code == 0

    assert set(notes.read_text(encoding="utf-8").split()) == set(POINTS)


def test_a_point_that_is_not_armed_does_nothing_and_one_that_is_must_be_known() -> None:
    failpoint("no such point")
    passed: list[str] = []
    arm(passed.append)
    try:
        failpoint("poll.before")
        with pytest.raises(AssertionError, match="no such point is no failpoint"):
            failpoint("no such point")
    finally:
        arm(None)
    failpoint("poll.before")

    assert passed == ["poll.before"]


def test_nothing_in_the_product_can_arm_a_point() -> None:
    arming = [file for file in RUNNER.rglob("*.py") if "arm(" in file.read_text(encoding="utf-8")]

    assert arming == [RUNNER / "failpoints.py"]
    assert "environ" not in arming[0].read_text(encoding="utf-8").replace("environment", "")


# The campaigns, a little of each


def test_processes_killed_at_random_moments_lose_nothing_and_pay_nothing_twice() -> None:
    counts = played(play_kill, range(6))

    assert counts["kills"] >= 15
    assert counts["event succeeded"] > 20


def test_processes_killed_at_each_named_point_lose_nothing_and_pay_nothing_twice() -> None:
    counts = played(play_point, range(kills.WALKS))

    assert [point for point in POINTS if not counts[f"at {point}"]] == []


def test_interrupted_processes_end_as_they_should_and_can_be_gone_on_with() -> None:
    counts = played(play_signal, range(6))

    assert counts["read no further"] + counts["stopped by SIGINT"] + counts["stopped by SIGTERM"] > 2


def test_the_campaigns_are_long_enough_for_what_is_promised() -> None:
    assert CAMPAIGNS["points"].count >= 20 * kills.WALKS
    assert CAMPAIGNS["kills"].count * 2 >= 500


# What else may happen to a process


@pytest.mark.parametrize("point", ["plan.before_commit", "plan.after_commit"])
def test_an_interruption_before_the_run_listens_says_how_to_go_on(sound: World, point: str) -> None:
    ended = sound.live(strikes=[Strike(point=point, number=signal.SIGINT)])

    assert ended.code == 130
    assert "go on with: rivya-batch run m.yaml" in sound.told()
    sound.finish()


@pytest.mark.parametrize("point", ["upload.before_send", "intent.after_commit", "poll.after", "download.after_rename"])
def test_a_fault_of_ours_in_any_lane_ends_the_run_and_the_next_one_goes_on(sound: World, point: str) -> None:
    ended = sound.live(strikes=[Strike(point=point, number=RAISE)])

    assert ended.code == 1
    assert "A fault of rivya-batch itself" in sound.told()
    sound.judge(whole=False)
    sound.finish()


def test_a_process_that_may_open_too_few_files_says_so_before_it_buys(sound: World) -> None:
    ended = sound.live(limits={"RLIMIT_NOFILE": 64})

    assert ended.code == 2
    assert "error[open-files]: This process may have 64 files open at once (RLIMIT_NOFILE)" in sound.told()
    assert "next: raise the limit, as with `ulimit -n 256`" in sound.told()
    sound.finish()


def test_a_process_raises_its_own_limit_of_files_where_it_may(sound: World) -> None:
    assert sound.live(soft_limits={"RLIMIT_NOFILE": 64}).code == 0
