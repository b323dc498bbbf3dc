"""Workers that share a limit: how soon each has its part, and what they tell one another.

What they keep to in all weathers is in `tests.proof.leases`.
"""

from __future__ import annotations

import pytest

from jobs.answers import Phase, SendEnd
from jobs.leasing import LeasedPacer
from jobs.needs import Needs
from jobs.rates import Rate
from jobs.shareholder import FIRST_BEATS, IDLE_S, Shareholder
from jobs.sharing import ALL as WANTED
from jobs.sharing import ARRIVE_S, BEAT_S, LEASE_S, Part, Pool, Row
from tests.jobs.sharing_world import Account, Member, World, most_in_a_window

MINUTE, SECOND = Rate(count=60, window_s=60.0), Rate(count=80, window_s=1.0)
ALL = Needs(waiting=10**6, polls=10**6, places=10**6)


def crowd(rate: Rate, workers: int, seed: int = 1) -> tuple[World, Account, list[Member]]:
    world, account = World(seed), Account("account", rate)
    return world, account, [world.join(account, f"w{n}") for n in range(workers)]


def sent_in(world: World, account: Account, for_s: float) -> int:
    before = len(account.left_s)
    world.run(for_s)
    return len(account.left_s) - before


@pytest.mark.parametrize("rate", [MINUTE, SECOND])
def test_a_lone_worker_has_all_of_it_after_its_first_beat(rate: Rate) -> None:
    world, _, (one,) = crowd(rate, 1)
    world.run(2 * BEAT_S)

    assert one.share == rate.count


