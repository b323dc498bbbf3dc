"""One call of the product against one scripted answer, and whether what came of it is what the bytes say."""

from __future__ import annotations

import re
from collections import Counter
from types import TracebackType
from typing import Final, Self

import stamina

from jobs.answers import Phase, SendEnd
from jobs.verdict import VerdictKind, judge
from runner.blobs_memory import MemoryBlobs
from runner.downloads import Saved, download
from runner.errors import RunnerError
from runner.service import Service
from tests.proof.wire import SERVICE, Ending, Rig, Script
from tests.proof.wire_answers import TASK_ID, Call
from tests.proof.wire_oracle import json_of, readings, said_by, said_of_task

__all__ = ["Caller"]

CREATE: Final = b'{"model":"z-image","prompt":"a cat"}'
STEM: Final = "clip"
# What a terminal obeys, or a file refuses.
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_TEXT: Final = re.compile(r"[^\ud800-\udfff]{1,8192}", re.DOTALL)
_NO_ANSWER: Final = (VerdictKind.AMBIGUOUS, None)


class Caller:
    """The product's calls over wires, each tried once: repetitions are proven elsewhere."""

    def __init__(self) -> None:
        self.rig = Rig()
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._once = stamina.set_testing(True, attempts=1, cap=True)
        self._once.__enter__()
        self.rig.__enter__()
        self.service = Service(self.rig.transport)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rig.__exit__(kind, error, trace)
        self._once.__exit__(kind, error, trace)

    def check(
        self, call: Call, said: bytes, script: Script, *, task_id: str = TASK_ID, original: bytes | None = None
    ) -> None:
        """Make the call; `said` is all that the script lets through. `original`: a download's whole file."""
        ended = script.ends
        if call == "create":
            self._check_create(said, ended, script)
        elif call == "status":
            self._check_status(said, ended, script, task_id)
        elif call == "download":
            self._check_download(said, ended, script, original)
        else:
            self._check_free(call, said, ended, script)

    def _check_create(self, said: bytes, ended: Ending, script: Script) -> None:
        end = self.rig.play(self.service.create(idempotency_key="k1", body=CREATE), script)
        verdict = judge(end)
        got = verdict.kind, verdict.task.id if verdict.task and verdict.kind is VerdictKind.ACCEPTED else None
        allowed = _allowed(said, ended)
        assert got in allowed, f"{got} from {_shown(said)} + {ended}, which says {allowed}"
        assert end.phase is not Phase.NOT_SENT, "the request had left"
        assert len(self.rig.peers) == 1, "a create went out more than once"
        _bounded(end)
        self.counts[f"create: {verdict.kind}"] += 1

    def _check_status(self, said: bytes, ended: Ending, script: Script, task_id: str) -> None:
        end = self.rig.play(self.service.status(task_id), script)
        strict, loose = readings(said, ended)
        allowed: set[str | None] = set()
        for reading in (strict, loose):
            word, odd = said_of_task(reading, task_id) if reading else (None, True)
            allowed |= {word, None} if odd else {word}
            if reading is not None and not odd:
                break
        got = end.task.status if end.task else None
        assert got in allowed, f"{got} from {_shown(said)} + {ended}, which says {allowed}"
        assert end.task is None or end.task.id == task_id
        assert end.phase is not Phase.NOT_SENT
        _bounded(end)
        self.counts["status: news" if end.task else "status: no news"] += 1

    def _check_free(self, call: Call, said: bytes, ended: Ending, script: Script) -> None:
        try:
            if call == "credits":
                got: object = self.rig.play(self.service.credits(), script)
            elif call == "models":
                got = self.rig.play(self.service.models(), script)
            else:
                uploading = self.service.upload(
                    b"\x89PNG", name="a.png", kind="image", mime="image/png", model="z-image", client_request_id="r"
                )
                got = self.rig.play(uploading, script).file_id
        except RunnerError:
            self.counts[f"{call}: refused"] += 1
            strict, _ = readings(said, ended)
            value, odd = json_of(strict.body) if strict and 200 <= strict.status <= 299 else (None, True)
            assert odd or strict is None or strict.odd or _of(call, value) is None, f"{call} refused {_shown(said)}"
            return
        _, loose = readings(said, ended)
        assert loose is not None, f"{got!r} from {_shown(said)} + {ended}"
        assert 200 <= loose.status <= 299, f"{got!r} from {_shown(said)} + {ended}"
        assert got == _of(call, json_of(loose.body)[0]), f"{got!r} from {_shown(said)} + {ended}"
        self.counts[f"{call}: taken"] += 1

    def _check_download(self, said: bytes, ended: Ending, script: Script, original: bytes | None) -> None:
        blobs = MemoryBlobs()
        saved: Saved | None = None
        try:
            fetching = download(self.rig.fetcher, blobs, url=f"{SERVICE}/clip", stem=STEM)
            saved = self.rig.play(fetching, script)
        except RunnerError:
            assert blobs.files == {}, f"{list(blobs.files)} after a failure, from {_shown(said)} + {ended}"
        strict, loose = readings(said, ended)
        whole = strict is not None and strict.status == 200 and not strict.odd and strict.body == original
        if original is None:  # bent on purpose: a file may be kept if it came whole by its own frame
            original = loose.body if loose else b""
        if saved is None:
            assert not whole, f"nothing kept of {_shown(said)} + {ended}"
            self.counts["download: nothing"] += 1
            return
        [(file, content)] = blobs.files.items()
        assert loose is not None, f"{file} from {_shown(said)} + {ended}"
        if saved.state != "quarantined":
            assert content == loose.body
            framed = any(name in {b"content-length", b"transfer-encoding"} for name, _ in loose.fields)
            assert content == original or (saved.state == "unverified" and not framed), (
                f"{saved} of {_shown(said)} + {ended}"
            )
        assert (saved.state == "quarantined") is file.endswith(".quarantine")
        self.counts[f"download: {saved.state}"] += 1


def _allowed(said: bytes, ended: Ending) -> set[tuple[VerdictKind, str | None]]:
    strict, loose = readings(said, ended)
    if strict is None:
        return {_NO_ANSWER, said_by(loose)[0]} if loose else {_NO_ANSWER}
    verdict, odd = said_by(strict)
    return {verdict, _NO_ANSWER} if odd else {verdict}


def _of(call: Call, value: object) -> object:
    if call == "models":
        return value
    seen = value if isinstance(value, dict) else {}
    if call == "upload":
        file_id, url = seen.get("id"), seen.get("url")
        sane = isinstance(file_id, str) and re.fullmatch(r"(?!\.{1,2}$)[!-~]{1,256}", file_id)
        return file_id if sane and isinstance(url, str) and _TEXT.fullmatch(url) else None
    balance = seen.get("current_credits")
    return balance if type(balance) is int and 0 <= balance <= 10**9 else None


def _bounded(end: SendEnd) -> None:
    """Nothing an answer holds is longer than what a ledger row or a terminal line can take."""
    assert len(end.reason) < 3000
    assert not _UNSAFE.search(end.reason), end.reason
    assert end.retry_after_s is None or end.retry_after_s >= 0
    for text in (end.reason, end.request_id or ""):
        text.encode()
    for credits_ in (end.task.reserved_credits, end.task.final_credits) if end.task else ():
        assert credits_ is None or (type(credits_) is int and 0 <= credits_ <= 10**9)


def _shown(said: bytes) -> str:
    return repr(said) if len(said) < 3000 else f"{said[:1000]!r} ... {said[-1000:]!r} ({len(said)} bytes)"
