"""Portable `options`, translated to each model's own params.

The models spell one thing in many ways: an aspect ratio is `aspect_ratio`, `aspectRatio`, `imageSize` or `image_size`,
its values are `16:9`, `landscape_16_9` or `landscape`; a duration is text here and a number there. The two tables below
are the whole knowledge: which keys may carry an option, and by which words a value may go. Everything else, types and
ranges included, is the catalogue's. What a model cannot express is a problem that says what it can; nothing is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from jobs.catalogue import Model, Param
from jobs.params import Problem, typed_param
from jobs.wording import listed, plain_text

__all__ = ["KEYS", "expressible", "translate"]

# The keys that may carry an option, best first. No model has two of one row.
KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "aspect": ("aspect_ratio", "aspectRatio", "imageSize", "image_size"),
        "duration": ("duration", "duration_seconds", "n_frames"),  # sora's n_frames means seconds
        "resolution": ("resolution", "image_resolution", "quality"),
        "seed": ("seed", "seeds"),
        "sound": ("generate_audio", "sound"),
        "format": ("output_format", "outputFormat"),
    }
)

# Where one key means different things on different models, what its options look like when it means ours: `quality`
# is `720p` on runway but `basic` or `medium` elsewhere.
_SHAPES: Mapping[str, re.Pattern[str]] = MappingProxyType({"quality": re.compile(r"\d+[pk]", re.IGNORECASE)})

# The words a portable value may go by, best first; its own spelling always comes before them.
_WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "aspect": {
            "1:1": ("square_hd", "square"),
            "4:3": ("landscape_4_3",),
            "3:4": ("portrait_4_3",),
            "3:2": ("landscape_3_2",),
            "2:3": ("portrait_3_2",),
            "16:9": ("landscape_16_9", "landscape"),
            "9:16": ("portrait_16_9", "portrait"),
            "21:9": ("landscape_21_9",),
            "auto": ("Auto", "adaptive"),
        },
        "duration": {},
        "resolution": {},
        "seed": {},
        "sound": {},
        "format": {
            "jpg": ("jpeg",),
            "jpeg": ("jpg",),
            "mp3": ("mp3_44100_128",),
            "opus": ("opus_48000_128",),
            "pcm": ("pcm_44100",),
        },
    }
)


def translate(model: Model, options: Mapping[str, object]) -> tuple[dict[str, object], tuple[Problem, ...]]:
    """The params that say the same in the model's words, and what it cannot say. None takes an option back."""
    params: dict[str, object] = {}
    problems: list[Problem] = []
    for name, value in options.items():
        if value is None:
            continue
        outcome = _translated(model, name, value)
        if isinstance(outcome, Problem):
            problems.append(outcome)
        else:
            params[outcome[0]] = outcome[1]
    return params, tuple(problems)


def expressible(model: Model) -> tuple[str, ...]:
    """The options the model has a param for."""
    return tuple(name for name in KEYS if _carrier(model, name) is not None)


def _translated(model: Model, name: str, value: object) -> tuple[str, object] | Problem:
    if name not in KEYS:
        return Problem(
            code="unknown-option",
            path=f"options.{name}",
            message=f"there is no option `{name}`",
            help=f"the options are {listed(KEYS)}; what only one model knows goes to `params`",
        )
    spec = _carrier(model, name)
    if spec is None:
        known = expressible(model)
        return Problem(
            code="option-not-expressible",
            path=f"options.{name}",
            message=f"{model.id} has no {name} to choose",
            help=f"it can express {listed(known)}" if known else "it can express none of the options",
        )
    sent = typed_param(model, spec.key, _in_model_words(spec, name, value))
    if isinstance(sent, Problem) or (name == "sound" and not isinstance(value, bool)):
        return Problem(
            code="option-value",
            path=f"options.{name}",
            message=f"{model.id} cannot express {name} `{plain_text(value) or value}`",
            help=f"it can express {_portable_values(spec, name)}",
        )
    return spec.key, sent


def _carrier(model: Model, name: str) -> Param | None:
    """The model's param for an option, if it has one that means it."""
    for key in KEYS[name]:
        for spec in model.params:
            shape = _SHAPES.get(key)
            if spec.key == key and (shape is None or all(shape.fullmatch(option) for option in spec.options)):
                return spec
    return None


def _in_model_words(spec: Param, name: str, value: object) -> object:
    """The option's own spelling, whatever its case (`720P`), or a word for it; the value itself when nothing fits."""
    text = plain_text(value)
    if spec.type != "select" or text is None:
        return value
    for word in (text, *_WORDS[name].get(text.casefold(), ())):
        for option in spec.options:
            if option.casefold() == word.casefold():
                return option
    return value


def _portable_values(spec: Param, name: str) -> str:
    """What the param takes, in portable words."""
    if name == "sound":
        return "`true` and `false`"
    if spec.type != "select":
        low, high = plain_text(spec.min), plain_text(spec.max)
        return "a number" + (f" from {low}" if low else "") + (f" to {high}" if high else "")
    portable = {word: ours for ours, words in _WORDS[name].items() for word in words if name == "aspect"}
    return listed(dict.fromkeys(portable.get(option, option) for option in spec.options))
