"""The service in domain words, over mocked answers of every kind."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses

from jobs.answers import ErrorSeen, Phase
from runner.errors import AuthError, RunnerError, ServiceRefused, TransportError, Unreachable
from runner.exchange import Request, Response
from runner.secret import Secret
from runner.service import TRIES, Service
from runner.transport import AiohttpTransport

BASE = "https://rivya.test"
CREATES = f"{BASE}/api/v1/generations"
TASKS = f"{CREATES}/task_1"
CREDITS = f"{BASE}/api/v1/credits"
MODELS = f"{BASE}/api/v1/models"
FILES = f"{BASE}/api/v1/files"
TASK = {"id": "task_1", "status": "queued", "model": "z-image", "reserved_credits": 1, "final_credits": 0}

pytestmark = pytest.mark.usefixtures("no_waiting")


@pytest.fixture
def world() -> Iterator[aioresponses]:
    with aioresponses() as mocked:
        yield mocked


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with AiohttpTransport(BASE, Secret("rvya_sk_test")) as transport:
        yield Service(transport)


def envelope(code: str, message: str = "No.") -> dict[str, object]:
    return {"error": {"code": code, "message": message, "requestId": "req_1"}}


async def create(service: Service) -> Any:
    return await service.create(idempotency_key="k1", body=b'{"model":"z-image"}')


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 299])
async def test_any_2xx_with_a_task_is_a_task(world: aioresponses, service: Service, status: int) -> None:
    world.post(CREATES, status=status, payload=TASK, headers={"Date": "Sun, 06 Nov 1994 08:49:37 GMT"})

    end = await create(service)

    assert (end.phase, end.status, end.task.id, end.task.reserved_credits) == (Phase.ANSWERED, status, "task_1", 1)
    assert (end.error, end.reason, end.server_epoch_s) == (None, "", 784111777.0)


async def test_a_create_sends_its_key_and_exactly_its_bytes(world: aioresponses, service: Service) -> None:
    world.post(CREATES, payload=TASK)

    await service.create(idempotency_key="k1", body=b'{"b":1, "a":2}')

    [[call]] = world.requests.values()
    assert call.kwargs["data"] == b'{"b":1, "a":2}'
    assert call.kwargs["headers"]["Idempotency-Key"] == "k1"
    assert call.kwargs["allow_redirects"] is False


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "HTTP 200 with an empty body"),
        (b"<html><h1>Sign in</h1>", "HTTP 200, HTML body: <html><h1>Sign in</h1>"),
        (b"\xef\xbb\xbf\n <!doctype html>", "HTTP 200, HTML body: <!doctype html>"),
        (b"\x1b[31mred\r\nline", "HTTP 200, unexpected body: \\x1b[31mred\\r\\nline"),
        (b"x" * 1000, "HTTP 200, unexpected body: " + "x" * 200),
        (b'{"id":', 'HTTP 200, unexpected body: {"id":'),
        (b'{"status":"queued"}', 'HTTP 200, unexpected body: {"status":"queued"}'),
        (b'{"id":7}', 'HTTP 200, unexpected body: {"id":7}'),
        (b'{"task_id":"task_1"}', 'HTTP 200, unexpected body: {"task_id":"task_1"}'),
        (b'{"error":{"code":"oops","message":"m"}}', "HTTP 200 oops: m"),
    ],
)
async def test_a_2xx_without_a_task_says_what_came_instead(
    world: aioresponses, service: Service, body: bytes, reason: str
) -> None:
    world.post(CREATES, body=body)

    end = await create(service)

    assert (end.phase, end.status, end.task, end.reason) == (Phase.ANSWERED, 200, None, reason)


async def test_204_is_no_task(world: aioresponses, service: Service) -> None:
    world.post(CREATES, status=204)

    assert (await create(service)).reason == "HTTP 204 with an empty body"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "public_api_disabled"),
        (401, "api_key_missing"),
        (401, "api_key_invalid"),
        (401, "api_key_revoked"),
        (401, "api_key_expired"),
        (403, "api_scope_denied"),
        (429, "rate_limited"),
        (400, "validation_failed"),
        (404, "not_found"),
        (400, "webhook_url_rejected"),
        (400, "chat_model_not_supported"),
        (409, "chat_session_conflict"),
        (400, "chat_attachment_not_supported"),
        (409, "idempotency_conflict"),
        (402, "insufficient_credits"),
        (500, "internal_error"),
        (418, "never_heard_of"),
    ],
)
async def test_every_documented_error_is_told_and_sent_once(
    world: aioresponses, service: Service, status: int, code: str
) -> None:
    world.post(CREATES, status=status, payload=envelope(code), repeat=True)
    world.get(TASKS, status=status, payload=envelope(code), repeat=True)

    for end in (await create(service), await service.status("task_1")):
        assert end.error == ErrorSeen(code=code, message="No.", request_id="req_1")
        assert (end.phase, end.status, end.request_id) == (Phase.ANSWERED, status, "req_1")
        assert end.reason == f"HTTP {status} {code}: No."
    assert [len(calls) for calls in world.requests.values()] == [1, 1]


@pytest.mark.parametrize("status", [400, 403, 413, 499, 500, 502, 503, 504, 520, 524])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message":"x"}', b'{"error":"x"}', b"\xff\xfe"])
async def test_errors_without_the_envelope_have_only_their_status(
    world: aioresponses, service: Service, status: int, body: bytes
) -> None:
    world.post(CREATES, status=status, body=body, headers={"X-Request-Id": "edge_1"})

    end = await create(service)

    assert (end.phase, end.status, end.error, end.task, end.request_id) == (
        Phase.ANSWERED,
        status,
        None,
        None,
        "edge_1",
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_names_its_host_only(world: aioresponses, service: Service, status: int) -> None:
    world.post(CREATES, status=status, headers={"Location": "https://login.test/?token=secret"})

    end = await create(service)

    assert end.reason == f"HTTP {status}, a redirect to login.test, which is never followed"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0), ("soon", None)])
async def test_retry_after_comes_along(
    world: aioresponses, service: Service, header: str, seconds: float | None
) -> None:
    headers = {"Retry-After": header, "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}
    world.post(CREATES, status=429, payload=envelope("rate_limited"), headers=headers)

    assert (await create(service)).retry_after_s == seconds


@pytest.mark.parametrize(
    "failure",
    [
        aiohttp.ClientError(),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError(),
        aiohttp.InvalidURL("x"),
        TimeoutError(),
        OSError(5, "x"),
        ConnectionResetError(),
        ValueError("x"),
        RecursionError(),
        RuntimeError("Session is closed"),
        AssertionError(),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_nothing_the_world_does_makes_a_create_or_status_raise(
    world: aioresponses, service: Service, failure: Exception
) -> None:
    world.post(CREATES, exception=failure)
    world.get(TASKS, exception=failure)

    created, seen = await create(service), await service.status("task_1")

    assert created.phase is Phase.NOT_SENT
    assert created.reason.startswith("No answer from rivya.test: ")
    assert created.reason.endswith("Nothing was sent.")
    assert seen.phase is Phase.SENT  # supposed: nothing depends on it
    assert seen.reason.startswith("No answer from rivya.test: ")


@pytest.mark.parametrize(
    ("task_id", "path"),
    [("task_1", "task_1"), ("a/b", "a%2Fb"), ("a?b=1#c", "a%3Fb%3D1%23c"), ("a%2Fb", "a%252Fb"), ("..a", "..a")],
)
async def test_a_task_id_is_one_component_of_the_path(task_id: str, path: str) -> None:
    transport = Scripted(Response(status=200, headers={}, body=json.dumps(TASK).encode()))

    await Service(transport).status(task_id)

    assert [request.path for request in transport.requests] == [f"/api/v1/generations/{path}"]


class Scripted:
    """Answers from a list; the last answer repeats."""

    def __init__(self, *answers: Response | TransportError) -> None:
        self._answers = list(answers)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, TransportError):
            raise answer
        return answer


@pytest.mark.parametrize("answered", ["task_2", "TASK_1", "task_1%20", "task_10"])
async def test_an_answer_about_another_task_is_no_news(answered: str) -> None:
    transport = Scripted(Response(status=200, headers={}, body=json.dumps(TASK | {"id": answered}).encode()))

    end = await Service(transport).status("task_1")

    assert (end.phase, end.status, end.task, end.error) == (Phase.ANSWERED, 200, None, None)
    assert end.reason == f"the answer is about {answered}, which was not asked for"


@pytest.mark.parametrize("phase", [Phase.SENT, Phase.NOT_SENT])
async def test_a_failed_exchange_keeps_its_phase(phase: Phase) -> None:
    end = await Service(Scripted(TransportError("It broke.", phase=phase))).status("task_1")

    assert (end.phase, end.status, end.reason) == (phase, None, "It broke.")


async def test_credits_are_the_balance(world: aioresponses, service: Service) -> None:
    world.get(CREDITS, payload={"current_credits": 123})

    assert await service.credits() == 123


async def test_models_are_the_answer_as_it_came(world: aioresponses, service: Service) -> None:
    world.get(MODELS, payload={"object": "list", "data": []})

    assert await service.models() == {"object": "list", "data": []}


@pytest.mark.parametrize("body", [b"", b"<html>Sign in", b"{}", b'{"current_credits":"5"}', b'{"current_credits":5.5}'])
async def test_a_balance_that_cannot_be_read_is_an_error_not_a_number(
    world: aioresponses, service: Service, body: bytes
) -> None:
    world.get(CREDITS, body=body)

    with pytest.raises(ServiceRefused) as caught:
        await service.credits()

    assert caught.value.code == "answer-unreadable"


@pytest.mark.parametrize(
    ("status", "payload", "code"),
    [
        (401, envelope("api_key_revoked"), "api_key_revoked"),
        (403, envelope("api_scope_denied"), "api_scope_denied"),
        (401, {}, "key-refused"),
    ],
)
async def test_a_refused_key_is_an_auth_error_at_once(
    world: aioresponses, service: Service, status: int, payload: dict[str, object], code: str
) -> None:
    world.get(CREDITS, status=status, payload=payload, repeat=True)

    with pytest.raises(AuthError) as caught:
        await service.credits()

    assert (caught.value.code, caught.value.exit_code) == (code, 4)
    assert [len(calls) for calls in world.requests.values()] == [1]
    assert caught.value.message.endswith(".")
    assert not caught.value.message.endswith("..")


async def test_a_403_about_one_request_says_nothing_about_the_key(world: aioresponses, service: Service) -> None:
    world.post(FILES, status=403, payload=envelope("file_not_allowed"))

    with pytest.raises(ServiceRefused) as caught:
        await upload(service)

    assert (caught.value.status, caught.value.code) == (403, "file_not_allowed")


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 529])
async def test_a_free_call_is_repeated_while_that_may_help(world: aioresponses, service: Service, status: int) -> None:
    for _ in range(TRIES - 1):
        world.get(CREDITS, status=status)
    world.get(CREDITS, payload={"current_credits": 5})

    assert await service.credits() == 5


@pytest.mark.parametrize(
    ("status", "tries"), [(503, TRIES), (429, TRIES), (400, 1), (404, 1), (413, 1), (302, 1), (403, 1)]
)
async def test_a_free_call_ends_after_a_bounded_number_of_tries(
    world: aioresponses, service: Service, status: int, tries: int
) -> None:
    world.post(FILES, status=status, repeat=True)

    with pytest.raises(ServiceRefused) as caught:
        await upload(service)

    assert (caught.value.status, caught.value.exit_code) == (status, 8)
    assert [len(calls) for calls in world.requests.values()] == [tries]


async def test_a_broken_line_is_repeated_and_then_unreachable() -> None:
    transport = Scripted(TransportError("It broke.", phase=Phase.SENT))

    with pytest.raises(Unreachable):
        await Service(transport).credits()

    assert len(transport.requests) == TRIES


async def test_a_bad_certificate_is_not_tried_again() -> None:
    transport = Scripted(TransportError("Bad certificate.", phase=Phase.NOT_SENT, final=True))

    with pytest.raises(TransportError):
        await Service(transport).credits()

    assert len(transport.requests) == 1


async def test_a_wait_longer_than_people_expect_is_handed_up() -> None:
    transport = Scripted(Response(status=429, headers={"retry-after": "3600"}, body=b""))

    with pytest.raises(ServiceRefused) as caught:
        await Service(transport).credits()

    assert caught.value.retry_after_s == 3600.0
    assert len(transport.requests) == 1


async def upload(service: Service, *, name: str = "shoe.png", client_request_id: str = "r1") -> Any:
    return await service.upload(
        b"\x89PNG", name=name, kind="image", mime="image/png", model="z-image", client_request_id=client_request_id
    )


async def test_an_upload_names_the_model_so_that_its_limits_count() -> None:
    answer = json.dumps({"id": "file_1", "url": "https://a/f", "duration_token": None}).encode()
    transport = Scripted(Response(status=201, headers={}, body=answer))

    uploaded = await upload(Service(transport), client_request_id="r" * 500)

    assert (uploaded.file_id, uploaded.url, uploaded.mime_type) == ("file_1", "https://a/f", "image/png")
    fields = {part.name: part.content for part in transport.requests[0].parts}
    assert fields == {"kind": b"image", "model": b"z-image", "client_request_id": b"r" * 128, "file": b"\x89PNG"}


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("shoe.png", "shoe.png"),
        ("my shoe.png", "my_shoe.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\x\\shoe.png", "shoe.png"),
        ('a"; filename="b.png', "a_filename_b.png"),
        ("a\r\nX-Evil: 1.png", "a_X-Evil_1.png"),
        ("sch\u00f6n.png", "sch_n.png"),
        ("\u202egnp.png", "_gnp.png"),
        ("", "reference"),
        ("x" * 500 + ".png", "x" * 96 + ".png"),
    ],
)
async def test_a_file_name_cannot_split_the_form(name: str, sent: str) -> None:
    transport = Scripted(Response(status=200, headers={}, body=b'{"id":"f","url":"u"}'))

    await upload(Service(transport), name=name)

    assert [part.filename for part in transport.requests[0].parts if part.filename] == [sent]


async def test_an_upload_answer_without_an_address_is_an_error(world: aioresponses, service: Service) -> None:
    world.post(FILES, payload={"id": "file_1"})

    with pytest.raises(RunnerError) as caught:
        await upload(service)

    assert caught.value.code == "answer-unreadable"
