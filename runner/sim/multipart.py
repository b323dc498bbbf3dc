"""Parsing of a multipart/form-data body that is already in memory."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message

from runner.sim.problems import Refusal

__all__ = ["Part", "parse_multipart"]

MAX_PARTS = 20  # the endpoint knows four fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One field of the form. `filename` is None for a plain text field."""

    filename: str | None
    content_type: str
    data: bytes


def parse_multipart(body: bytes, content_type: str) -> dict[str, Part]:
    """The fields by name; Refusal when the body is not a whole form."""
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or not boundary:
        raise Refusal("validation_failed", "Content-Type must be multipart/form-data with a boundary.")
    delimiter = b"--" + boundary.encode()
    pieces = (b"\r\n" + body).split(b"\r\n" + delimiter)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise Refusal("validation_failed", "The form ends before its last boundary.")
    if len(pieces) > MAX_PARTS + 2:
        raise Refusal("validation_failed", f"The form has more than {MAX_PARTS} fields.")
    return dict(_part(piece) for piece in pieces[1:-1])


def _part(piece: bytes) -> tuple[str, Part]:
    head, blank, data = piece.partition(b"\r\n\r\n")
    message = Message()
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            message[name.strip()] = value.strip()
    field = message.get_param("name", header="content-disposition")
    if not blank or not isinstance(field, str):
        raise Refusal("validation_failed", "A form field has no name.")
    filename = message.get_filename()
    return field, Part(filename=filename, content_type=message.get_content_type(), data=data)
