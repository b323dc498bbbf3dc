"""Portable options: one spelling in the manifest, each model's own on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.options import KEYS, expressible, translate
from jobs.params import typed_params
from tests.jobs.expanding import catalogue

MODELS = catalogue().models


@pytest.mark.parametrize(
    ("model", "option", "value", "params"),
    [
        ("kling-2-6", "aspect", "16:9", {"aspect_ratio": "16:9"}),
        ("seedance-1-5-pro", "aspect", "16:9", {"aspectRatio": "16:9"}),
        ("nano-banana", "aspect", "16:9", {"imageSize": "16:9"}),
        ("qwen2-image", "aspect", "16:9", {"image_size": "16:9"}),
        ("qwen-image", "aspect", "16:9", {"image_size": "landscape_16_9"}),
        ("qwen-image", "aspect", "3:4", {"image_size": "portrait_4_3"}),
        ("qwen-image", "aspect", "1:1", {"image_size": "square_hd"}),
        ("seedream-4-0", "aspect", "21:9", {"image_size": "landscape_21_9"}),
        ("sora-2", "aspect", "9:16", {"aspect_ratio": "portrait"}),
        ("veo3-1-fast", "aspect", "auto", {"aspectRatio": "Auto"}),
        ("seedance-2", "aspect", "auto", {"aspect_ratio": "adaptive"}),
        ("seedance-1-5-pro", "duration", 8, {"duration": "8"}),
        ("seedance-1-5-pro", "duration", "8", {"duration": "8"}),
        ("seedance-2", "duration", 8, {"duration": 8}),
        ("sora-2", "duration", 10, {"n_frames": "10"}),
        ("elevenlabs-sound-effect-v2", "duration", 2.5, {"duration_seconds": 2.5}),
        ("hailuo-standard", "resolution", "768p", {"resolution": "768P"}),
        ("nano-banana-2", "resolution", "2k", {"resolution": "2K"}),
        ("runway", "resolution", "1080p", {"quality": "1080p"}),
        ("seedream-4-0", "resolution", "4K", {"image_resolution": "4K"}),
        ("seedance-1-0-pro", "seed", 7, {"seed": 7}),
        ("google-imagen4", "seed", 7, {"seed": "7"}),
        ("veo3-1-fast", "seed", 12345, {"seeds": 12345}),
        ("seedance-1-5-pro", "sound", False, {"generate_audio": "false"}),
        ("kling-2-6", "sound", True, {"sound": "true"}),
        ("nano-banana-2", "format", "jpeg", {"output_format": "jpg"}),
        ("nano-banana", "format", "jpg", {"output_format": "jpeg"}),
        ("flux-kontext-pro", "format", "png", {"outputFormat": "png"}),
        ("elevenlabs-sound-effect-v2", "format", "mp3", {"output_format": "mp3_44100_128"}),
        ("elevenlabs-sound-effect-v2", "format", "pcm_8000", {"output_format": "pcm_8000"}),
    ],
)
def test_an_option_is_said_in_the_model_s_words(
    model: str, option: str, value: object, params: dict[str, object]
) -> None:
    assert translate(MODELS[model], {option: value}) == (params, ())


@pytest.mark.parametrize(
    ("model", "option", "value", "code", "help_"),
    [
        ("sora-2", "aspect", "1:1", "option-value", "it can express `16:9`, `9:16`"),
        ("qwen-image", "aspect", "21:9", "option-value", "it can express `1:1`, `3:4`, `9:16`, `4:3`, `16:9`"),
        ("seedance-2", "duration", 20, "option-value", "it can express a number from 4 to 15"),
        ("google-imagen4-fast", "seed", -1, "option-value", "it can express a number from 0"),
        ("kling-2-6", "sound", "loud", "option-value", "it can express `true` and `false`"),
        ("kling-2-6", "sound", "true", "option-value", "it can express `true` and `false`"),
        ("veo3-1-fast", "seed", 7, "option-value", "it can express a number from 10000 to 99999"),
        ("seedance-1-5-pro", "seed", 7, "option-not-expressible", None),
        ("gpt-image-1-5", "resolution", "2K", "option-not-expressible", "it can express `aspect`"),
        ("hailuo-pro", "duration", 6, "option-not-expressible", "it can express none of the options"),
        ("wan-2-7-video", "sound", True, "option-not-expressible", None),
        ("z-image", "ratio", "1:1", "unknown-option", None),
        ("z-image", "aspect", ["1:1"], "option-value", None),
    ],
)
def test_what_a_model_cannot_express_is_refused_with_what_it_can(
    model: str, option: str, value: object, code: str, help_: str | None
) -> None:
    params, (problem,) = translate(MODELS[model], {option: value})

    assert (params, problem.code) == ({}, code)
    assert help_ is None or problem.help == help_


def test_null_takes_an_option_back() -> None:
    assert translate(MODELS["hailuo-pro"], {"duration": None}) == ({}, ())


@pytest.mark.parametrize("model", sorted(MODELS))
def test_no_model_has_two_params_for_one_option(model: str) -> None:
    keys = {spec.key for spec in MODELS[model].params}

    for option, spelled in KEYS.items():
        assert len(keys & set(spelled)) <= 1 or option == "resolution"


@given(st.sampled_from(sorted(MODELS)), st.sampled_from(sorted(KEYS)), st.data())
def test_a_translated_option_is_a_param_the_model_takes(name: str, option: str, data: st.DataObject) -> None:
    values = ["16:9", "1:1", "auto", "720p", "2K", "png", "jpg", "mp3", 4, 5, 8, 10, 12345, True, False]
    model = MODELS[name]

    params, problems = translate(model, {option: data.draw(st.sampled_from(values))})

    assert bool(params) != bool(problems)
    assert (option in expressible(model)) or problems
    assert typed_params(model, params)[0] == params
