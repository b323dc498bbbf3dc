"""Notifications on their way out: what is posted, how often, to whom, and that none of it can hurt a run."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pytest
from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from jobs.answers import Phase
from jobs.manifest import Notify
from jobs.notification import Event, News, Notification, signed
from jobs.record import Money
from jobs.steps import Notice
from runner.errors import AddressRefused, AuthError, DiskFull, LedgerLocked, TransportError
from runner.exchange import Poster
from runner.notify import PAUSE_HOLD_S, TOTAL_S, Notifier
from runner.notify_chat import Chat
from runner.notify_courier import TRIES, Courier, NotDelivered, Webhook
from runner.onward import Onward
from runner.reporter import RunOutcome, RunStarted, RunStatistics
from runner.secret import Secret
from runner.testing import MemoryPoster, run_virtual
from runner.transport import AiohttpPoster
from runner.transport.connections import Deadlines
from tests.runner.raw_server import Line, RawServer

NEWS = News(
    run="nightly",
    edition="",
    exit_code=3,
    counts={"succeeded": 1, "failed": 1},
    money=Money(settled=4),
    elapsed_s=5.0,
)
MESSAGE = Notification(event=Event.FAILED, news=NEWS)
KEY = "rvya_sk_test_0123456789abcdef"


# --- the seam: one post -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Received:
    headers: Mapping[str, str]
    body: bytes


class Stage(Protocol):
    """A poster, an address that answers as it was told, and what came there."""

    poster: Poster
    address: str

    def received(self) -> Sequence[Received]: ...


@dataclass(slots=True)
class MemoryStage:
    poster: MemoryPoster
    address: str = "http://127.0.0.1:9/hook?token=abc"

    def received(self) -> Sequence[Received]:
        return [Received(headers, body) for _, headers, body in self.poster.posts]


@dataclass(slots=True)
class WireStage:
    server: RawServer
    poster: Poster = field(default_factory=AiohttpPoster)

    @property
    def address(self) -> str:
        return f"{self.server.url}/hook?token=abc"

    def received(self) -> Sequence[Received]:
        return [Received(asked.headers, asked.body) for asked in self.server.asked]


def answering(*statuses: int) -> Callable[[Line], Any]:
    """Each connection gets the next status, the last one for ever; 0 hangs up."""

    async def script(line: Line) -> None:
        status = statuses[min(line.number, len(statuses)) - 1]
        await line.hear()
        if status:
            more = "Location: http://127.0.0.1:9/elsewhere\r\n" if 300 <= status < 400 else ""
            await line.say(f"HTTP/1.1 {status} So\r\n{more}Content-Length: 0\r\n\r\n".encode())

    return script


@asynccontextmanager
async def on_the_wire(*statuses: int) -> AsyncIterator[WireStage]:
    async with RawServer(answering(*statuses)) as server:
        yield WireStage(server)


@asynccontextmanager
async def in_memory(*statuses: int) -> AsyncIterator[MemoryStage]:
    lost = TransportError("No answer.", phase=Phase.SENT)
    yield MemoryStage(MemoryPoster(*(status or lost for status in statuses)))


@pytest.fixture(params=[in_memory, on_the_wire])
def stage(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("status", [200, 204, 302, 307, 404, 429, 500])
async def test_a_post_gives_the_status_whatever_it_is_and_follows_nothing(stage: Any, status: int) -> None:
    async with stage(status) as there:
        assert await there.poster.post(there.address, headers={"webhook-id": "m"}, body=b"{}") == status

        (came,) = there.received()
        assert (came.headers["webhook-id"], came.body) == ("m", b"{}")


async def test_a_post_that_nobody_answers_is_a_transport_error_without_the_address(stage: Any) -> None:
    async with stage(0) as there:
        with pytest.raises(TransportError) as failed:
            await there.poster.post(there.address, headers={}, body=b"{}")

    assert "abc" not in str(failed.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.com/hook",
        "https://10.0.0.1/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[fd00::1]/hook",
        "https://2130706433:444/hook",
        "https://example.com:8443/hook",
        "https://me:word@example.com/hook",
        "ftp://example.com/hook",
        "https://192.168.1.1/hook",
    ],
)
async def test_a_post_goes_to_public_https_or_to_this_machine_and_nowhere_else(stage: Any, address: str) -> None:
    async with stage(200) as there:
        with pytest.raises(AddressRefused) as refused:
            await there.poster.post(address, headers={}, body=b"{}")

        assert there.received() == []
    assert "word" not in str(refused.value)


class Leads(AbstractResolver):
    """Every name leads to one address."""

    def __init__(self, where: str) -> None:
        self._where = where

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await ThreadedResolver().resolve(self._where, port, family)  # type: ignore[arg-type]
        return [{**each, "hostname": host} for each in found]

    async def close(self) -> None: ...


@pytest.mark.parametrize("where", ["127.0.0.1", "10.1.2.3"])
async def test_a_name_that_leads_into_a_private_network_is_refused_when_it_is_connected_to(where: str) -> None:
    poster = AiohttpPoster(resolver=Leads(where))

    with pytest.raises(AddressRefused, match="private network"):
        await poster.post("https://hooks.example.com/token", headers={}, body=b"{}")


async def test_a_host_that_never_answers_is_left_after_some_seconds() -> None:
    async def silent(line: Line) -> None:
        await line.hear()
        await line.hear()

    async with RawServer(silent) as server:
        poster = AiohttpPoster(deadlines=Deadlines(connect_s=1.0, silence_s=0.05, exchange_s=0.1))
        with pytest.raises(TransportError):
            await poster.post(f"{server.url}/hook", headers={}, body=b"{}")


# --- a webhook --------------------------------------------------------------------------------------------------------


def webhook(poster: Poster, secret: str | None = "a-secret-to-sign") -> Webhook:
    return Webhook(
        poster,
        secret=None if secret is None else Secret(secret),
        wall_s=lambda: 1_700_000_000.0,
        scrub=Secret(KEY).scrub,
    )


async def test_a_webhook_is_one_signed_post_of_json(stage: Any) -> None:
    async with stage(200) as there:
        await webhook(there.poster).deliver(there.address, MESSAGE)

        (came,) = there.received()
    told = json.loads(came.body)
    assert (told["event"], told["run"], told["exit_code"]) == ("failed", "nightly", 3)
    expected = signed(came.body, secret="a-secret-to-sign", message_id=came.headers["webhook-id"], at_s=1_700_000_000)
    assert {name: came.headers[name] for name in expected} == expected
    assert len(expected) == 3


async def test_what_is_temporary_is_tried_again_with_the_same_id_and_body(stage: Any, no_waiting: None) -> None:
    async with stage(503, 0, 200) as there:
        await webhook(there.poster).deliver(there.address, MESSAGE)

        came = there.received()
    assert len(came) == 3
    assert len({one.headers["webhook-id"] for one in came}) == len({one.body for one in came}) == 1


@pytest.mark.parametrize(("status", "why"), [(302, "redirects are not followed"), (401, "secret"), (404, "HTTP 404")])
async def test_a_no_is_a_no_and_is_not_tried_again(stage: Any, status: int, why: str, no_waiting: None) -> None:
    async with stage(status) as there:
        with pytest.raises(NotDelivered, match=why):
            await webhook(there.poster).deliver(there.address, MESSAGE)

        assert len(there.received()) == 1


async def test_trouble_that_stays_is_tried_a_few_times_and_no_more(stage: Any, no_waiting: None) -> None:
    async with stage(500) as there:
        with pytest.raises(NotDelivered, match="HTTP 500"):
            await webhook(there.poster).deliver(there.address, MESSAGE)

        assert len(there.received()) == TRIES


async def test_a_webhook_never_carries_the_key_not_even_one_that_an_error_says_back() -> None:
    poster = MemoryPoster()
    news = News(run="a", edition="", exit_code=4, reason=f"the key {KEY} was refused", next_command=f"x {KEY}")

    await webhook(poster).deliver("https://example.com/hook", Notification(event=Event.FAILED, news=news))

    ((_, headers, body),) = poster.posts
    assert KEY.encode() not in body
    assert KEY not in str(headers)
    assert not [name for name in headers if name.lower() == "authorization"]


# --- chats ------------------------------------------------------------------------------------------------------------


# A library that one of the services needs imports what Python is about to drop; the service is left out then.
chats = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")


@chats
async def test_a_chat_service_is_reached_by_the_library_and_a_no_is_told() -> None:
    asked = []

    async def say_no(line: Line) -> None:
        request = await line.hear()
        if request is not None:
            asked.append(request)
            await line.say(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with RawServer(say_no) as server:
        host = server.url.removeprefix("http://")
        with pytest.raises(NotDelivered, match="did not take it"):
            await Chat().deliver(f"gotify://{host}/abcdefghijklmno", MESSAGE)

    (message,) = [json.loads(request.body) for request in asked]
    assert message["title"] == "nightly: some items failed"
    assert message["message"].startswith("nightly: some items failed (exit 3); 1 of 2 done, 1 failed")


@chats
async def test_words_of_others_are_text_in_a_message_that_is_a_page() -> None:
    asked = []

    async def say_yes(line: Line) -> None:
        asked.append(await line.hear())
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    news = replace(MESSAGE.news, reason="<img src=x>")
    async with RawServer(say_yes) as server:
        address = f"json://{server.url.removeprefix('http://')}/?format=html"
        await Chat().deliver(address, replace(MESSAGE, news=news))

    (request,) = asked
    assert request is not None
    assert "&lt;img&nbsp;src=x&gt;" in json.loads(request.body)["message"]


@chats
async def test_a_service_that_never_has_said_all_keeps_no_process_from_ending() -> None:
    async def drip(line: Line) -> None:
        while True:
            await line.say(b"220-one moment please\r\n")
            await asyncio.sleep(0.05)

    before = set(threading.enumerate())
    async with RawServer(drip) as server:
        address = f"mailto://me:pw@{server.url.removeprefix('http://')}/?to=a@b.example&from=a@b.example&mode=insecure"
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await Chat().deliver(address, MESSAGE)

        left = set(threading.enumerate()) - before
        assert left, "it is still listened to"
        assert all(thread.daemon for thread in left), "Python waits at its end for every other thread"


@chats
def test_the_library_says_which_addresses_it_can_read() -> None:
    chat = Chat()

    assert chat.reads("gotify://127.0.0.1/abcdefghijklmno")
    assert not chat.reads("slakc://a/b/c")
    assert logging.getLogger("apprise").handlers, "its log must not reach stderr by the handler of last resort"


# --- who is told, and when --------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Fake:
    """A courier that remembers, and does to an address what it was told."""

    does: Mapping[str, object] = field(default_factory=dict)
    told: list[tuple[str, Notification]] = field(default_factory=list)

    async def deliver(self, address: str, notification: Notification) -> None:
        self.told.append((address, notification))
        act = self.does.get(address)
        if isinstance(act, Exception):
            raise act
        if act == "hang":
            await asyncio.Event().wait()


def statistics(pauses: Mapping[str, str] | None = None) -> RunStatistics:
    return RunStatistics(
        counts={"succeeded": 2, "planned": 1},
        items=3,
        results={},
        saved_bytes=0,
        uploads_done=0,
        uploads_needed=0,
        credits=Money(settled=2),
        doubted_credits=0,
        cap_credits=9,
        pacers=(),
        pauses=pauses or {},
        elapsed_s=5.0,
    )


def outcome(exit_code: int, pauses: Mapping[str, str] | None = None) -> RunOutcome:
    return RunOutcome(
        run_id="nightly",
        exit_code=exit_code,
        statistics=statistics(pauses),
        done_before=0,
        creates=3,
        downloads={},
        pauses=pauses or {},
    )


def notifier(
    courier: Courier, warnings: list[str], *, on: Sequence[Any], urls: Sequence[str] = ("https://a/x",)
) -> Any:
    return Notifier(
        Notify(on=list(on), urls=list(urls)),
        run="nightly",
        edition="2026",
        onward=Onward(command="rivya-batch run nightly.yaml"),
        rehearsal=False,
        courier_for=lambda _: courier,
        warn=warnings.append,
    )


def paused(why: str) -> Notice:
    return Notice(name="paused", data={"why": why, "reason": f"because of {why}"})


def begun(pauses: Mapping[str, str]) -> RunStarted:
    return RunStarted(run_id="nightly", items=3, new=3, cap_credits=9, statistics=lambda: statistics(pauses))


ALL = ("finished", "failed", "budget", "attention")


def test_the_end_of_a_run_is_told_with_its_figures_and_the_next_command() -> None:
    courier, warnings = Fake(), list[str]()

    run_virtual(notifier(courier, warnings, on=ALL).tell_end(outcome(8)))

    ((address, told),) = courier.told
    assert (address, told.event, told.news.exit_code) == ("https://a/x", "failed", 8)
    assert told.news.next_command == "rivya-batch run nightly.yaml"
    assert (told.news.counts["succeeded"], told.news.money.settled) == (2, 2)
    assert warnings == []


@pytest.mark.parametrize(
    ("error", "exit_code", "reason"),
    [
        (AuthError("The key was refused."), 4, "The key was refused."),
        (LedgerLocked("Held by pid 4711."), 9, "Held by pid 4711."),
        (ExceptionGroup("", [AuthError("No."), ExceptionGroup("", [DiskFull("Full.")])]), 9, "Full."),
        (
            ZeroDivisionError("secret"),
            1,
            "A fault of rivya-batch itself: ZeroDivisionError. What was recorded is kept.",
        ),
    ],
)
def test_an_error_that_ends_a_run_is_told_too(error: Exception, exit_code: int, reason: str) -> None:
    courier = Fake()

    run_virtual(notifier(courier, [], on=["failed"]).tell_error(error))

    ((_, told),) = courier.told
    assert (told.event, told.news.exit_code, told.news.reason) == ("failed", exit_code, reason)


def test_a_pause_that_needs_a_person_is_told_once_while_the_run_goes_on() -> None:
    courier = Fake()
    telling = notifier(courier, [], on=ALL)

    async def life() -> None:
        telling.started(begun({"credits": "the balance is empty"}))
        telling.noticed(paused("credits"))
        telling.noticed(paused("network"))
        await asyncio.sleep(29)
        assert courier.told == []
        await asyncio.sleep(2)
        telling.noticed(paused("credits"))
        await asyncio.sleep(600)
        await telling.tell_end(outcome(5))

    run_virtual(life())

    first, last = [told for _, told in courier.told]
    assert (first.event, first.news.exit_code, first.news.reason) == ("attention", None, "the balance is empty")
    assert (last.event, last.news.exit_code) == ("budget", 5)


def test_a_pause_that_ends_the_run_at_once_is_told_by_its_end_alone() -> None:
    for on, event in ((ALL, "failed"), (("attention",), "attention")):
        courier = Fake()
        telling = notifier(courier, [], on=on)

        async def life(telling: Any = telling) -> None:
            telling.started(begun({"auth": "the key was refused"}))
            telling.noticed(paused("auth"))
            await telling.tell_end(outcome(4, {"auth": "the key was refused"}))
            await asyncio.sleep(PAUSE_HOLD_S * 2)

        run_virtual(life())

        ((_, told),) = courier.told
        assert (told.event, told.news.exit_code, told.news.reason) == (event, 4, "the key was refused")


def test_a_run_that_ends_while_its_pause_is_being_told_waits_until_it_is() -> None:
    class Slow(Fake):
        async def deliver(self, address: str, notification: Notification) -> None:
            await asyncio.sleep(5.0)
            await Fake.deliver(self, address, notification)

    courier, pauses = Slow(), {"auth": "the key was refused"}
    telling = notifier(courier, [], on=["attention"])

    async def life() -> None:
        telling.started(begun(pauses))
        telling.noticed(paused("auth"))
        await asyncio.sleep(PAUSE_HOLD_S + 1.0)
        await telling.tell_end(outcome(4, pauses))

    run_virtual(life())

    assert [told.event for _, told in courier.told] == [Event.ATTENTION]


def test_a_pause_that_somebody_ended_meanwhile_is_not_told() -> None:
    courier, pauses = Fake(), {"credits": "the balance is empty"}
    telling = notifier(courier, [], on=ALL)

    async def life() -> None:
        telling.started(begun(pauses))
        telling.noticed(paused("credits"))
        pauses.clear()
        await asyncio.sleep(PAUSE_HOLD_S * 2)

    run_virtual(life())

    assert courier.told == []


def test_whoever_cannot_be_told_is_a_warning_and_keeps_nobody_else_from_hearing() -> None:
    warnings = list[str]()
    urls = ["https://fine/1", "https://down/TOKEN", "slack://TOKEN/TOKEN", "https://slow/TOKEN"]
    courier = Fake(
        {
            urls[1]: NotDelivered("it answered HTTP 500"),
            urls[2]: RuntimeError("a library that says TOKEN"),
            urls[3]: "hang",
        }
    )

    async def night() -> float:
        began_s = asyncio.get_running_loop().time()
        await notifier(courier, warnings, on=ALL, urls=urls).tell_end(outcome(3))
        return asyncio.get_running_loop().time() - began_s

    assert run_virtual(night()) == pytest.approx(20.0), "somebody waits for the exit code"
    assert [address for address, _ in courier.told] == urls
    assert warnings == [
        "`failed` was not told to https://down: it answered HTTP 500",
        "`failed` was not told to slack://: the delivery broke (RuntimeError)",
        f"`failed` was not told to https://slow: nobody took it within {TOTAL_S:.0f} s",
    ]
