"""The way to Ray's workers without Ray: what is told, what is not waited for, and what goes wrong."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray.exceptions import RayError

from runner import compose, on_demand
from runner.errors import LedgerUnusable, UsageError
from runner.ledger.store import Database, local_place
from runner.settings import Settings
from runner.shards import ray_hand, ray_queue, ray_worker
from runner.shards.ray_queue import RayQueue, open_queue
from runner.shards.ray_worker import Inbox, RayWorker
from runner.shards.worker import SHARDS_MAX

STORE = Database(address="postgresql://user@127.0.0.1:1/db", account="mine", base_url="http://127.0.0.1:1")
PATIENCE_S = 20.0

# In the place of the process that speaks with Ray: one that writes down what it is told.
SCRIPT = """
import sys
{first}
for line in sys.stdin:
    open(sys.argv[1], "a").write(line)
    {each}
"""


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not is_so():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.01)


class Told:
    """What such a process was told."""

    def __init__(self, file: Path) -> None:
        self.file = file

    @property
    def orders(self) -> list[Any]:
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path / "told")


@asynccontextmanager
async def opened(monkeypatch: pytest.MonkeyPatch, told: Told, *, first: str, each: str = "") -> AsyncIterator[RayQueue]:
    script = SCRIPT.format(first=first, each=each or "pass")
    monkeypatch.setattr(ray_queue, "_LINE", (sys.executable, "-c", script, str(told.file)))
    async with asyncio.timeout(PATIENCE_S), open_queue(STORE) as queue:
        yield queue


THERE = "print('\"\"', flush=True)"


async def test_whoever_speaks_with_ray_is_told_where_the_ledger_is_and_then_numbers(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    async with opened(monkeypatch, told, first=THERE) as queue:
        await queue.submit([1, 2])
        await queue.submit([])
        await queue.sweep()
        await until(lambda: len(told.orders) == 2)

    where = {"store": STORE.address, "account": "mine", "base_url": "http://127.0.0.1:1"}
    assert told.orders == [{"address": "local", "ledger": local_place(STORE).name, "where": where}, [1, 2], "leave"]


def test_ledgers_of_one_account_in_two_databases_have_workers_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, names = Cluster(1), list[str]()
    monkeypatch.setattr(ray_hand, "ray", cluster)
    for database in ("production", "staging", "staging"):
        store = replace(STORE, address=f"postgresql://user@127.0.0.1:1/{database}")
        order: dict[str, Any] = RayQueue(store, {"RAY_ADDRESS": "auto"})._order
        ray_hand._Hand(order["ledger"], order["where"], names.append).submit([1])
        names.append(cluster.options["name"])

    assert names[0] != names[1] == names[2]


async def test_signals_of_our_terminal_and_the_folder_of_a_manifest_are_nothing_to_ray(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    first = "import json, os; print(json.dumps(''), flush=True); print(json.dumps(os.getcwd()), flush=True)"
    async with opened(monkeypatch, told, first=first) as queue:
        await until(lambda: queue.remedy == "/")
        assert queue._process is not None
        assert os.getsid(queue._process.pid) == queue._process.pid


async def test_the_way_to_ray_is_made_anew_where_it_broke(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    each = 'if line == "[1]\\n": raise SystemExit'
    async with opened(monkeypatch, told, first=THERE, each=each) as queue:
        await queue.submit([1])
        await until(lambda: queue._listening is not None and queue._listening.done())
        await queue.submit([2])
        await until(lambda: len(told.orders) > 2)
        await queue.submit([3])
        await until(lambda: [3] in told.orders)

    begun = [order for order in told.orders if isinstance(order, dict)]
    assert len(begun) == 2
    assert begun[0] == begun[1]


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("print('\"no such cluster\"', flush=True); raise SystemExit", "Ray at local cannot be had: no such cluster"),
        ("raise SystemExit", "Ray at local cannot be had: it said nothing"),
    ],
)
async def test_a_ray_that_cannot_be_had_is_told_before_anything_begins(
    monkeypatch: pytest.MonkeyPatch, told: Told, first: str, words: str
) -> None:
    with pytest.raises(LedgerUnusable, match=words):
        async with opened(monkeypatch, told, first=first):
            raise AssertionError("it was there")


async def no_process(*_: object, **__: object) -> None:
    raise OSError(errno.EMFILE, "Too many open files")


async def test_a_machine_that_cannot_begin_a_process_now_is_asked_again_at_the_next_sweep(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    each = 'if line == "[1]\\n": raise SystemExit'
    async with opened(monkeypatch, told, first=THERE, each=each) as queue:
        await queue.submit([1])
        await until(lambda: queue._listening is not None and queue._listening.done())
        with monkeypatch.context() as short:
            short.setattr(asyncio, "create_subprocess_exec", no_process)
            await queue.submit([2])
        assert "Too many open files" in queue.remedy
        await queue.submit([2])
        await until(lambda: len(told.orders) > 2)


async def test_a_machine_that_can_begin_no_process_is_told_before_anything_begins(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_process)
    with pytest.raises(LedgerUnusable, match="Too many open files") as caught:
        async with opened(monkeypatch, told, first=THERE):
            raise AssertionError("it was there")
    assert caught.value.code == "ray-unusable"
    assert "RAY_ADDRESS" not in caught.value.next_step


async def test_nobody_waits_for_a_ray_that_is_silent(monkeypatch: pytest.MonkeyPatch, told: Told) -> None:
    monkeypatch.setattr(ray_queue, "END_S_MAX", 0.1)
    async with opened(monkeypatch, told, first=THERE + "\nimport time; time.sleep(600)") as queue:
        began_s = time.monotonic()
        for _ in range(50):
            await queue.submit(list(range(20_000)))
        process = queue._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdin.transport.get_write_buffer_size() < 500_000
    assert time.monotonic() - began_s < PATIENCE_S / 2
    assert await process.wait() < 0


async def test_what_went_wrong_is_what_a_person_is_told_when_nobody_works(
    monkeypatch: pytest.MonkeyPatch, told: Told
) -> None:
    each = "print('\"that of node 1 has ended: no key\"', flush=True)"
    async with opened(monkeypatch, told, first=THERE, each=each) as queue:
        await queue.submit([1])
        await until(lambda: "no key" in queue.remedy)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://user:hush@127.0.0.1/db",
        "postgresql://user:#hush@127.0.0.1/db",
        "postgresql://user:2024#hush@127.0.0.1/db",
        "postgresql://user:77?hush@127.0.0.1/db",
        "postgresql://user:77/hush@127.0.0.1/db",  # the client takes that for a port, whoever wrote it does not
        "postgresql://user:***@127.0.0.1/db",
        "postgresql://127.0.0.1/db?password=hush",
        "postgresql://127.0.0.1/db?pass%77ord=hush",
    ],
)
async def test_a_password_in_the_address_never_reaches_ray(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(ray_queue, "_LINE", (sys.executable, "-c", ""))
    store = Database(address=address, account="mine", base_url="http://127.0.0.1:1")
    with pytest.raises(UsageError) as caught:
        async with open_queue(store):
            raise AssertionError("it was opened")
    assert caught.value.code == "store-password-shown"
    assert "hush" not in str(caught.value)


def test_without_the_extra_one_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="needs ray, which is not installed") as caught:
        compose._queue_of(Settings(engine="ray", store=STORE))
    assert caught.value.next_step == "pip install 'rivya-batch[ray]'"


@pytest.mark.parametrize("engine", ["procrastinate", "ray"])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(store=Path("a.db")), "--store postgresql://"),
        (Settings(store=STORE, embedded=True), "leave --sim out"),
    ],
)
def test_an_engine_with_workers_needs_what_they_reach(engine: str, settings: Settings, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        compose._queue_of(Settings(engine=engine, store=settings.store, embedded=settings.embedded))
    assert words in caught.value.next_step


async def test_a_shard_that_is_told_of_twice_waits_once_and_so_many_are_taken_at_once() -> None:
    inbox, taken, go = Inbox(), list[int](), asyncio.Event()

    async def take(shard_id: int) -> None:
        taken.append(shard_id)
        await go.wait()

    serving = asyncio.create_task(inbox.serve(take))
    inbox.put(range(20))
    await until(lambda: len(taken) == SHARDS_MAX)
    inbox.put(range(8, 25))
    go.set()
    await until(lambda: len(taken) == 25)
    serving.cancel()
    await asyncio.wait({serving})

    assert taken == list(range(25))


async def test_a_worker_of_rays_that_cannot_work_says_why_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = asyncio.Event()
    monkeypatch.setattr(ray_worker, "_end", ended.set)
    monkeypatch.setattr(ray_worker, "GONE_S", 0.0)
    monkeypatch.delenv("RIVYA_API_KEY", raising=False)
    worker = RayWorker({"store": STORE.address, "account": "mine", "base_url": "http://127.0.0.1:1"})

    assert "There is no API key" in await worker.live()
    async with asyncio.timeout(PATIENCE_S):
        await ended.wait()
    assert "There is no API key" in await worker.live()


async def test_a_worker_of_rays_leaves_when_it_is_told_or_had_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_worker, "_end", lambda: None)
    monkeypatch.setattr(ray_worker, "IDLE_S", 0.2)
    monkeypatch.setenv("RIVYA_API_KEY", "rvya_sk_" + "canary0123456789")
    where = {"store": STORE.address, "account": "mine", "base_url": "http://127.0.0.1:1"}
    idle, told = RayWorker(where), RayWorker(where)
    async with asyncio.timeout(PATIENCE_S):
        await told.leave()
        assert await told.live() == ""
        assert await idle.live() == ""


class Cluster(SimpleNamespace):
    """Ray, as far as it is asked: nodes with workers that end when a test says so."""

    def __init__(self, nodes: int) -> None:
        super().__init__()
        self.up = nodes
        self.made: list[str] = []
        self.options: dict[str, Any] = {}
        self.ended: dict[str, str] = {}
        self.heard: dict[str, list[int]] = {}

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": f"{number:056x}", "Alive": number < self.up} for number in range(200)]

    def remote(self, _: type) -> Any:
        return self._made

    @property
    def _made(self) -> Any:
        def options(**given: Any) -> Any:
            self.options = given
            return SimpleNamespace(remote=lambda where: self._actor(given["name"].partition(":")[2]))

        return SimpleNamespace(options=options)

    def _actor(self, node: str) -> Any:
        self.made.append(node)
        life = f"{node}-{len(self.made)}"
        take = SimpleNamespace(remote=self.heard.setdefault(node, []).extend)
        return SimpleNamespace(live=SimpleNamespace(remote=lambda: life), take=take)

    def wait(self, lives: list[str], **_: Any) -> tuple[list[str], list[str]]:
        return [life for life in lives if life in self.ended], []

    def get(self, life: str) -> str:
        if self.ended[life] == "died":
            raise RayError("The actor died.\nmore")
        return self.ended[life]

    def kill(self, _: Any) -> None:
        raise RayError("it is gone already")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now_s = [1000.0]
    monkeypatch.setattr(ray_hand, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    return now_s


def hand_on(monkeypatch: pytest.MonkeyPatch, cluster: Cluster) -> tuple[Any, list[str]]:
    monkeypatch.setattr(ray_hand, "ray", cluster)
    told: list[str] = []
    return ray_hand._Hand("ledger", {}, told.append), told


def test_each_node_gets_one_worker_and_its_turn_to_hear_of_each_shard(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    cluster = Cluster(3)
    hand, told = hand_on(monkeypatch, cluster)
    for _ in range(3):
        hand.submit([7, 8])

    assert len(cluster.made) == len(set(cluster.made)) == 3
    assert [sorted(heard) for heard in cluster.heard.values()] == [[7, 8]] * 3
    assert (cluster.options["max_restarts"], cluster.options["max_task_retries"]) == (0, 0)
    assert told == []


def test_a_large_cluster_gets_no_more_workers_than_a_database_likes(
    monkeypatch: pytest.MonkeyPatch, clock: list[float]
) -> None:
    cluster = Cluster(200)
    hand_on(monkeypatch, cluster)[0].submit([1])

    assert len(cluster.made) == ray_hand.NODES_MAX


@pytest.mark.parametrize(
    ("words", "line"), [("There is no API key.", "There is no API key."), ("died", "The actor died.")]
)
def test_a_worker_that_died_or_cannot_work_is_told_and_begun_again_after_a_while(
    monkeypatch: pytest.MonkeyPatch, clock: list[float], words: str, line: str
) -> None:
    cluster = Cluster(1)
    hand, told = hand_on(monkeypatch, cluster)
    hand.submit([1])
    cluster.ended[f"{cluster.made[0]}-1"] = words
    hand.submit([1])
    assert len(cluster.made) == 1
    clock[0] += ray_hand.AGAIN_S
    hand.submit([1])

    assert len(cluster.made) == 2
    assert told == [f"that of 00000000 has ended: {line}"]


def test_a_worker_that_had_left_is_begun_again_at_once(monkeypatch: pytest.MonkeyPatch, clock: list[float]) -> None:
    cluster = Cluster(1)
    hand, told = hand_on(monkeypatch, cluster)
    hand.submit([1])
    cluster.ended[f"{cluster.made[0]}-1"] = ""
    hand.submit([1])

    assert len(cluster.made) == 2
    assert told == []


def test_of_a_page_that_ray_says_the_line_that_matters_is_told() -> None:
    assert ray_hand._line_of(RayError("Traceback (most recent call last):\n  File\nModuleNotFoundError: runner\n")) == (
        "ModuleNotFoundError: runner"
    )
    assert ray_hand._line_of(RayError("gone\nmore")) == "gone"
    assert ray_hand._line_of(RayError("")) == "RayError"
    assert len(ray_hand._line_of(RayError("x" * 9000))) == ray_hand.TROUBLE_CHARS_MAX


def test_what_ray_writes_to_our_pipes_goes_nowhere(tmp_path: Path) -> None:
    script = (
        "import os; from runner.shards.ray_hand import _wires\n"
        "orders, tell = _wires(); print('noise', flush=True); os.write(1, b'noise'); tell(orders.readline())"
    )
    done = subprocess.run([sys.executable, "-c", script], input="one\n", capture_output=True, text=True, check=True)

    assert done.stdout == '"one\\n"\n'
