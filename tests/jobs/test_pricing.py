"""Price classes: what is assumed to cost the same, and what a new item may cost."""

from __future__ import annotations

import pytest

from jobs.catalogue import Model, Param
from jobs.pricing import Estimate, estimate, is_base_class, price_class

PARAMS = (
    Param(key="duration", type="select", default="5", options=("5", "8", "12")),
    Param(key="aspectRatio", type="select", default="16:9", options=("16:9", "9:16")),
    Param(key="steps", type="number", default=20),
    Param(key="negative", type="text"),
    Param(key="seed", type="number"),
    Param(key="sound", type="select", options=("true", "false")),
)


def _model(billing_type: str = "FIXED", structured: tuple[str, ...] = ()) -> Model:
    return Model(
        id="clip-1",
        display_name="Clip",
        category="video",
        base_credits=28,
        billing_type=billing_type,
        prompt_required=True,
        prompt_max_chars=None,
        params=PARAMS,
        structured_params=structured,
    )


@pytest.mark.parametrize(
    ("params", "references", "name"),
    [
        ({}, 0, "clip-1"),
        ({"duration": "5", "aspectRatio": "16:9", "steps": 20}, 0, "clip-1"),
        ({"seed": 7, "negative": "blurry"}, 0, "clip-1"),
        ({"duration": "12"}, 0, "clip-1?duration=12"),
        ({"sound": "false", "duration": "12"}, 0, "clip-1?duration=12&sound=false"),
        ({"aspectRatio": "9:16"}, 0, "clip-1?aspectRatio=9:16"),
        ({"steps": 30}, 0, "clip-1?steps=30"),
        ({}, 1, "clip-1?references"),
        ({}, 3, "clip-1?references"),
        ({"duration": "8"}, 2, "clip-1?duration=8&references"),
    ],
)
def test_a_class_is_the_model_and_every_param_that_may_move_its_price(
    params: dict[str, object], references: int, name: str
) -> None:
    assert price_class(_model(), params, reference_count=references) == name
    assert is_base_class(name) == ("?" not in name)


def test_the_order_of_params_is_no_difference() -> None:
    one = price_class(_model(), {"sound": "true", "duration": "8"})

    assert one == price_class(_model(), {"duration": "8", "sound": "true"})


def test_a_value_cannot_pass_for_another_param() -> None:
    assert price_class(_model(), {"duration": "8&sound=true"}) != price_class(
        _model(), {"duration": "8", "sound": "true"}
    )


@pytest.mark.parametrize("model", [_model("METERED"), _model(structured=("dialogue",))])
def test_what_is_priced_by_its_length_is_no_base_class(model: Model) -> None:
    assert price_class(model, {}) == "clip-1?metered"


@pytest.mark.parametrize(
    ("name", "base", "seen", "expected"),
    [
        ("m", 28, None, Estimate(low=28, likely=28, high=28, known=False)),
        ("m?duration=12", 28, None, Estimate(low=28, likely=28, high=168, known=False)),
        ("m?duration=12", 28, 84, Estimate(low=84, likely=84, high=84, known=True)),
        ("m", 28, 14, Estimate(low=14, likely=14, high=14, known=True)),
        ("m", None, None, Estimate(low=0, likely=0, high=0, known=False)),
        ("m", None, 9, Estimate(low=9, likely=9, high=9, known=True)),
    ],
)
def test_an_estimate_is_exact_only_where_a_price_was_seen(
    name: str, base: int | None, seen: int | None, expected: Estimate
) -> None:
    assert estimate(price_class=name, base=base, seen=seen) == expected
