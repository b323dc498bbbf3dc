"""What a courier brings to an address, and how often it tries: a signed post to a webhook, a message to a chat."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from dataclasses import replace

import pytest

from jobs.notification import Event, News, Notification, signed
from jobs.record import Money
from runner.exchange import Poster
from runner.notify_chat import Chat
from runner.notify_courier import TRIES, NotDelivered, Webhook
from runner.secret import Secret
from runner.testing import MemoryPoster
from tests.runner.poster_stage import STAGES, Staged
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


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Staged:
    staged: Staged = request.param
    return staged


# A webhook


def webhook(poster: Poster, secret: str | None = "a-secret-to-sign") -> Webhook:
    return Webhook(
        poster,
        secret=None if secret is None else Secret(secret),
        wall_s=lambda: 1_700_000_000.0,
        scrub=Secret(KEY).scrub,
    )


async def test_a_webhook_is_one_signed_post_of_json(stage: Staged) -> None:
    async with stage(200) as there:
        await webhook(there.poster).deliver(there.address, MESSAGE)

        (came,) = there.received()
    told = json.loads(came.body)
    assert (told["event"], told["run"], told["exit_code"]) == ("failed", "nightly", 3)
    expected = signed(came.body, secret="a-secret-to-sign", message_id=came.headers["webhook-id"], at_s=1_700_000_000)
    assert {name: came.headers[name] for name in expected} == expected
    assert len(expected) == 3


async def test_what_is_temporary_is_tried_again_with_the_same_id_and_body(stage: Staged, no_waiting: None) -> None:
    async with stage(503, 0, 200) as there:
        await webhook(there.poster).deliver(there.address, MESSAGE)

        came = there.received()
    assert len(came) == 3
    assert len({one.headers["webhook-id"] for one in came}) == len({one.body for one in came}) == 1


@pytest.mark.parametrize(("status", "why"), [(302, "redirects are not followed"), (401, "secret"), (404, "HTTP 404")])
async def test_a_no_is_a_no_and_is_not_tried_again(stage: Staged, status: int, why: str, no_waiting: None) -> None:
    async with stage(status) as there:
        with pytest.raises(NotDelivered, match=why):
            await webhook(there.poster).deliver(there.address, MESSAGE)

        assert len(there.received()) == 1


async def test_trouble_that_stays_is_tried_a_few_times_and_no_more(stage: Staged, no_waiting: None) -> None:
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


# Chats


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
