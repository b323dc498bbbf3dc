"""What has to hold for the items of a run, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.catalogue import Catalogue
from jobs.checks import prompt_length
from jobs.codes import CODES
from jobs.item import MediaKind, ReferenceFile
from jobs.leaks import is_secret_text
from jobs.names import bad_name, collision_key
from tests.jobs.expanding import catalogue, expanded, of_data, only, picture, told

MEGABYTE = 1_000_000


def job(model: str, **more: Any) -> dict[str, Any]:
    return {"jobs": [{"id": "a", "model": model, "prompt": "x", **more}]}


def with_files(model: str, *files: ReferenceFile, prompt: str | None = "x") -> list[str]:
    """The codes for a job of this model with these files, each under a name of its own."""
    names = [f"f{number}" for number in range(len(files))]
    data = {
        "references": {name: {"file": name} for name in names},
        "jobs": [{"id": "a", "model": model, "references": names, **({"prompt": prompt} if prompt else {})}],
    }
    return told(of_data(data, references={name: (file,) for name, file in zip(names, files, strict=True)}))


def clip(name: str = "clip", mime: str = "video/mp4", size: int = 9) -> ReferenceFile:
    return picture(name, mime=mime, kind="video", size=size)


@pytest.mark.parametrize(
    ("prompt", "length"), [("", 0), ("abc", 3), ("äöü", 3), ("👟", 2), ("a👟b", 4), ("e\u0301", 2), ("\ud800", 1)]
)
def test_a_prompt_is_counted_the_stricter_way(prompt: str, length: int) -> None:
    assert prompt_length(prompt) == length


@pytest.mark.parametrize(
    ("prompt", "codes"),
    [("x" * 1000, []), ("x" * 1001, ["prompt-too-long"]), ("👟" * 500, []), ("👟" * 501, ["prompt-too-long"])],
)
def test_a_prompt_keeps_to_its_model_s_limit(prompt: str, codes: list[str]) -> None:
    assert told(of_data(job("z-image", prompt=prompt))) == codes


def test_prompts_too_long_for_one_model_are_told_once() -> None:
    rows = "t\n" + "".join(f"{'x' * (1001 + number)}\n" for number in range(20))

    finding = only(of_data(job("z-image", prompt="{{ row.t }}", data={"file": "r.csv"}), texts={"r.csv": rows}))

    assert finding.code == "prompt-too-long"
    assert finding.message.endswith("and 19 more)")


@pytest.mark.parametrize("prompt", [None, "   ", "{{ vars.e }}", "{# nothing #}"])
def test_a_prompt_that_is_needed_has_something_in_it(prompt: str | None) -> None:
    assert told(of_data({"vars": {"e": ""}, **job("z-image", prompt=prompt)})) == ["missing-prompt"]


def test_a_model_that_needs_no_prompt_gets_none() -> None:
    dialogue = {"dialogue": [{"voice": "Adam", "text": "Hello"}]}
    data = {"jobs": [{"id": "a", "model": "elevenlabs-dialogue-v3", "params": dialogue}]}

    expansion = of_data(data)

    assert (expansion.findings, expansion.items[0].prompt) == ((), None)


@pytest.mark.parametrize(
    "text", ["rvya_sk_0123456789abcdef", "-----BEGIN PRIVATE KEY-----", "use Bearer 0123456789abcdef0123"]
)
def test_a_key_from_the_data_does_not_get_into_a_prompt_and_is_not_shown(text: str) -> None:
    finding = only(
        of_data(job("z-image", prompt="{{ row.t }}", data={"file": "r.csv"}), texts={"r.csv": f"t\n{text}\n"})
    )

    assert finding.code == "prompt-secret"
    assert text not in finding.message + finding.help


@pytest.mark.parametrize(
    ("model", "files", "codes"),
    [
        ("z-image", [picture("a")], ["reference-not-taken"]),
        ("kling-2-6", [picture("a")], []),
        ("kling-2-6", [picture("a"), picture("b")], ["reference-too-many-files"]),
        ("kling-2-6", [clip()], ["reference-kind"]),
        ("kling-2-6", [picture("a", mime="image/gif")], ["reference-type"]),
        ("kling-2-6", [picture("a", size=10 * MEGABYTE)], []),
        ("kling-2-6", [picture("a", size=10 * MEGABYTE + 1)], ["reference-size"]),
        ("nano-banana-2", [picture("a", size=30 * MEGABYTE)], []),
        ("wan-2-6", [clip(mime="video/x-matroska")], []),
        ("wan-2-6", [clip(mime="video/webm")], ["reference-type"]),
        ("wan-2-6", [clip(size=10 * MEGABYTE + 1)], ["reference-size"]),
        ("happyhorse-1-0", [picture(str(number)) for number in range(9)], []),
        ("happyhorse-1-0", [picture(str(number)) for number in range(10)], ["reference-mix"]),
        ("happyhorse-1-0", [clip(), *(picture(str(number)) for number in range(5))], []),
        ("happyhorse-1-0", [clip(), *(picture(str(number)) for number in range(6))], ["reference-mix"]),
        ("happyhorse-1-0", [clip("a"), clip("b")], ["reference-mix"]),
        ("happyhorse-1-0", [picture(str(number)) for number in range(11)], ["reference-too-many-files"]),
        ("seedream-4-5", [picture(str(number)) for number in range(11)], []),
        ("flux-kontext-pro", [picture("a", size=11 * MEGABYTE)], ["reference-size"]),
    ],
)
def test_references_fit_their_model(model: str, files: list[ReferenceFile], codes: list[str]) -> None:
    assert with_files(model, *files) == codes


def test_a_model_that_cannot_go_without_a_file_asks_for_one() -> None:
    models = dict(catalogue().models)
    models["kling-2-6"] = replace(models["kling-2-6"], requires_upload=True)

    assert told(of_data(job("kling-2-6"), models=Catalogue(models=models))) == ["missing-reference"]


def test_a_model_that_cannot_be_called_is_refused_with_others_of_its_kind() -> None:
    models = dict(catalogue().models)
    models["z-image"] = replace(models["z-image"], callable=False)

    finding = only(of_data(job("z-image"), models=Catalogue(models=models)))

    assert finding.code == "model-not-callable"
    assert finding.help.startswith("image models that can: `flux-2-flex`")


def test_two_items_of_one_content_are_refused_with_both_places() -> None:
    finding = only(
        expanded(
            """