@pytest.mark.parametrize("rate", [MINUTE, SECOND])
def test_workers_that_begin_together_have_equal_parts_after_a_few_beats(rate: Rate) -> None:
    world, account, members = crowd(rate, 4)
    world.run(4 * BEAT_S + rate.window_s)

    assert {one.share for one in members} == {rate.count // 4}
    assert sent_in(world, account, rate.window_s * 3) >= 2.75 * rate.count


def test_who_joins_takes_over_slot_by_slot_and_the_pace_of_all_stays() -> None:
    world, account, _ = crowd(MINUTE, 1)
    world.run(120.0)
    second = world.join(account, "late")

    assert sent_in(world, account, 60.0) >= 57
    assert second.share >= 29
    assert sent_in(world, account, 60.0) >= 59


def test_slots_that_are_idle_change_hands_within_two_beats() -> None:
    world, account, (one,) = crowd(MINUTE, 1)
    one.backlog = 0
    world.run(5.0)
    second = world.join(account, "late")
    world.run(2.5 * BEAT_S)

    assert (one.share, second.share) == (0, 60)


def test_with_fewer_slots_than_workers_each_has_its_turn() -> None:
    world, account, members = crowd(Rate(count=2, window_s=60.0), 5)
    world.run(3600.0)

    assert most_in_a_window(account.arrived_s, 60.0) == 2
    assert len(account.left_s) >= 0.9 * 2 * 60
    assert min(len(one.sent_s) for one in members) >= 0.8 * len(account.left_s) / 5


def test_a_worker_whose_lease_is_over_by_its_own_clock_sends_nothing() -> None:
    world, account, (one,) = crowd(SECOND, 1)
    world.run(3.0)
    account.is_locked = True  # the database is away

    assert sent_in(world, account, LEASE_S + BEAT_S) > 0
    assert sent_in(world, account, 60.0) == 0
    assert one.pacer.due_s(one.now_s()) == float("inf")


def test_the_slots_of_a_dead_worker_work_again_once_nothing_of_it_can_count() -> None:
    world, _, (first, second) = crowd(SECOND, 2)
    world.run(5.0)
    first.die()
    world.run(LEASE_S + ARRIVE_S - 2 * BEAT_S)
    assert second.share <= 41

    world.run(SECOND.window_s + 4 * BEAT_S)
    assert second.share == 80


def test_calls_that_take_long_to_arrive_are_waited_for_before_their_slots_go_to_others() -> None:
    world, account, (far, near) = crowd(SECOND, 2)
    far.way_s, near.way_s = 0.99 * ARRIVE_S, 0.001
    world.run(10.0)
    far.is_cut_off = True
    world.run(30.0)

    assert near.share == 80
    assert most_in_a_window(account.arrived_s, 1.0) <= 80


def test_who_leaves_in_order_leaves_free_slots_behind_and_keeps_only_what_still_counts() -> None:
    world, _, (first, second) = crowd(MINUTE, 2)
    world.run(10.0)
    first.is_leaving = True
    world.run(3 * BEAT_S)

    assert first.is_dead
    assert second.share >= 50  # what the other sent in ten seconds still counts
    assert first.share + second.share == 60


def test_a_restarted_worker_begins_with_nothing_but_what_nobody_has() -> None:
    world, account, (first,) = crowd(MINUTE, 1)
    world.run(40.0)
    first.die()
    again = world.join(account, "w0-again")
    world.run(10.0)
    assert again.share == 0

    world.run(LEASE_S + ARRIVE_S + MINUTE.window_s)
    assert again.share == 60
    assert most_in_a_window(account.arrived_s, 60.0) <= 60


@pytest.mark.parametrize(("workers", "used"), [(1, 0.85), (3, 0.85), (8, 0.7)])
def test_a_limit_that_nobody_told_is_found_by_all_of_them_together(workers: int, used: float) -> None:
    """Eight that each double their own part would be refused all the time."""
    world, account, _ = crowd(Rate(count=120, window_s=60.0), workers)
    account.allows = MINUTE
    world.run(300.0)
    through, refused = len(account.arrived_s), len(account.refused_s)
    world.run(1800.0)

    assert len(account.arrived_s) - through >= used * 30 * 60
    assert len(account.refused_s) - refused <= 2 * 30


class _Two:
    """Two workers and a database that is a dictionary."""

    def __init__(self, places: int = 40) -> None:
        self.rows: dict[str, Row] = {}
        self.now_s = 100.0
        self.holders = [Shareholder(name, creates=MINUTE, polls=SECOND, places=places) for name in "ab"]

    def beat(self, which: int, needs: Needs = ALL) -> None:
        holder = self.holders[which]
        rows = tuple(self.rows.values())
        self.rows[holder.worker] = holder.beat(rows, needs, at_s=5000.0 + self.now_s, now_s=self.now_s)
        holder.written(began_s=self.now_s, now_s=self.now_s)


def test_what_the_service_asked_one_to_wait_all_wait() -> None:
    two = _Two()
    for which in (0, 1, 0, 1):
        two.beat(which)
    creates = two.holders[0].pacer(Pool.CREATES)
    token = creates.leave(two.now_s)
    creates.refused(token, two.now_s, wait_s=30.0, reason="HTTP 429")
    two.now_s += 1.0
    two.beat(0)
    two.beat(1)

    told = two.holders[1].pacer(Pool.CREATES)
    assert told.paused_until_s == pytest.approx(130.0)
    assert told.per_s == pytest.approx(0.5 * told.rate.per_second)
    two.now_s += 1.0
    two.beat(1)
    assert two.rows["b"].parts[Pool.CREATES].paused_until_s == 0.0  # it says only what it was told itself


def test_a_cut_slows_the_others_once_and_then_each_goes_by_what_it_sees() -> None:
    two = _Two()
    for which in (0, 1, 0, 1):
        two.beat(which)
    first, second = (holder.pacer(Pool.CREATES) for holder in two.holders)
    first.refused(first.leave(two.now_s), two.now_s, wait_s=1.0, reason="HTTP 429")
    two.beat(0)
    two.beat(1)
    slowed = second.shares
    second.follow(0.75, 0.75, two.now_s)  # it has grown meanwhile
    for _ in range(3):
        two.now_s += 1.0
        two.beat(0)
        two.beat(1)

    assert slowed == first.shares
    assert second.shares[0] == 0.75


def test_places_are_shared_like_slots_and_a_number_that_one_found_holds_for_all() -> None:
    two = _Two()
    two.beat(0, Needs(waiting=1, places=99, running=0))
    assert two.holders[0].places == 40
    two.beat(1, Needs(waiting=1, places=99, running=0))
    two.beat(0, Needs(waiting=1, places=99, running=4))
    two.beat(1, Needs(waiting=1, places=99, running=6))
    assert [holder.places for holder in two.holders] == [20, 20]

    limits = two.holders[0].limits
    token = limits.pacers[0].leave(two.now_s)
    refused = SendEnd(phase=Phase.ANSWERED, status=429, reason="too many at once")
    limits.ended(limits.pacers[0], token, refused, two.now_s, running=4, spread=lambda: 0.5)
    two.beat(0, Needs(waiting=1, places=99, running=4))
    two.beat(1, Needs(waiting=1, places=99, running=6))

    assert [holder.places for holder in two.holders] == [5, 5]  # ten ran when one more was refused
    assert two.rows["b"].parts[Pool.PLACES].share == 6


def test_places_of_tasks_that_were_taken_over_are_had_even_beyond_the_limit() -> None:
    two = _Two(places=10)
    two.beat(0, Needs(places=10, running=10))
    two.beat(1, Needs(places=10, running=3))

    assert two.rows["b"].parts[Pool.PLACES].share == 3
    assert two.holders[1].places == 0


def said_of_creates(two: _Two, which: str) -> tuple[int, int]:
    part = two.rows[which].parts[Pool.CREATES]
    return part.want, part.left


def test_the_first_beat_asks_for_every_slot_if_it_finds_a_place_and_for_few_if_it_finds_none() -> None:
    two = _Two()
    two.beat(0, Needs(waiting=99, places=40))
    two.beat(1, Needs(waiting=99, places=40))

    assert said_of_creates(two, "a") == (WANTED, 99)
    assert said_of_creates(two, "b") == (1, 0)


def test_who_is_held_up_asks_for_few_and_has_nothing_left_that_a_slot_would_help() -> None:
    two = _Two()
    two.beat(0, Needs(waiting=99, places=40, is_held_up=True))

    assert said_of_creates(two, "a") == (1, 0)


def test_who_sends_nothing_for_a_second_waits_for_something_else_until_it_sends_again() -> None:
    two, waits = _Two(), Needs(waiting=99, places=40)
    two.beat(0, waits)
    creates, told = two.holders[0].pacer(Pool.CREATES), []
    for fair_per_s in (0.5, 1.0, 0.5):  # what its part becomes meanwhile is nothing that left
        two.now_s += 0.5
        creates.lease(MINUTE, two.now_s, fair_per_s=fair_per_s, until_s=two.now_s + LEASE_S)
        two.beat(0, waits)
        told.append(said_of_creates(two, "a"))
    two.now_s += 0.1 + IDLE_S - 2 * 0.5
    two.beat(0, waits)
    assert [*told, said_of_creates(two, "a")] == [(WANTED, 99)] * 3 + [(1, 0)]

    two.now_s += IDLE_S
    two.beat(0, waits)
    creates.leave(two.now_s)
    two.beat(0, waits)
    assert said_of_creates(two, "a") == (WANTED, 98), "what is on its way has its slot"


def test_who_has_sent_all_it_had_asks_for_few_until_answers_come() -> None:
    two = _Two()
    two.beat(0, Needs(waiting=1, places=40))
    two.holders[0].pacer(Pool.CREATES).leave(two.now_s)
    two.beat(0, Needs(waiting=1, places=40, running=1))

    assert said_of_creates(two, "a") == (2, 0)


def gaps_s(
    holder: Shareholder, beats: int, *, from_s: float = 0.0, rows: tuple[Row, ...] = (), left: int = 1000
) -> list[float]:
    gaps = []
    for beat in range(beats):
        now_s = from_s + 0.1 * beat
        holder.beat(rows, Needs(waiting=left, polls=1000, places=9), at_s=now_s, now_s=now_s)
        holder.written(began_s=now_s, now_s=now_s)
        gaps.append(holder.gap_s)
    return gaps


def test_who_comes_or_comes_back_beats_soon_because_others_do_too_and_then_every_second() -> None:
    holder = Shareholder("a", creates=SECOND, polls=SECOND, places=9)

    assert gaps_s(holder, FIRST_BEATS + 2) == [0.25] * FIRST_BEATS + [BEAT_S] * 2
    assert gaps_s(holder, 2, from_s=5.0) == [BEAT_S] * 2
    assert gaps_s(holder, FIRST_BEATS + 1, from_s=20.0) == [0.25] * FIRST_BEATS + [BEAT_S]


def test_near_the_end_who_has_calls_left_beats_soon_and_who_has_none_does_not() -> None:
    other = Part(limit=80, window_s=1.0, share=40, want=WANTED, left=100)
    row = Row(worker="b", parts=dict.fromkeys(Pool, other), lease_until_s=99.0, free_at_s=999.0)
    busy, idle = (Shareholder(name, creates=SECOND, polls=SECOND, places=80) for name in "ac")
    gaps_s(busy, FIRST_BEATS, rows=(row,), left=100)
    gaps_s(idle, FIRST_BEATS, rows=(row,), left=0)

    assert gaps_s(busy, 2, from_s=0.5, rows=(row,), left=100) == [0.25] * 2
    assert gaps_s(idle, 2, from_s=0.5, rows=(row,), left=0) == [BEAT_S] * 2


def test_what_answers_teach_is_kept_while_parts_change_with_every_beat() -> None:
    pacer, now_s = LeasedPacer("creates", SECOND), 0.0

    def goes_well(calls: int) -> None:
        nonlocal now_s
        for call in range(calls):
            pacer.lease(SECOND, now_s, fair_per_s=60.0 + call % 2, until_s=999.0)
            now_s = max(now_s, pacer.due_s(now_s))
            pacer.answered(pacer.leave(now_s), now_s)

    goes_well(200)
    pacer.refused(pacer.leave(now_s + 0.1), now_s + 0.1, wait_s=0.1, reason="HTTP 429")
    assert pacer.shares == (0.5, 1.0), "this speed has stood"
    now_s += 0.2
    goes_well(20)

    assert pacer.shares == (1.0, 1.0)


def windows_until_done(backlogs: list[int], *, storm_s: float = 0.0, sends: int | None = None) -> float:
    """How long the workers of an account that lets 80 through a second take, but for those that send nothing."""
    world, account, members = crowd(SECOND, len(backlogs))
    for member in members:
        member.backlog = 1e6
    world.run(10.0)
    account.allows = Rate(count=1, window_s=10.0) if storm_s else None
    for member, backlog in zip(members, backlogs, strict=True):
        member.backlog = backlog
    began_s = world.now_s
    world.run(storm_s)
    account.allows = None
    while any(member.backlog > 0 for member in members) and world.now_s < began_s + 60.0:
        world.run(0.05)
    return world.now_s - began_s


def test_a_crew_with_uneven_work_ends_together_nearly_as_soon_as_with_even_work() -> None:
    assert windows_until_done([100, 100, 100]) < 5.0
    assert windows_until_done([220, 40, 40]) < 1.1 * windows_until_done([100, 100, 100])


def test_refusals_near_the_end_are_got_over_as_soon_as_amid_a_run() -> None:
    assert windows_until_done([100, 100, 100], storm_s=0.3) < 7.0


def test_a_worker_that_can_send_again_has_its_part_of_a_minute_within_a_minute() -> None:
    world, account, (stuck, _) = crowd(MINUTE, 2)
    stuck.is_stuck = True
    world.run(100.0)
    wants = []
    for _ in range(60):
        world.run(1.0)
        wants.append(account.rows[stuck.name].parts[Pool.CREATES].want)
    assert (set(wants), stuck.share) == ({1}, 1), "it stays so"

    stuck.is_stuck = False
    stuck.pump()
    world.run(4.0)
    assert account.rows[stuck.name].parts[Pool.CREATES].want == WANTED
    world.run(66.0)
    assert stuck.share == 30


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("since_s", [0.0, 1.0])
def test_a_worker_that_cannot_send_leaves_its_part_to_those_who_can(since_s: float, seed: int) -> None:
    """Its calls wait for something that nobody is told of; what it has left does not become less."""
    world, _, (stuck, well) = crowd(SECOND, 2, seed)
    stuck.backlog = well.backlog = 1e6
    world.run(10.0)
    stuck.backlog = well.backlog = 160
    world.run(since_s)
    stuck.is_stuck, began_s, left = True, world.now_s, well.backlog
    while well.backlog > 0:
        world.run(0.05)

    assert world.now_s - began_s < 1.5 + left / 80  # a second until that is seen, and half of that until it is had


def test_other_settings_hold_from_the_next_beat_on() -> None:
    two = _Two()
    two.beat(0)
    two.holders[0].allow(creates=Rate(count=10, window_s=1.0), polls=SECOND, places=3)
    two.beat(0)

    assert two.holders[0].pacer(Pool.CREATES).rate == Rate(count=10, window_s=1.0)
    assert two.holders[0].places == 3


def test_calls_that_nobody_waits_for_any_more_give_their_slots_back_a_window_later() -> None:
    two = _Two()
    two.beat(0)
    holder = two.holders[0]
    creates = holder.pacer(Pool.CREATES)
    creates.leave(two.now_s)
    two.now_s += 100.0
    two.beat(0)
    assert two.rows["a"].parts[Pool.CREATES].used == 1

    holder.abandon(two.now_s)
    two.now_s += 60.0
    two.beat(0)
    assert two.rows["a"].parts[Pool.CREATES].used == 0
