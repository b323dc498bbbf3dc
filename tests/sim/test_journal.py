"""A simulator that is killed and started again knows its tasks, keys, files and money."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from runner.sim.core import Simulator
from runner.sim.exchange import Fact
from runner.sim.journal import Journal, JournalError, open_journal
from runner.sim.profile import DEMO_KEY, Profile
from runner.sim.server import serve
from tests.sim.conftest import CATALOGUE, Z_IMAGE, Talk, talk

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
LATER_S = 3600.0
KEY = {"Authorization": f"Bearer {DEMO_KEY}"}


class Remembering(Talk):
    """Keeps the facts of every answer, as a door with a journal does."""

    facts: list[Fact]

    def send(self, *args: Any, **named: Any) -> tuple[int, Any]:
        answer = super().send(*args, **named)
        self.facts = [*getattr(self, "facts", []), *self.last.facts]
        return answer


def reborn(service: Remembering) -> Talk:
    facts = [orjson.loads(orjson.dumps(fact)) for fact in service.facts]
    simulator = Simulator(service.simulator.profile, CATALOGUE, service.simulator.seed)
    simulator.restore(facts)
    return Talk(simulator=simulator, now_s=service.now_s)


def busy(**switches: Any) -> Remembering:
    service = Remembering(simulator=talk(**switches).simulator)
    for n in range(8):
        service.create(f"k{n}", **{**Z_IMAGE, "model": ["z-image", "suno-music", "seedance-1-5-pro"][n % 3]})
        service.now_s += 20
    service.upload(PNG, kind="image")
    return service


def test_a_second_life_gives_the_same_answers_as_the_first() -> None:
    service = busy(fail_share=0.3, refund="late", metered_final="higher", outside_credits=5)
    again = reborn(service)
    for later_s in (0.0, 10.0, 500.0, LATER_S):
        for talker in (service, again):
            talker.now_s += later_s
        first = [service.status(task) for task in service.simulator._world.tasks]
        second = [again.status(task) for task in again.simulator._world.tasks]
        assert first == second
        assert service.balance() == again.balance()
    before, after = service.simulator.stats(), again.simulator.stats()

    assert (before.charged_total, before.outside_total, before.sends) == (
        after.charged_total,
        after.outside_total,
        after.sends,
    )


def test_a_second_life_knows_keys_and_files() -> None:
    service = busy()
    again = reborn(service)

    assert again.create("k0", **Z_IMAGE) == service.create("k0", **Z_IMAGE)
    assert again.code(again.create("k0", model="z-image", prompt="other")) == (409, "idempotency_conflict")
    assert again.simulator.stats().uploads == 1
    assert again.upload(PNG, kind="image")[1]["id"] == service.upload(PNG, kind="image")[1]["id"]


def test_a_second_life_knows_a_poisoned_key() -> None:
    fault = [{"match": {"endpoint": "create", "nth": 1}, "do": {"status": 500}}]
    service = Remembering(simulator=talk(fault, remembers=("5xx",)).simulator)
    service.create("k")

    assert reborn(service).create("k")[0] == 500


def test_a_file_is_known_under_the_address_of_another_port() -> None:
    service = busy()
    _, file = service.upload(PNG, kind="image")
    item = {"url": file["url"].replace("sim.invalid", "127.0.0.1:9"), "kind": "image"}

    assert service.create(model="seedance-1-5-pro", prompt="x", params={"referenceMediaItems": [item]})[0] == 200


def test_a_torn_last_line_is_dropped_and_the_journal_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal"
    journal = open_journal(path, 7)
    journal.write([{"fact": "start", "at_s": 1.0}])
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"fact":"task","prompt":"longer than the line that is written next')

    journal = open_journal(path, 7)
    journal.write([{"fact": "start", "at_s": 2.0}])
    journal.close()
    last = open_journal(path, 7)
    last.close()

    assert last.facts == [{"fact": "start", "at_s": 1.0}, {"fact": "start", "at_s": 2.0}]


@pytest.mark.parametrize("damage", [b"not json\n", b"[]\n", b'{"no":"fact"}\n'])
def test_a_damaged_journal_is_refused_with_the_line(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "journal"
    open_journal(path, 7).close()
    with path.open("ab") as file:
        file.write(damage)

    with pytest.raises(JournalError, match="line 2"):
        open_journal(path, 7)


def test_a_journal_of_another_seed_is_refused(tmp_path: Path) -> None:
    open_journal(tmp_path / "journal", 7).close()

    with pytest.raises(JournalError, match="seed 7, not 1 and 8"):
        open_journal(tmp_path / "journal", 8)


async def test_a_restarted_server_is_at_its_old_port_and_has_its_old_tasks(tmp_path: Path) -> None:
    profile = Profile(durations=(("*", 0.01),), queue_s=0.01)
    path = tmp_path / "journal"
    seen = []
    for _ in range(2):
        async with (
            serve(Simulator(profile, CATALOGUE, 7), journal=path, fidelity="fast") as server,
            aiohttp.ClientSession(server.base_url, headers={**KEY, "Idempotency-Key": "k"}) as client,
        ):
            async with client.post("/api/v1/generations", json=Z_IMAGE) as answer:
                task = await answer.json()
            await asyncio.sleep(0.03)
            async with client.get(f"/api/v1/generations/{task['id']}") as answer:
                state = await answer.json()
            async with client.get("/__sim__/stats") as answer:
                stats = await answer.json()
            seen.append((server.base_url, task["id"], state["status"], len(stats["sends"]), stats["tasks"]))

    (url, task_id, status, _, _), second = seen
    assert status == "succeeded"
    assert second == (url, task_id, "succeeded", 2, 1)


async def test_whoever_cuts_the_goodbyes_short_leaves_the_journal_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journals: list[Journal] = []

    def opened(path: Path, seed: int) -> Journal:
        journals.append(open_journal(path, seed))
        return journals[-1]

    monkeypatch.setattr("runner.sim.server.open_journal", opened)
    up: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def life() -> None:
        async with serve(Simulator(Profile(), CATALOGUE, 7), journal=tmp_path / "journal") as server:
            up.set_result(int(server.base_url.rpartition(":")[2]))
            await asyncio.Event().wait()

    living = asyncio.create_task(life())
    _, writer = await asyncio.open_connection("127.0.0.1", await up)
    writer.write(b"POST /api/v1/generations HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")  # and no body
    await writer.drain()
    while not living.done():
        living.cancel()
        await asyncio.sleep(0)
    writer.close()

    with pytest.raises(ValueError, match="closed file"):
        journals[0].write([{"fact": "late"}])
