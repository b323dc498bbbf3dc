"""What a finished task shows: signed URLs, and behind each of them a medium to render."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import ceil
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import parse_qs

from runner.sim.catalogue import ModelSpec
from runner.sim.dice import token
from runner.sim.exchange import MediaOrder
from runner.sim.problems import Refusal
from runner.sim.profile import Profile
from runner.sim.task import Task

__all__ = ["media_orders", "result_urls", "signed_order"]

_LONG_SIDE_PX: Mapping[str, int] = {"video": 320, "image": 512, "audio": 0}
_SHORTEST_SIDE_PX = 96  # an 8:1 strip still has room for a line of text
_NAMED_SHAPES: Mapping[str, tuple[int, int]] = MappingProxyType({"landscape": (16, 9), "portrait": (9, 16)})
_SHAPE_KEYS = ("aspect_ratio", "aspectRatio", "image_size", "imageSize")
_RATIO = re.compile(r"^(\d{1,2}):(\d{1,2})$")
_NAMED_SIZE = re.compile(r"^(portrait|landscape)_(\d{1,2})_(\d{1,2})$")
_MIME_TYPES: Mapping[str, str] = MappingProxyType(
    {"mp4": "video/mp4", "png": "image/png", "jpg": "image/jpeg", "webp": "image/webp"}
    | {"mp3": "audio/mpeg", "wav": "audio/wav"}
)
_CLIP_SECONDS = (2.0, 4.0)  # whatever length was asked for, a clip to look at plays about this long
_SECONDS_KEYS = ("duration", "n_frames", "duration_seconds")
_CAPTION_LINES_MAX = 4
_FOREVER = 0  # the expiry written into the URL of a result that does not expire


def media_orders(task: Task, model: ModelSpec) -> tuple[MediaOrder, ...]:
    """The media of a succeeded task, in the order of its URLs."""
    category = model.category
    shown: list[tuple[Literal["image", "video", "audio"], str]]
    if category == "video":
        shown = [("video", "mp4")]
        if task.params.get("return_last_frame") == "true":
            shown.append(("image", "png"))
    elif category == "image":
        shown = [("image", _image_extension(task.params))] * int(task.params.get("max_images") or 1)
    else:
        shown = [("audio", _audio_extension(task.params))]
    return tuple(_order(task, model, index, kind, extension) for index, (kind, extension) in enumerate(shown))


def _order(
    task: Task, model: ModelSpec, index: int, kind: Literal["image", "video", "audio"], extension: str
) -> MediaOrder:
    width, height = _pixels(task.params, model, kind)
    return MediaOrder(
        task_id=task.id,
        index=index,
        kind=kind,
        extension=extension,
        mime_type=_MIME_TYPES[extension],
        width=width,
        height=height,
        seconds=_seconds(task.params),
        title=model.display_name,
        prompt=task.prompt,
        caption=_caption(task.params),
    )


def _image_extension(params: Mapping[str, Any]) -> str:
    wanted = params.get("output_format") or params.get("outputFormat") or "png"
    return {"jpeg": "jpg", "jpg": "jpg", "webp": "webp"}.get(str(wanted), "png")


def _audio_extension(params: Mapping[str, Any]) -> str:
    return "mp3" if str(params.get("output_format", "mp3")).startswith("mp3") else "wav"


def _shape(params: Mapping[str, Any], model: ModelSpec) -> tuple[int, int]:
    for key in _SHAPE_KEYS:
        spec = model.params.get(key)
        if spec is None:
            continue
        text = str(params.get(key, spec.default or ""))
        if text in _NAMED_SHAPES:
            return _NAMED_SHAPES[text]
        if ratio := _RATIO.match(text):
            return int(ratio[1]), int(ratio[2])
        if named := _NAMED_SIZE.match(text):
            long, short = int(named[2]), int(named[3])
            long, short = max(long, short), min(long, short)
            return (short, long) if named[1] == "portrait" else (long, short)
    return (16, 9) if model.category == "video" else (1, 1)


def _pixels(params: Mapping[str, Any], model: ModelSpec, kind: str) -> tuple[int, int]:
    across, down = _shape(params, model)
    scale = _LONG_SIDE_PX[kind] / max(across, down)
    # H.264 with 4:2:0 colour needs even sides.
    return tuple(max(_SHORTEST_SIDE_PX, 2 * round(side * scale / 2)) for side in (across, down))  # type: ignore[return-value]


def _seconds(params: Mapping[str, Any]) -> float:
    wanted = next((float(params[key]) for key in _SECONDS_KEYS if key in params), _CLIP_SECONDS[0])
    return min(max(wanted / 3, _CLIP_SECONDS[0]), _CLIP_SECONDS[1])


def _caption(params: Mapping[str, Any]) -> tuple[str, ...]:
    plain = [f"{key} {value}" for key, value in sorted(params.items()) if isinstance(value, str | int | float)]
    references = params.get("referenceMediaItems") or []
    if references:
        plain.insert(0, f"{len(references)} reference" + ("s" if len(references) > 1 else ""))
    return tuple(plain[:_CAPTION_LINES_MAX])


def result_urls(task: Task, model: ModelSpec, profile: Profile, origin: str, seed: int, now_s: float) -> list[str]:
    """The signed addresses shown now. With `fresh_urls` each answer signs anew, otherwise one expiry holds for all."""
    expiry = _FOREVER
    if profile.result_lifetime_s is not None:
        since_s = now_s if profile.fresh_urls else (task.finish_s or task.created_s)
        expiry = ceil(since_s + profile.result_lifetime_s)
    return [
        f"{origin}/results/{task.id}/{order.index}.{order.extension}"
        f"?exp={expiry}&sig={_signature(seed, task.id, order.index, expiry)}"
        for order in media_orders(task, model)
    ]


def signed_order(task: Task, model: ModelSpec, name: str, query: str, seed: int, now_s: float) -> MediaOrder:
    """The medium a result URL stands for; Refusal for a wrong signature, an unknown name or a URL past its time."""
    orders = {f"{order.index}.{order.extension}": order for order in media_orders(task, model)}
    if name not in orders:
        raise Refusal("not_found")
    given = parse_qs(query)
    signature, expiry = given.get("sig", [""])[0], given.get("exp", [""])[0]
    if not (expiry.isascii() and expiry.isdigit()) or signature != _signature(
        seed, task.id, orders[name].index, int(expiry)
    ):
        raise Refusal("api_scope_denied", "The signature of this address is wrong.")
    if int(expiry) != _FOREVER and now_s >= int(expiry):
        raise Refusal("not_found", "This address has expired.", status=410)
    return orders[name]


def _signature(seed: int, task_id: str, index: int, expiry: int) -> str:
    return token(seed, "result", task_id, index, expiry)
