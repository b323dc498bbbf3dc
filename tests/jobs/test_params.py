"""Params as people write them, and as the service wants them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.catalogue import Model, Param
from jobs.params import Problem, typed_param, typed_params
from tests.jobs.expanding import catalogue

SEEDANCE = "seedance-1-5-pro"


def model(name: str = SEEDANCE) -> Model:
    return catalogue().models[name]


def one(spec: Param, value: object) -> object:
    """The value as sent for a model with this one param, or the code of what is wrong."""
    outcome = typed_param(made(spec), spec.key, value)
    return outcome.code if isinstance(outcome, Problem) else outcome


def made(*specs: Param, complete: bool = True) -> Model:
    return Model(
        id="made",
        display_name="Made",
        category="image",
        base_credits=1,
        billing_type="FIXED",
        prompt_required=True,
        prompt_max_chars=None,
        params=specs,
        complete=complete,
    )


SELECT = Param(key="p", type="select", options=("4", "8", "0.5", "true", "false", "512P"))
NUMBER = Param(key="p", type="number", min=0, max=10)
TEXT = Param(key="p", type="text")


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (8, "8"),
        ("8", "8"),
        (8.0, "8"),
        (0.5, "0.5"),
        (False, "false"),
        ("false", "false"),
        (True, "true"),
        ("512P", "512P"),
        ("512p", "param-not-an-option"),
        ("8.0", "param-not-an-option"),
        (" 8", "param-not-an-option"),
        (9, "param-not-an-option"),
        ("True", "param-not-an-option"),
        (["8"], "param-not-an-option"),
        ({"8": 8}, "param-not-an-option"),
        (float("nan"), "param-not-an-option"),
    ],
)
def test_a_select_is_sent_as_the_text_of_its_option(written: object, sent: object) -> None:
    assert one(SELECT, written) == sent


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (8, 8),
        (8.0, 8),
        (8.5, 8.5),
        ("8", 8),
        ("8.5", 8.5),
        (0, 0),
        (10, 10),
        (10.1, "param-out-of-range"),
        (-1, "param-out-of-range"),
        ("-1", "param-out-of-range"),
        (True, "param-not-a-number"),
        ("8s", "param-not-a-number"),
        ("0x8", "param-not-a-number"),
        ("1_0", "param-not-a-number"),
        ("1e1", "param-not-a-number"),
        ("٨", "param-not-a-number"),
        (" 8", "param-not-a-number"),
        ("", "param-not-a-number"),
        ([8], "param-not-a-number"),
        (float("inf"), "param-not-a-number"),
        (float("nan"), "param-not-a-number"),
    ],
)
def test_a_number_is_sent_as_a_number(written: object, sent: object) -> None:
    outcome = one(NUMBER, written)

    assert (outcome, type(outcome)) == (sent, type(sent))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("no people", "no people"),
        ("", ""),
        (42, "42"),
        (4.5, "4.5"),
        (False, "param-not-text"),
        (["a"], "param-not-text"),
        ("x" * 20_001, "param-too-long"),
    ],
)
def test_text_is_sent_as_written_and_a_switch_is_no_text(written: object, sent: object) -> None:
    assert one(TEXT, written) == sent


@pytest.mark.parametrize(
    ("low", "step", "value", "fits"),
    [
        (0, 0.05, 0.15, True),
        (0, 0.05, 0.7, True),
        (1, 0.1, 2.5, True),
        (0.7, 0.05, 1.2, True),
        (0.5, 0.5, 2.75, False),
        (10_000, 1, 12_345, True),
        (1, 1, 1.5, False),
        (1, 2, 2, False),
        (None, 3, 9, True),
        (0, 0, 7.77, True),
    ],
)
def test_steps_are_counted_from_the_minimum_without_binary_errors(
    low: float | None,
    step: float,
    value: float,
    fits: bool,
) -> None:
    outcome = one(Param(key="p", type="number", min=low, max=100_000, step=step), value)

    assert (outcome == value) is fits


def test_a_step_missed_names_its_neighbours() -> None:
    outcome = typed_param(model("elevenlabs-sound-effect-v2"), "duration_seconds", 2.75)

    assert isinstance(outcome, Problem)
    assert outcome.help == "the nearest values are `2.5` and `3`"


def test_a_value_outside_the_options_lists_them() -> None:
    outcome = typed_param(model(), "duration", 10)

    assert isinstance(outcome, Problem)
    assert outcome.help == "it takes `4`, `8`, `12`"


def test_a_near_miss_is_suggested() -> None:
    outcome = typed_param(model("hailuo-standard"), "resolution", "512p")

    assert isinstance(outcome, Problem)
    assert outcome.help.startswith("did you mean `512P`?")


def test_the_other_spelling_of_a_key_is_suggested() -> None:
    _, (problem,) = typed_params(model(), {"aspect_ratio": "16:9"})

    assert (problem.code, problem.help) == ("unknown-param", "did you mean `aspectRatio`?")


def test_a_param_of_a_badly_documented_model_is_sent_with_a_warning() -> None:
    sent, problems = typed_params(made(complete=False), {"loop": True, "n": 3})

    assert sent == {"loop": "true", "n": 3}
    assert {problem.severity for problem in problems} == {"warning"}


def test_nothing_that_nobody_wrote_is_sent() -> None:
    assert typed_params(model(), {}) == ({}, ())


def test_null_takes_a_param_back() -> None:
    assert typed_params(model(), {"duration": None}) == ({}, ())


def test_a_required_param_is_asked_for_with_an_example() -> None:
    _, (problem,) = typed_params(model("elevenlabs-turbo-2-5"), {"voice": None})

    assert problem.code == "missing-param"
    assert "`voice: TX3LPaxmHKxFdv7VOQHJ`" in problem.help


@pytest.mark.parametrize("value", [[], {}, "Hello", 3, [float("nan")], ["x" * 70_000], ["\ud800"]])
def test_a_structured_param_is_a_list_or_an_object_that_json_can_carry(value: object) -> None:
    outcome = typed_param(model("elevenlabs-dialogue-v3"), "dialogue", value)

    assert isinstance(outcome, Problem)
    assert outcome.code == "param-structure"


def test_a_structured_param_is_sent_as_written() -> None:
    dialogue = [{"voice": "Adam", "text": "Hello"}]

    assert typed_params(model("elevenlabs-dialogue-v3"), {"dialogue": dialogue}) == ({"dialogue": dialogue}, ())


def test_references_are_not_written_by_hand() -> None:
    _, (problem,) = typed_params(model(), {"referenceMediaItems": []})

    assert (problem.code, problem.path) == ("param-reference-items", "params.referenceMediaItems")


@given(st.sampled_from(sorted(catalogue().models)), st.data())
def test_what_is_sent_is_typed_again_to_itself(name: str, data: st.DataObject) -> None:
    """Typing settles: options are translated and then typed once more among the params."""
    specs = model(name).params
    if not specs:
        return
    spec = data.draw(st.sampled_from(specs))
    value = data.draw(
        st.sampled_from(spec.options or ("x",)) | st.integers(-10, 100) | st.floats(0, 20) | st.booleans()
    )

    outcome = typed_param(model(name), spec.key, value)

    if not isinstance(outcome, Problem):
        assert typed_param(model(name), spec.key, outcome) == outcome
