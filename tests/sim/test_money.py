"""Prices, holds, charges, refunds: credits are neither made nor lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.sim.profile import Profile
from runner.sim.wallet import Wallet
from tests.sim.conftest import Talk, talk

VIDEO: dict[str, Any] = {"model": "seedance-1-5-pro", "prompt": "waves"}
SPEECH: dict[str, Any] = {
    "model": "elevenlabs-multilingual-v2",
    "prompt": "x",
    "params": {"voice": "TX3LPaxmHKxFdv7VOQHJ"},
}
LATER_S = 3600.0


def adds_up(service: Talk) -> bool:
    stats = service.simulator.stats()
    initial = service.simulator.profile.initial_credits * len(stats.balance)
    return sum(stats.balance.values()) + stats.held_total + stats.charged_total + stats.outside_total == initial


def test_a_create_holds_its_price_and_the_end_charges_it(service: Talk) -> None:
    _, task = service.create(**VIDEO)
    held = service.simulator.stats()
    assert (service.balance(), held.held_total, held.charged_total) == (99_972, 28, 0)
    assert task["final_credits"] == 0
    service.now_s += LATER_S

    assert service.status(task["id"])["final_credits"] == 28
    assert (service.simulator.stats().held_total, service.simulator.stats().charged_total) == (0, 28)


@pytest.mark.parametrize(
    ("price_rule", "params", "price"),
    [
        ("base", {"duration": "12", "resolution": "1080p"}, 28),
        ("scaled", {}, 28),
        ("scaled", {"duration": "8", "resolution": "720p"}, 28),
        ("scaled", {"duration": "4"}, 14),
        ("scaled", {"duration": "12"}, 42),
        ("scaled", {"duration": "12", "resolution": "1080p"}, 95),
    ],
)
def test_prices_follow_the_rule_of_the_profile(price_rule: str, params: dict[str, str], price: int) -> None:
    _, task = talk(price_rule=price_rule).create(**VIDEO, params=params)

    assert task["reserved_credits"] == price


def test_some_creates_can_cost_more_than_anyone_expected() -> None:
    service = talk(surprise_share=0.3, surprise_factor=3.0)
    prices = [service.create(f"k{n}", **VIDEO)[1]["reserved_credits"] for n in range(40)]

    assert set(prices) == {28, 84}
    assert 4 <= prices.count(84) <= 20


@pytest.mark.parametrize(
    ("metered_final", "lowest", "highest"), [("same", 12, 12), ("lower", 8, 12), ("higher", 12, 16), ("either", 8, 16)]
)
def test_the_final_price_of_a_metered_model_may_differ(metered_final: str, lowest: int, highest: int) -> None:
    service = talk(metered_final=metered_final, metered_spread=0.3)
    tasks = [service.create(f"k{n}", **SPEECH)[1]["id"] for n in range(20)]
    service.now_s += LATER_S
    finals = [service.status(task)["final_credits"] for task in tasks]

    assert lowest <= min(finals) <= max(finals) <= highest
    assert (len(set(finals)) > 1) is (metered_final != "same")
    assert service.simulator.stats().charged_total == sum(finals)


@pytest.mark.parametrize(
    ("refund", "at_once", "later"), [("immediate", 0, 0), ("late", 28, 0), ("partial", 14, 14), ("none", 28, 28)]
)
def test_a_failed_task_gives_back_all_late_half_or_nothing(refund: str, at_once: int, later: int) -> None:
    service = talk(refund=refund, fail_share=1.0, refund_delay_s=10_000.0, refund_share=0.5)
    _, task = service.create(**VIDEO)
    service.now_s += LATER_S
    failed = service.status(task["id"])
    assert (failed["status"], failed["final_credits"], service.balance()) == ("failed", at_once, 100_000 - at_once)
    service.now_s += 10_000

    assert (service.status(task["id"])["final_credits"], service.balance()) == (later, 100_000 - later)
    assert service.simulator.stats().charged_total == later


@pytest.mark.parametrize("status", ["402", "400", "403"])
def test_too_few_credits_is_an_error_with_the_status_of_the_profile(status: str) -> None:
    service = talk(initial_credits=27, insufficient_as=status)

    assert service.code(service.create(**VIDEO)) == (int(status), "insufficient_credits")
    assert service.balance() == 27


def test_too_few_credits_may_be_a_task_born_failed() -> None:
    service = talk(initial_credits=27, insufficient_as="born_failed")
    status, task = service.create(**VIDEO)

    assert (status, task["status"], task["error"]["code"]) == (200, "failed", "insufficient_credits")
    assert (task["final_credits"], service.balance()) == (0, 27)


def test_someone_else_spends_from_the_same_wallet() -> None:
    service = talk(outside_credits=40_000, outside_every_s=60.0)
    balances = [service.balance()]
    for _ in range(3):
        service.now_s += 60
        balances.append(service.balance())

    assert balances == [100_000, 60_000, 20_000, 0]
    assert service.simulator.stats().outside_total == 200_000


step = st.tuples(
    st.sampled_from(["create", "replay", "wait", "fail"]), st.integers(0, 5), st.floats(0, 90, allow_nan=False)
)
profiles = st.fixed_dictionaries(
    {
        "refund": st.sampled_from(["immediate", "late", "partial", "none"]),
        "metered_final": st.sampled_from(["same", "lower", "higher", "either"]),
        "price_rule": st.sampled_from(["base", "scaled"]),
        "insufficient_as": st.sampled_from(["402", "born_failed"]),
        "surprise_share": st.sampled_from([0.0, 0.5]),
        "stuck_share": st.sampled_from([0.0, 0.3]),
        "initial_credits": st.integers(0, 120),
        "outside_credits": st.sampled_from([0, 3]),
        "idempotency": st.booleans(),
    }
)


@settings(max_examples=60, deadline=None)
@given(switches=profiles, steps=st.lists(step, max_size=14), seed=st.integers(0, 99))
def test_credits_are_conserved_whatever_happens(
    switches: dict[str, Any], steps: list[tuple[str, int, float]], seed: int
) -> None:
    service = talk([{"match": {"prompt_contains": "fail"}, "do": {"fail": "upstream_error"}}], seed=seed, **switches)
    for what, number, seconds in steps:
        service.now_s += seconds
        body = SPEECH if number % 2 else VIDEO
        service.create(f"{what}{number}", **{**body, "prompt": what})
        assert adds_up(service)
    service.now_s += 10 * LATER_S
    service.balance()

    stats = service.simulator.stats()
    assert adds_up(service)
    stuck = stats.tasks_open
    assert (stats.held_total == 0) is (stuck == 0)


def test_a_wallet_remembers_every_movement() -> None:
    wallet = Wallet(account="a", initial=Profile().initial_credits)
    wallet.reserve(1.0, "t", 10)
    wallet.settle(2.0, "t", 10, 7)
    wallet.refund(3.0, "t", 7)

    assert [(move.kind, move.credits) for move in wallet.moves] == [("reserve", 10), ("settle", -3), ("refund", -7)]
    assert (wallet.balance, wallet.held, wallet.charged) == (wallet.initial, 0, 0)
