"""From a document to a manifest, or to everything that is wrong with it."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from jobs.axes import is_axis_name, range_size, range_values
from jobs.findings import Finding
from jobs.leaks import is_secret_text, masked
from jobs.manifest import FileText, Job, Manifest, Range, axis_size, axis_values, merged, parse
from jobs.render import findings_json, findings_text
from jobs.yaml12 import load

MANIFESTS = Path(__file__).parent.parent.parent / "manifests"

HEAD = "version: 1\nname: tried\n"
JOB = "jobs: [{id: one, model: z-image, prompt: a boat}]\n"


def parsed(text: str) -> tuple[Manifest | None, list[Finding]]:
    document, findings = load(text, "a.yaml")
    assert document is not None
    manifest, more = parse(document)
    return manifest, [*findings, *more]


def manifest_of(text: str) -> Manifest:
    manifest, findings = parsed(text)
    assert findings == []
    assert manifest is not None
    return manifest


def job_of(lines: str) -> Job:
    return manifest_of(f"{HEAD}jobs:\n  - id: one\n    {lines}\n").jobs[0]


def told(text: str) -> list[tuple[str, str, str]]:
    return [(finding.code, finding.message, finding.help) for finding in parsed(text)[1]]


def told_of_job(line: str) -> list[tuple[str, str, str]]:
    return told(f"{HEAD}jobs:\n  - id: one\n    model: z-image\n    prompt: a boat\n    {line}\n")


def test_the_smallest_manifest_has_all_defaults() -> None:
    manifest = manifest_of(HEAD + JOB)

    assert (manifest.name, manifest.edition, manifest.budget.credits, manifest.output.sidecar) == (
        "tried",
        "",
        None,
        True,
    )
    assert manifest.jobs[0] == Job(id="one", model="z-image", prompt="a boat")


def test_what_starts_with_x_at_the_top_is_free_space() -> None:
    assert manifest_of(f"{HEAD}x-anything: {{a: [1]}}\n{JOB}") == manifest_of(HEAD + JOB)


def test_a_document_with_findings_never_becomes_a_manifest() -> None:
    manifest, findings = parsed(f"{HEAD}description: a\ndescription: b\n{JOB}")

    assert manifest is None
    assert [finding.code for finding in findings] == ["duplicate-key"]


def test_warnings_come_with_the_manifest() -> None:
    manifest, findings = parsed(f"{HEAD}budget: {{credits: 1, per_item: 2}}\n{JOB}")

    assert manifest is not None
    assert [finding.severity for finding in findings] == ["warning"]


def test_a_prompt_is_a_text_a_list_or_a_file() -> None:
    assert job_of("prompt: a boat").prompt == "a boat"
    assert job_of("prompt: [a boat, a hat]").prompt == ["a boat", "a hat"]
    assert job_of("prompt: {file: boat.txt}").prompt == FileText(file="boat.txt")


def test_values_keep_their_types() -> None:
    params = job_of('params: {a: 8, b: "8", c: 8.0, d: false, e: null, f: [1], g: {h: 16:9}}').params

    assert params == {"a": 8, "b": "8", "c": 8.0, "d": False, "e": None, "f": [1], "g": {"h": "16:9"}}
    assert [type(value) for value in list(params.values())[:3]] == [int, str, float]


def test_where_takes_a_value_or_several() -> None:
    data = job_of("data: {file: a.csv, where: {a: x, b: [x, 1], c: 1.5, d: true, e: null}}").data

    assert data is not None
    assert data.where == {"a": "x", "b": ["x", 1], "c": 1.5, "d": True, "e": None}


@pytest.mark.parametrize(
    ("line", "message", "help_"),
    [
        ("model: 8", "`model` must be text, not the number `8`", 'quote it: `"8"`'),
        ("model: 1.10", "`model` must be text, not the number `1.1`", 'quote it: `"1.10"`'),
        ("model: true", "`model` must be text, not `true`", 'quote it: `"true"`'),
        ("enabled: no",
         '`enabled` must be `true` or `false`, not the text `"no"`', "use `false`; in YAML 1.2 `no` is text"),
        ("enabled: yes",
         '`enabled` must be `true` or `false`, not the text `"yes"`', "use `true`; in YAML 1.2 `yes` is text"),
        ('enabled: "true"', '`enabled` must be `true` or `false`, not the text `"true"`', "write it without quotes"),
        ("enabled: 1", "`enabled` must be `true` or `false`, not the number `1`", "write `true` or `false`"),
        ('repeat: "2"', '`repeat` must be a whole number, not the text `"2"`', "take the quotes out: `2`"),
        ("repeat: 2.5", "`repeat` must be a whole number, not the number `2.5`", "write a whole number"),
        ("repeat: 0", "`repeat` must be at least 1", "it is `0`"),
        ("repeat: 10001", "`repeat` must be at most 10,000", "it is `10001`"),
        ("tags: red", '`tags` must be a list, not the text `"red"`', "write `tags: [red]`"),
        ("tags: [8]", "`tags` must be text, not the number `8`", 'quote it: `"8"`'),
        ("tags: {a: b}", "`tags` must be a list, not a mapping", "start each entry with `- `"),
        ("params: [a]", "`params` must be a mapping, not a list", "write `key: value` lines, without `- `"),
        ("params:", "`params` has no value", "write a mapping, or take the line out"),
        ("matrix: {grid: {model: z}}",
         '`model` must be a list of values, or `{from: ..., to: ..., step: ...}`, not the text `"z"`',
         "write `model: [z]`"),
        ("matrix: {grid: {params.a: {from: 1}}}", "`jobs[0].matrix.grid.params.a` has no `to`", "add `to: ...`"),
        ("matrix: {grid: {params.a: {from: 1, to: x}}}", '`to` must be a whole number, not the text `"x"`',
         "write a whole number"),
        ("matrix: {sample: {count: 0}}", "`count` must be at least 1", "it is `0`"),
        ("promt: x", "unknown key `promt`", "did you mean `prompt`?"),
        ("Enabled: true", "unknown key `Enabled`", "did you mean `enabled`?"),
        ("grid: {}", "unknown key `grid`", "`grid` belongs under `matrix`"),
        ("where: {}", "unknown key `where`", "`where` belongs under `data`"),
        ("compare: a", "unknown key `compare`", "`compare` belongs under `report`"),
        ("aspect: 16:9", "unknown key `aspect`", "write `options: {aspect: ...}`"),
        ("params.seed: 8", "unknown key `params.seed`", "write `params: {seed: ...}`; dotted names are for axes"),
        ("x-note: a", "unknown key `x-note`", "keys that start with `x-` are free at the top of the file only"),
    ],
)  # fmt: skip
def test_a_wrong_shape_is_told_in_the_words_of_the_manifest(line: str, message: str, help_: str) -> None:
    assert [found[1:] for found in told(f"{HEAD}jobs:\n  - id: one\n    prompt: a boat\n    {line}\n")] == [
        (message, help_)
    ]


@pytest.mark.parametrize(
    ("lines", "help_"),
    [
        ("credits: 10", "`credits` belongs under `budget`"),
        ("creates: 5/s", "`creates` belongs under `limits`"),
        ("prompt: a boat", "`prompt` belongs into a job, or under `defaults`"),
        ("budgte: {}", "did you mean `budget`?"),
        ("resubmit_failed: 1", "`resubmit_failed` belongs under `retries`"),
    ],
)
def test_a_key_in_the_wrong_place_is_sent_where_it_belongs(lines: str, help_: str) -> None:
    assert told(f"{HEAD}{lines}\n{JOB}") == [("unknown-key", f"unknown key `{lines.partition(':')[0]}`", help_)]


@pytest.mark.parametrize("name", ["a", "a-b", "0", "sneaker-reveal-2", "a" * 64])
def test_a_run_may_be_called(name: str) -> None:
    assert manifest_of(f'version: 1\nname: "{name}"\n{JOB}').name == name


@pytest.mark.parametrize("name", ["", "A", "-a", "a_b", "a b", "a/b", "..", "é", "a\\n", "a" * 65, "{{ x }}"])
def test_a_run_may_not_be_called(name: str) -> None:
    assert [found[0] for found in told(f'version: 1\nname: "{name}"\n{JOB}')] == ["bad-name"]


@pytest.mark.parametrize(
    ("version", "code"),
    [
        ("2", "newer-version"),
        ("99", "newer-version"),
        ("0", "bad-version"),
        ('"1"', "bad-version"),
        ("1.0", "bad-version"),
        ("true", "bad-version"),
        ("", "missing-version"),
    ],
)
def test_only_version_1_is_read(version: str, code: str) -> None:
    assert [found[0] for found in told(f"version: {version}\nname: tried\n{JOB}")] == [code]


@pytest.mark.parametrize("id_", ["a", "a.b", "a_b-c", "7", "été", "a" * 64])
def test_a_job_may_be_called(id_: str) -> None:
    assert told(f'{HEAD}jobs: [{{id: "{id_}", model: z-image, prompt: a boat}}]\n') == []


@pytest.mark.parametrize("id_", ["a b", "a/b", "-a", ".a", "a*", "a\\n", "a" * 65, "[a]"])
def test_a_job_may_not_be_called(id_: str) -> None:
    assert [found[0] for found in told(f'{HEAD}jobs: [{{id: "{id_}", model: z-image, prompt: a boat}}]\n')] == [
        "bad-job-id"
    ]


@pytest.mark.parametrize(
    "name",
    ["prompt", "model", "params.duration", "params.aspect-ratio", "options.seed", "vars.x", "vars._1", "references.0"],
)
def test_these_are_axes(name: str) -> None:
    assert is_axis_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "duration", "params", "params.", "params.a.b", "params. a", "vars.1", "vars.a-b", "references."),
        *("references.x", "references.01", "references.100", "references.-1", "Prompt", "prompt ", "model.x", "tags"),
    ],
)
def test_these_are_not(name: str) -> None:
    assert not is_axis_name(name)


@pytest.mark.parametrize(
    ("axis", "values"),
    [
        ((4, 12, 4), [4, 8, 12]),
        ((4, 13, 4), [4, 8, 12]),
        ((8, 2, -2), [8, 6, 4, 2]),
        ((1, 1, 5), [1]),
        ((0, 0.5, 0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ((1.1, 1.3, 0.1), [1.1, 1.2, 1.3]),
        ((0.3, 0.1, -0.1), [0.3, 0.2, 0.1]),
        ((1, 2, 0.5), [1.0, 1.5, 2.0]),
    ],
)
def test_a_range_has_both_ends_and_no_rounding(axis: tuple[float, float, float], values: list[float]) -> None:
    made = range_values(*axis)

    assert made == values
    assert [type(value) for value in made] == [type(value) for value in values]
    assert range_size(*axis) == len(values)


@given(st.integers(-50, 50), st.integers(0, 60), st.integers(1, 30), st.integers(0, 3))
def test_a_range_of_decimals_is_exact(start: int, count: int, step: int, places: int) -> None:
    scale = Decimal(10) ** -places
    exact = [(start + place * step) * scale for place in range(count + 1)]

    made = range_values(float(exact[0]), float(exact[-1]), float(step * scale))

    assert made == [float(number) for number in exact]


@given(*[st.floats(allow_nan=False, allow_infinity=False)] * 3)
def test_the_size_of_any_range_is_known_without_making_it(first: float, last: float, step: float) -> None:
    size = range_size(first, last, step)

    assert size >= 0
    if 0 < size < 100:
        made = range_values(first, last, step)
        assert len(made) == size
        assert all(min(first, last) <= value <= max(first, last) for value in made)


def test_an_axis_of_a_billion_values_is_counted_and_refused() -> None:
    start = time.process_time()
    found = told_of_job("matrix: {grid: {params.seed: {from: 1, to: 1000000000}}}")

    assert found == [
        ("axis-too-long", "the range has 1,000,000,000 values; an axis may have 10,000", "use a wider step")
    ]
    assert time.process_time() - start < 5


def test_axes_are_read_through_one_door() -> None:
    span = Range.model_validate({"from": 1, "to": 2, "step": 0.5})

    assert (axis_values(span), axis_size(span)) == ([1.0, 1.5, 2.0], 3)
    assert (axis_values(["a", 1]), axis_size(["a", 1])) == (["a", 1], 2)


def test_defaults_are_laid_under_key_by_key_and_null_takes_one_out() -> None:
    defaults: dict[str, JsonValue] = {"a": 1, "b": {"deep": 1}, "c": 3}

    assert merged(defaults, {"b": 2, "c": None, "d": 4}) == {"a": 1, "b": 2, "d": 4}
    assert defaults == {"a": 1, "b": {"deep": 1}, "c": 3}


KEYS = (
    "rvya_sk_live0123456789",
    "Bearer abc123def456ghi789jkl",
    "sk-ant-0123456789abcdefghij",
    "AKIAABCDEFGHIJKLMNOP",
    "ghp_" + "a1" * 18,
    "xoxb-1234567890-abc",
    "AIza" + "b" * 35,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
    "-----BEGIN RSA PRIVATE KEY-----",
)

TEMPLATES = (
    "vars: {{a: {key}}}",
    "params: {{a: [1, {{b: {key}}}]}}",
    "tags: [x, {key}]",
    "prompt: 'a boat {key} at dusk'",
    "{key}: x",
    "matrix: {{grid: {{vars.a: [x, {key}]}}}}",
    "matrix: {{exclude: [{{vars.a: {key}}}]}}",
    "matrix: {{grid: {{{key}: [x]}}}}",
    "repeat: {key}",
    "references: [{key}]",
)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("line", TEMPLATES)
def test_a_key_in_a_manifest_is_an_error_and_is_printed_nowhere(key: str, line: str) -> None:
    if key.startswith("-") and line.startswith("{key}"):
        line = "'{key}': x"
    text = f"{HEAD}jobs:\n  - id: one\n    model: z-image\n    {line.format(key=key)}\n"
    findings = parsed(text)[1]
    printed = findings_text(findings, {"a.yaml": text}) + repr(findings_json(findings))

    assert "secret-in-manifest" in {finding.code for finding in findings}
    assert key not in printed
    assert key[-12:] not in printed


@pytest.mark.parametrize("name", ["api_key", "API-KEY", "rivya_api_key", "password", "Authorization", "access_token"])
def test_a_key_by_name_is_an_error_and_its_value_is_printed_nowhere(name: str) -> None:
    text = f"{HEAD}{name}: swordfish # today\n{JOB}"
    findings = parsed(text)[1]

    assert [finding.code for finding in findings] == ["secret-in-manifest"]
    assert "swordfish" not in findings_text(findings, {"a.yaml": text}) + repr(findings_json(findings))


@pytest.mark.parametrize(
    "text",
    ["the bearer of the ring", "Bearer extraordinarily beautiful", "a key on a table", "sk-8 board", "secret garden",
     "eyJ", "password of the day", "AKIA", "the token was torn"],
)  # fmt: skip
def test_prompts_about_keys_are_no_keys(text: str) -> None:
    assert not is_secret_text(text)
    assert masked(text) == text


@given(st.text(max_size=80))
def test_masking_keeps_the_length_and_leaves_no_key(text: str) -> None:
    for candidate in (text, f"{text} {KEYS[0]} {text}", f"api_key: {text}"):
        hidden = masked(candidate)

        assert len(hidden) == len(candidate)
        assert not is_secret_text(hidden)


def test_ten_thousand_jobs_are_read_in_seconds() -> None:
    jobs = "".join(
        f'  - id: job-{n}\n    model: z-image\n    prompt: "a boat {n}"\n    params: {{seed: {n}}}\n    tags: [a, b]\n'
        for n in range(10_000)
    )
    start = time.process_time()
    manifest = manifest_of(f"{HEAD}jobs:\n{jobs}")

    assert len(manifest.jobs) == 10_000
    assert time.process_time() - start < 15  # about 1 s on an idle machine


def test_ten_thousand_mistakes_are_found_in_seconds() -> None:
    jobs = "".join(f"  - {{id: job-{n}, modle: z-image}}\n" for n in range(10_000))
    start = time.process_time()
    findings = parsed(f"{HEAD}jobs:\n{jobs}")[1]

    assert len(findings) == 10_000
    assert time.process_time() - start < 30


FOREIGN = ("pydantic", "input", "unable to parse", "extra", "dictionary", "^", "something else", "<list>", "<mapping>")


@pytest.mark.parametrize("path", sorted((MANIFESTS / "broken").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_word_of_the_validation_library_reaches_people(path: Path) -> None:
    document, _ = load(path.read_text(encoding="utf-8-sig", errors="replace"), path.name)
    findings = parse(document)[1] if document is not None else []
    words = " ".join(f"{finding.message} {finding.help}".lower() for finding in findings)

    assert [word for word in FOREIGN if word in words] == []


SAMPLES = [path.read_text(encoding="utf-8") for path in sorted(MANIFESTS.glob("*.yaml"))]
JUNK = [
    "",
    "0",
    "-1",
    "null",
    "[]",
    "{}",
    "[[]]",
    "{a: b}",
    '""',
    "x",
    "true",
    "1.5",
    "{from: 1}",
    "[null, {}]",
    "[1, [2]]",
]


@given(data=st.data())
def test_no_manifest_however_mangled_raises(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(SAMPLES)).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(lines) - 1))
        kind = data.draw(st.integers(0, 3))
        if kind == 0:
            key, colon, _ = lines[number].partition(": ")
            lines[number] = key + colon + data.draw(st.sampled_from(JUNK))
        elif kind == 1:
            lines[number] = lines[number].replace(
                *data.draw(st.sampled_from([("[", "{"), (":", ""), ("  ", " "), ("'", '"')]))
            )
        elif kind == 2 and len(lines) > 1:
            del lines[number]
        else:
            lines.insert(number, lines[data.draw(st.integers(0, len(lines) - 1))])
    text = "\n".join(lines)
    document, findings = load(text, "a.yaml")
    if document is not None:
        manifest, more = parse(document)
        findings = [*findings, *more]
        assert manifest is not None or any(finding.severity == "error" for finding in findings)
        assert (manifest is None) == any(finding.severity == "error" for finding in findings)

    assert findings_text(findings, {"a.yaml": text}) or not findings
    assert all(finding.place is not None and finding.help for finding in findings)


NAMES = (
    *("version", "name", "jobs", "id", "model", "prompt", "matrix", "grid", "zip", "exclude", "include", "sample"),
    *("count", "report", "x", "pages", "references", "file", "vars", "defaults", "limits", "timeout", "creates"),
    *("params.a", "references.0", "from", "to", "step", "data", "where", "notify", "urls", "budget", "credits"),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 20) | st.floats(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=25,
)


@given(ANYTHING)
def test_no_value_in_any_place_raises(data: object) -> None:
    document, _ = load(json.dumps({"version": 1, "name": "a", "jobs": [data], "more": data}, ensure_ascii=False), "a")
    if document is not None:
        manifest, findings = parse(document)
        assert (manifest is None) == any(finding.severity == "error" for finding in (*document.findings, *findings))
