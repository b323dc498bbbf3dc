"""Campaign `cuts`: every answer, cut at every byte, by FIN and by RST; every request, likewise.

A number is an answer of `wire_answers`; the numbers after the last answer are the requests, one for each kind of call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, get_args

from jobs.answers import Phase, SendEnd
from jobs.verdict import VerdictKind, judge
from runner.blobs_memory import MemoryBlobs
from runner.downloads import download
from runner.errors import RunnerError
from tests.proof.wire import SERVICE, Break, Script
from tests.proof.wire_answers import TASK_ID, Answer, Call, answers
from tests.proof.wire_calls import CREATE, Caller

__all__ = ["cut_answer", "cut_request", "play", "total"]

BREAKS: Final = get_args(Break)
CALLS: Final = get_args(Call)


def total() -> int:
    """How many numbers there are."""
    return len(answers()) + len(CALLS)


def play(number: int) -> Counter[str]:
    """All offsets of one answer, or of one kind of request."""
    number %= total()
    if number >= len(answers()):
        return cut_request(CALLS[number - len(answers())])
    answer = answers()[number]
    return cut_answer(answer, range(len(answer.data) + 1))


def cut_answer(answer: Answer, offsets: Iterable[int]) -> Counter[str]:
    """Cuts at these offsets; at the last one the answer is whole and only then the connection ends."""
    original = answer.data.partition(b"\r\n\r\n")[2]
    if answer.call == "download" and b"chunked" in answer.data:
        original = _dechunked(original)
    with Caller() as caller:
        for offset in offsets:
            said = answer.data[:offset]
            for how in BREAKS:
                script = Script(says=(said,) if said else (), ends=how)
                caller.check(answer.call, said, script, task_id=answer.task_id, original=original)
                caller.counts[f"cuts by {how}"] += 1
        script = Script(says=(answer.data,), ends=answer.ends)
        caller.check(answer.call, answer.data, script, task_id=answer.task_id, original=original)
    return caller.counts


def _dechunked(body: bytes) -> bytes:
    whole = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return bytes(whole)


def cut_request(call: Call) -> Counter[str]:
    """The connection breaks after every number of bytes of the request; the far end says nothing."""
    with Caller() as caller:
        size = _size_of(caller, call)
        for offset in range(size + 1):
            for how in BREAKS:
                _cut(caller, call, Script(hears=offset, breaks=how, ends="fin"), offset)
                caller.counts[f"requests cut by {how}"] += 1
    return caller.counts


def _size_of(caller: Caller, call: Call) -> int:
    _called(caller, call, Script(ends="fin"))
    return max(len(peer.heard) for peer in caller.rig.peers)


def _cut(caller: Caller, call: Call, script: Script, offset: int) -> None:
    end = _called(caller, call, script)
    if isinstance(end, SendEnd):
        assert end.task is None
        assert judge(end).kind is VerdictKind.AMBIGUOUS or (offset == 0 and end.phase is Phase.NOT_SENT), end
    else:
        assert isinstance(end, RunnerError)
    if call in {"create", "upload"}:
        assert len(caller.rig.peers) == 1, "sent more than once"
    assert max(len(peer.heard) for peer in caller.rig.peers) <= offset


def _called(caller: Caller, call: Call, script: Script) -> object:
    """What one call ends in; what it raises of the product's kinds is its end, too."""
    service = caller.service
    try:
        if call == "create":
            return caller.rig.play(service.create(idempotency_key="k1", body=CREATE), script)
        if call == "status":
            return caller.rig.play(service.status(TASK_ID), script)
        if call == "credits":
            return caller.rig.play(service.credits(), script)
        if call == "models":
            return caller.rig.play(service.models(), script)
        if call == "download":
            fetching = download(caller.rig.fetcher, MemoryBlobs(), url=f"{SERVICE}/clip", stem="clip")
            return caller.rig.play(fetching, script)
        uploading = service.upload(
            b"\x89PNG" * 9, name="a.png", kind="image", mime="image/png", model="z-image", client_request_id="r"
        )
        return caller.rig.play(uploading, script)
    except RunnerError as error:
        return error
