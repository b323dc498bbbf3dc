"""Answers to GET and HEAD of a medium: whole, one range of it, or a refusal of the range."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

from runner.sim.exchange import SimRequest, SimResponse

__all__ = ["media_answer"]

_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$", re.ASCII)


def media_answer(request: SimRequest, answer: SimResponse, data: bytes) -> SimResponse:
    """The answer with the medium as its body. `If-Range` with another ETag gets the whole file."""
    etag = f'"{sha256(data).hexdigest()[:32]}"'
    headers = {**answer.headers, "accept-ranges": "bytes", "etag": etag, "content-length": str(len(data))}
    asked = _asked(request.headers, etag, len(data))
    status, body = answer.status, data
    if asked is not None:
        first, last = asked
        if first > last:
            status, body = 416, b""
            headers |= {"content-range": f"bytes */{len(data)}", "content-length": "0"}
        else:
            status, body = 206, data[first : last + 1]
            headers |= {"content-range": f"bytes {first}-{last}/{len(data)}", "content-length": str(len(body))}
    return replace(answer, status=status, headers=headers, body=b"" if request.method == "HEAD" else body, media=None)


def _asked(headers: Mapping[str, str], etag: str, size: int) -> tuple[int, int] | None:
    """First and last byte asked for; first > last when that range does not exist; None for the whole file."""
    match = _RANGE.match(headers.get("range", ""))
    if match is None or headers.get("if-range", etag) != etag:
        return None
    first, last = match[1], match[2]
    if not first:
        return (max(0, size - int(last)), size - 1) if last and int(last) else None
    if int(first) >= size or (last and int(last) < int(first)):
        return 1, 0
    return int(first), min(int(last), size - 1) if last else size - 1