jobs:
  - {id: a, model: z-image, prompt: "x y"}
  - {id: b, model: z-image, prompt: "x {{ vars.v }}", matrix: {grid: {vars.v: [z, y]}}}
"""
        )
    )

    assert finding.code == "item-twice"
    assert finding.message.startswith("this is the same item as `a` on line 5")
    assert finding.place is not None
    assert (finding.place.line, finding.place.path) == (6, "jobs[1].prompt")


def test_a_param_written_in_two_ways_is_the_same_item() -> None:
    data = job("seedance-1-5-pro", matrix={"grid": {"params.duration": [8, "8"]}})

    assert set(told(of_data(data))) == {"item-twice"}


@pytest.mark.parametrize(
    "output",
    [
        "../x",
        "/x",
        "a//b",
        "-x",
        ".x",
        "con",
        "a\u202eb",
        "a" * 121,
        "{% for n in range(50) %}{{ row.t }}-{% endfor %}z",
    ],
)
def test_an_output_name_that_is_not_safe_is_refused(output: str) -> None:
    data = job("z-image", prompt="{{ row.t }}", output=output, data={"file": "r.csv"})

    assert told(of_data(data, texts={"r.csv": "t\nMug\n"})) == ["output-name"]


@pytest.mark.parametrize("values", [["Shoe", "shoe"], ["é", "e\u0301"], ["a b", "a-b"], ["a.", "a"], ["x/y", "x y"]])
def test_output_names_that_some_system_takes_for_one_are_refused(values: list[str]) -> None:
    data = job(
        "z-image", prompt="{{ vars.v }}", output="out/{{ vars.v }}{{ ext }}", matrix={"grid": {"vars.v": values}}
    )

    assert told(of_data(data)) == ["output-collision"]


def test_repeats_need_names_of_their_own() -> None:
    assert told(of_data(job("z-image", output="x", repeat=2))) == ["output-collision"]
    assert told(of_data(job("z-image", output="{{ item.key }}", repeat=2))) == []


_ANY_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=20)
_TEXTS = _ANY_TEXT.filter(lambda text: not is_secret_text(text))  # what looks like a key is refused ahead of all checks


@given(
    st.lists(_TEXTS, min_size=1, max_size=6, unique=True),
    st.sampled_from(
        [None, "{{ vars.v }}", "{{ item.key }}", "{{ vars.v }}-{{ item.index }}", "{{ vars.v | lower }}/x{{ ext }}"]
    ),
)
def test_when_the_checks_pass_no_two_names_collide_and_all_are_safe(values: list[str], output: str | None) -> None:
    data = job("z-image", prompt="{{ vars.v }} .", matrix={"grid": {"vars.v": values}}) | {"vars": {}}
    if output:
        data["jobs"][0]["output"] = output

    expansion = of_data(data)

    if not expansion.findings:
        stems = [item.output_stem for item in expansion.items]
        assert len({collision_key(stem) for stem in stems}) == len(values)
        assert not any(bad_name(stem) for stem in stems)


def test_an_item_above_the_budget_per_item_is_announced() -> None:
    finding = only(of_data({"budget": {"credits": 500, "per_item": 20}, **job("seedance-1-5-pro")}))

    assert (finding.code, finding.severity) == ("item-over-budget", "warning")


def test_a_budget_below_the_cheapest_item_is_announced() -> None:
    finding = only(of_data({"budget": {"credits": 27}, **job("seedance-1-5-pro")}))

    assert (finding.code, finding.severity) == ("budget-too-small", "warning")


def test_a_run_of_nothing_is_refused() -> None:
    assert told(of_data(job("z-image", enabled=False))) == ["no-items"]


def test_no_items_is_not_said_when_another_mistake_is_the_reason() -> None:
    assert told(of_data(job("nope"))) == ["unknown-model"]


def test_no_row_left_is_said_where_the_rows_come_from() -> None:
    data = job("z-image", prompt="{{ row.t }}", data={"file": "r.csv", "where": {"t": "none"}})

    assert told(of_data(data, texts={"r.csv": "t\nMug\n"})) == ["data-no-rows", "no-items"]


@pytest.mark.parametrize(("kind", "mime"), [("image", "image/png"), ("video", "video/mp4"), ("audio", "audio/mpeg")])
def test_a_model_without_any_rule_lets_the_service_decide(kind: MediaKind, mime: str) -> None:
    assert with_files("wan-2-7-video", picture("a", mime=mime, kind=kind)) == []


def test_every_explanation_is_prose_that_ends() -> None:
    for code, text in CODES.items():
        assert code == code.lower()
        assert text.strip() == text
        assert text.endswith((".", "`", ")"))
        assert max(map(len, text.splitlines())) <= 120
