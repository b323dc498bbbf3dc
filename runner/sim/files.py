"""Reference media: uploads, their metadata, and whether an item of a create may use one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from runner.sim.catalogue import ModelSpec, default_kinds
from runner.sim.dice import token
from runner.sim.exchange import Fact, fact_of, iso_time
from runner.sim.multipart import Part, parse_multipart
from runner.sim.problems import Refusal
from runner.sim.profile import Profile
from runner.sim.signatures import playing_seconds, sniff

__all__ = ["FileShelf", "StoredFile"]

_TRACE_ID_MAX_CHARS = 128
_NAME_MAX_CHARS = 255
_SAME_TYPE = {"audio/x-wav": "audio/wav"}
_EXTENSIONS: Mapping[str, str] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/wav": "wav",
    "audio/aac": "aac",
    "audio/ogg": "ogg",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One upload. Its bytes are not kept: nothing in the toy service looks at them again."""

    id: str
    account: str
    kind: str
    name: str
    mime_type: str
    size: int
    sha256: str
    duration_seconds: float | None
    duration_token: str | None
    created_s: float
    expires_s: float | None
    token_expires_s: float | None

    @property
    def path(self) -> str:
        return f"/uploads/{self.id}.{_EXTENSIONS.get(self.mime_type, 'bin')}"

    def as_fact(self) -> Fact:
        return fact_of("file", self)

    def answer(self, origin: str) -> dict[str, Any]:
        """The metadata as the service writes it, snake case throughout."""
        return {
            "id": self.id,
            "object": "file",
            "kind": self.kind,
            "name": self.name,
            "mime_type": self.mime_type,
            "size": self.size,
            "url": origin + self.path,
            "duration_seconds": self.duration_seconds,
            "duration_token": self.duration_token,
            "created_at": iso_time(self.created_s),
            "expires_at": None if self.expires_s is None else iso_time(self.expires_s),
        }


class FileShelf:
    """All uploads of all accounts."""

    def __init__(self, profile: Profile, seed: int) -> None:
        self._profile = profile
        self._seed = seed
        self._by_id: dict[str, StoredFile] = {}
        self._by_path: dict[str, StoredFile] = {}
        self._copies: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def keep(self, file: StoredFile) -> None:
        """Put a file on the shelf."""
        self._by_id[file.id] = file
        self._by_path[file.path] = file
        content = file.account, file.sha256
        self._copies[content] = self._copies.get(content, 0) + 1

    def upload(
        self, body: bytes, content_type: str, account: str, models: Mapping[str, ModelSpec], now_s: float
    ) -> StoredFile:
        """Check and keep one upload. Raises Refusal."""
        form = parse_multipart(body, content_type)
        kind = _text(form, "kind")
        part = form.get("file")
        if kind not in ("image", "video", "audio"):
            raise Refusal("validation_failed", "kind: required, one of image, video, audio.")
        if part is None or not part.data:
            raise Refusal("validation_failed", "file: required, and not empty.")
        if len(_text(form, "client_request_id")) > _TRACE_ID_MAX_CHARS:
            raise Refusal("validation_failed", f"client_request_id: at most {_TRACE_ID_MAX_CHARS} characters.")
        mime_type = self._checked_type(part, kind, _text(form, "model"), models)
        file = self._stored(part, kind, mime_type, account, now_s)
        self.keep(file)
        return file

    def _checked_type(self, part: Part, kind: str, model_id: str, models: Mapping[str, ModelSpec]) -> str:
        kinds = default_kinds()
        if model_id:
            if model_id not in models:
                raise Refusal("validation_failed", "model: no such model.")
            kinds = dict(models[model_id].kinds)
            if kind not in kinds:
                raise Refusal("validation_failed", f"kind: {model_id} takes no {kind} files.")
        rule = kinds[kind]
        if len(part.data) > rule.max_bytes:
            message = f"file: {len(part.data)} bytes, at most {rule.max_bytes} are accepted."
            code = "payload_too_large" if self._profile.oversize_as == "413" else "validation_failed"
            raise Refusal(code, message)
        mime_type = sniff(part.data)
        if mime_type is None or mime_type not in rule.mime_types:
            accepted = ", ".join(rule.mime_types)
            raise Refusal(
                "validation_failed", f"file: looks like {mime_type or 'no known media'}; accepted: {accepted}."
            )
        declared = _SAME_TYPE.get(part.content_type, part.content_type)
        if declared.partition("/")[0] in ("image", "video", "audio") and declared != mime_type:
            raise Refusal("validation_failed", f"file: declared as {declared}, but its signature says {mime_type}.")
        return mime_type

    def _stored(self, part: Part, kind: str, mime_type: str, account: str, now_s: float) -> StoredFile:
        digest = sha256(part.data).hexdigest()
        mark = token(self._seed, "file", account, digest, self._copies.get((account, digest), 0))
        seconds = playing_seconds(part.data, mime_type)
        life_s, token_life_s = self._profile.file_lifetime_s, self._profile.token_lifetime_s
        return StoredFile(
            id=f"file_{mark}",
            account=account,
            kind=kind,
            name=(part.filename or "file")[:_NAME_MAX_CHARS],
            mime_type=mime_type,
            size=len(part.data),
            sha256=digest,
            duration_seconds=seconds,
            duration_token=None if seconds is None else f"dur_{token(self._seed, 'duration', mark)}",
            created_s=now_s,
            expires_s=None if life_s is None else now_s + life_s,
            token_expires_s=None if token_life_s is None else now_s + token_life_s,
        )

    def get(self, file_id: str, account: str, now_s: float) -> StoredFile:
        """One file of the account; Refusal when there is none, or no more."""
        file = self._by_id.get(file_id)
        if file is None or file.account != account or _past(file.expires_s, now_s):
            raise Refusal("not_found")
        return file

    def find(self, item: Mapping[str, Any], account: str, now_s: float) -> StoredFile | None:
        """The upload a reference item names; None for an address that is not of this service.

        The path alone decides, not the host and port: a simulator that comes back on another port knows its files.
        """
        try:
            path = urlsplit(item["url"]).path
        except ValueError:  # a bracket that never closes, and the like
            return None
        file = self._by_path.get(path)
        if file is None or file.account != account:
            return None
        if _past(file.expires_s, now_s):
            raise Refusal("validation_failed", "the uploaded file has expired; upload it again.")
        given = item.get("durationToken")
        if self._profile.duration_tokens == "ignored" or file.duration_token is None:
            return file
        if given is None and self._profile.duration_tokens == "required":
            raise Refusal("validation_failed", "durationToken is required for video and audio.")
        if given is not None and (given != file.duration_token or _past(file.token_expires_s, now_s)):
            raise Refusal("validation_failed", "durationToken is wrong or has expired; upload the file again.")
        return file


def _past(moment_s: float | None, now_s: float) -> bool:
    return moment_s is not None and now_s >= moment_s


def _text(form: Mapping[str, Part], name: str) -> str:
    return form[name].data.decode("utf-8", "replace") if name in form else ""
