"""The real client over wires in memory: what is cut or bent proves nothing it does not say."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Final

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_proto import ResponseHandler

from jobs.answers import Phase
from jobs.verdict import VerdictKind, judge
from runner.exchange import Request
from runner.service import Service
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.media import Studio
from runner.sim.profile import ApiKey, Profile
from runner.sim.server import SimServer
from runner.transport import connections, sending
from tests.proof import wire_cuts, wire_mutations, wire_runs
from tests.proof.soak import CAMPAIGNS, play_range
from tests.proof.wire import KEY, SERVICE, Rig, Script, Wire
from tests.proof.wire_answers import TASK_ID, Answer, Call, answers, envelope, framed, task_body
from tests.proof.wire_calls import Caller
from tests.proof.wire_malformed import MALFORMED
from tests.proof.wire_oracle import readings, said_by

BODY = b'{"model":"z-image","prompt":"a cat"}'
ACCEPTED = framed(task_body(), status="202 Accepted")
REFUSED = framed(envelope("validation_failed"), status="400 Bad Request")
PATIENCE_S = 300  # of tests that take a few seconds on a quiet machine, and need the processor all that time
NEAR_THE_END = 6  # bytes in which a cut is most like a whole answer
APART = 17  # between the other cuts that a short run makes


# The wires themselves


def test_the_client_and_the_simulators_server_talk_over_wires_and_every_post_is_counted() -> None:
    profile = Profile(keys=(ApiKey(secret=KEY),), windows=())
    simulator = Simulator(profile, packaged_catalogue(), 1)
    simulator.origin = SERVICE
    keys = [f"k{n}" for n in range(20)] * 2

    async def talk(rig: Rig) -> list[str]:
        server = web.Server(SimServer(simulator, Studio("fast"), None).answer, access_log=None)
        rig.answering = server
        service = Service(rig.transport)
        ends = await asyncio.gather(*(service.create(idempotency_key=key, body=BODY) for key in keys))
        await server.shutdown(0.1)
        return [end.task.id for end in ends if end.task]

    with Rig() as rig:
        task_ids = rig.serve(talk(rig))
        posts = [bytes(client.written) for connector in rig.connectors for client in connector.clients]

    assert task_ids[:20] == task_ids[20:]
    assert len(set(task_ids)) == 20
    assert len(posts) == 40, "one POST a connection, and no more of them than calls"
    assert all(post.count(b"POST ") == 1 for post in posts)


def test_silence_costs_no_time_and_ends_with_the_deadline() -> None:
    with Rig() as rig:
        end = rig.play(Service(rig.transport).create(idempotency_key="k", body=BODY), Script())

        assert (end.phase, round(rig.loop.time())) == (Phase.SENT, 60)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("copies", [1, 2, 7])
def test_an_answer_said_again_later_is_never_the_answer_to_the_next_request(method: str, copies: int) -> None:
    """A proxy that stutters: on a shared connection every later answer would be one too early."""

    class Stutters(asyncio.Protocol):
        heard = 0

        def connection_made(self, wire: asyncio.BaseTransport) -> None:
            assert isinstance(wire, Wire)
            self.wire = wire

        def data_received(self, data: bytes) -> None:
            Stutters.heard += 1
            said = framed(task_body(id=f"task_{Stutters.heard}"))
            self.wire.write(said)
            asyncio.get_running_loop().call_later(1.0, self.wire.write, said * copies)

    async def talk(rig: Rig) -> list[str]:
        rig.answering = Stutters
        seen = []
        for n in range(1, 6):
            request = Request(method="POST" if method == "POST" else "GET", path=f"/api/v1/generations/task_{n}")
            seen.append(json.loads((await rig.transport.send(request)).body)["id"])
            await asyncio.sleep(2.0)
        return seen

    with Rig() as rig:
        assert rig.serve(talk(rig)) == [f"task_{n}" for n in range(1, 6)]


def test_a_status_is_asked_again_once_on_a_connection_that_died_and_a_create_is_never_repeated() -> None:
    whole = framed(task_body())

    class DiesSecond(asyncio.Protocol):
        """Answers one request a connection, and resets it at the next."""

        heard: Final[list[bytes]] = []

        def connection_made(self, wire: asyncio.BaseTransport) -> None:
            assert isinstance(wire, Wire)
            self.wire, self.asked = wire, 0

        def data_received(self, data: bytes) -> None:
            self.asked += 1
            self.heard.append(data)
            if self.asked == 1:
                self.wire.write(whole)
            else:
                self.wire.end("rst")

    async def talk(rig: Rig) -> list[VerdictKind | str]:
        rig.answering = DiesSecond
        service = Service(rig.transport)
        ends: list[VerdictKind | str] = []
        for n in range(4):
            status = await service.status(TASK_ID)
            ends.append(status.task.status if status.task else "no news")
            ends.append(judge(await service.create(idempotency_key=f"k{n}", body=BODY)).kind)
        return ends

    with Rig() as rig:
        assert rig.serve(talk(rig)) == ["queued", VerdictKind.ACCEPTED] * 4

    posts = [heard for heard in DiesSecond.heard if heard.startswith(b"POST")]
    assert [post.count(b"Idempotency-Key: k%d" % n) for n, post in enumerate(posts)] == [1] * 4
    assert len(DiesSecond.heard) - len(posts) == 7, "four statuses, three of them asked again"


# Cuts


def test_every_number_of_cuts_has_its_answer_or_request() -> None:
    assert CAMPAIGNS["cuts"].count == wire_cuts.total()


@pytest.mark.timeout(PATIENCE_S)
def test_an_answer_cut_anywhere_proves_nothing_it_does_not_say() -> None:
    met = sum(
        (wire_cuts.cut_answer(answer, _sample(n, answer)) for n, answer in enumerate(answers())), start=Counter[str]()
    )

    assert met["cuts by fin"] == met["cuts by rst"] > 3_000
    assert met["create: ambiguous"] > 3_000
    for verdict in ("accepted", "rejected", "no_credits", "limited", "refused_key", "misrouted", "conflict"):
        assert met[f"create: {verdict}"] >= 6, verdict
    assert min(met["download: verified"], met["download: unverified"], met["status: news"]) > 10


def _sample(n: int, answer: Answer) -> list[int]:
    """Some offsets of every answer, others for each; all of those near its end."""
    size = len(answer.data)
    return sorted({*range(n % APART, size + 1, APART), *range(max(0, size - NEAR_THE_END), size + 1)})


@pytest.mark.parametrize("call", ["create", "upload", "status"])
def test_a_request_cut_anywhere_may_have_arrived_and_is_not_repeated(call: Call) -> None:
    assert wire_cuts.cut_request(call)["requests cut by rst"] > 100


# Malformed answers, by hand


def test_the_table_of_malformed_answers_is_long_and_says_nothing_twice() -> None:
    assert len({row.name for row in MALFORMED}) == len(MALFORMED) >= 300


@pytest.mark.parametrize("part", sorted({row.name.partition(":")[0].rstrip("0123456789 ") for row in MALFORMED}))
def test_a_malformed_answer_gets_the_verdict_it_deserves(part: str) -> None:
    with Caller() as caller:
        for row in MALFORMED:
            if row.name.startswith(part):
                script = Script(says=(row.said,), ends=row.ends)
                end = caller.rig.play(caller.service.create(idempotency_key="k1", body=BODY), script)
                assert (row.name, judge(end).kind) == (row.name, row.verdict)
                assert (row.name, len(caller.rig.peers)) == (row.name, 1)


@pytest.mark.timeout(PATIENCE_S)
def test_the_second_reading_agrees_about_every_malformed_answer() -> None:
    with Caller() as caller:
        for row in MALFORMED:
            caller.check("create", row.said, Script(says=(row.said,), ends=row.ends))


# Mutations


@pytest.mark.timeout(PATIENCE_S)
def test_what_bent_answers_say_is_what_the_client_reads() -> None:
    met = play_range("mutations", 0, 5_000 // wire_mutations.BATCH)

    assert [what for what in wire_mutations.MUST_MEET if not met[what]] == []


def test_a_number_means_the_same_play_every_time() -> None:
    assert wire_mutations.play(7) == wire_mutations.play(7)
    assert wire_cuts.play(3) == wire_cuts.play(3)


# Whole runs


@pytest.mark.timeout(PATIENCE_S)
def test_a_run_over_wires_that_break_anywhere_buys_everything_once() -> None:
    met = play_range("wires", 0, 15)

    assert [what for what in wire_runs.MUST_MEET if not met[what]] == []


def test_a_run_over_wires_is_the_same_every_time() -> None:
    assert wire_runs.play(11) == wire_runs.play(11)


# Negative controls: a client with a fault is caught


async def _forgiving(answer: aiohttp.ClientResponse) -> bytes:
    """The body, or what came of it."""
    body = bytearray()
    try:
        async for chunk in answer.content.iter_any():
            body += chunk
    except aiohttp.ClientError:
        pass
    return bytes(body)


def test_a_client_that_believes_half_an_answer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "whole_body", _forgiving)

    with pytest.raises(AssertionError, match="which says"):
        wire_cuts.cut_answer(next(each for each in answers() if each.name == "accepted, chunked"), range(400))


def test_a_client_that_takes_a_reset_for_the_end_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections._Handler, "connection_lost", ResponseHandler.connection_lost)

    with pytest.raises(AssertionError, match="rst"):
        wire_cuts.cut_answer(next(each for each in answers() if each.name == "accepted, until the end"), [10_000])


# The oracle


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (ACCEPTED, (VerdictKind.ACCEPTED, TASK_ID)),
        (REFUSED, (VerdictKind.REJECTED, None)),
        (ACCEPTED[:-1], None),
        (ACCEPTED + b"x", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + REFUSED, (VerdictKind.REJECTED, None)),
        (b"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (VerdictKind.LIMITED, None)),
        (b"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", None),
        (b"HTTP/1.1 409 No\r\nContent-Length: 0\r\n\r\n", (VerdictKind.CONFLICT, None)),
        (b"HTTP/1.1 409 No\nContent-Length: 0\n\n", None),
        (b"", None),
    ],
)
def test_the_strict_reading_takes_whole_answers_only(said: bytes, verdict: tuple[VerdictKind, str | None]) -> None:
    strict, _ = readings(said, "open")

    assert (said_by(strict)[0] if strict else None) == verdict
