"""From a manifest to items: what is bought, what it is called, and what never changes it."""

from __future__ import annotations

import copy
import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.identity import identity
from jobs.matrix import size
from tests.jobs.expanding import expanded, of_data, only, picture, told

REVEAL = """
jobs:
  - id: reveal
    model: seedance-1-5-pro
    prompt: "A cinematic reveal of a canvas sneaker on {{ vars.surface }}"
    params: {resolution: 720p, generate_audio: false}
    matrix:
      grid:
        vars.surface: [black marble, wet asphalt]
        params.duration: [4, 8, 12]
        params.aspectRatio: [16:9, 9:16]
      exclude:
        - {params.duration: 12, params.aspectRatio: 9:16}
"""
ROWS = "sku,title,colour\nA1,Mug,teal\nB2,Lamp,amber\n"


def prompts(text: str, **more: Any) -> list[str | None]:
    expansion = expanded(text, **more)
    assert expansion.findings == ()
    return [item.prompt for item in expansion.items]


def test_a_grid_becomes_items_with_params_as_the_model_wants_them() -> None:
    expansion = expanded(REVEAL)

    assert expansion.findings == ()
    assert len(expansion.items) == 10
    first = expansion.items[0]
    assert first.prompt == "A cinematic reveal of a canvas sneaker on black marble"
    assert first.params == {"resolution": "720p", "generate_audio": "false", "duration": "4", "aspectRatio": "16:9"}
    assert first.key == "reveal/vars.surface=black marble,params.duration=4,params.aspectRatio=16:9"
    assert first.output_stem == f"reveal/black-marble-4-16-9-{first.identity[3:11]}"
    assert (first.credits, first.index, first.repeat) == (28, 0, 1)
    assert expansion.steps["reveal"].product == 12
    assert expansion.steps["reveal"].after_exclude == 10


def test_an_item_is_named_by_what_is_sent() -> None:
    item = expanded(REVEAL).items[3]

    assert item.identity == identity(
        model="seedance-1-5-pro",
        prompt=item.prompt,
        params=item.params,
        reference_digests=[],
        repeat=1,
        edition="",
    )


def test_rows_come_first_then_prompts_and_each_names_its_items() -> None:
    expansion = expanded(
        """
jobs:
  - id: shot
    model: z-image
    data: {file: rows.csv, key: sku}
    prompt: ["{{ row.title }} in front", "{{ row.title }} at home"]
""",
        texts={"rows.csv": ROWS},
    )

    assert [item.key for item in expansion.items] == [
        "shot/A1,prompt=1",
        "shot/A1,prompt=2",
        "shot/B2,prompt=1",
        "shot/B2,prompt=2",
    ]
    assert [item.prompt for item in expansion.items][:2] == ["Mug in front", "Mug at home"]


def test_where_keeps_rows_by_their_text_and_limit_the_first_of_them() -> None:
    rows = '{"n": 1, "hero": true}\n{"n": 2, "hero": false}\n{"n": 3, "hero": true}\n{"n": 4, "hero": null}\n'
    job = "jobs:\n  - {id: a, model: z-image, prompt: 'x {{ row.n }}', data: {file: r.jsonl, where: %s%s}}\n"

    assert prompts(job % ("{hero: true}", ""), texts={"r.jsonl": rows}) == ["x 1", "x 3"]
    assert prompts(job % ("{n: [2, '3']}", ""), texts={"r.jsonl": rows}) == ["x 2", "x 3"]
    assert prompts(job % ("{hero: true}", ", limit: 1"), texts={"r.jsonl": rows}) == ["x 1"]
    assert prompts(job % ("{hero: null}", ""), texts={"r.jsonl": rows}) == ["x 4"]


def test_an_axis_replaces_what_it_names() -> None:
    expansion = expanded(
        """
references: {shoe: {file: shoe.png}, mug: {file: mug.png}}
defaults: {references: [shoe], options: {aspect: 16:9}}
jobs:
  - id: a
    prompt: unused
    model: z-image
    matrix:
      zip:
        prompt: ["one {{ vars.v }}", "two {{ vars.v }}"]
        model: [flux-2-pro, nano-banana-2]
        vars.v: [x, y]
        options.aspect: [1:1, 4:3]
        params.resolution: [1K, 2K]
        references.0: [mug, shoe]
        references.1: [shoe, mug]
""",
        references={"shoe": (picture("shoe"),), "mug": (picture("mug"),)},
    )

    assert expansion.findings == ()
    one, two = expansion.items
    assert (one.prompt, one.model, one.params) == ("one x", "flux-2-pro", {"aspectRatio": "1:1", "resolution": "1K"})
    assert (two.prompt, two.model, two.params) == (
        "two y",
        "nano-banana-2",
        {"aspect_ratio": "4:3", "resolution": "2K"},
    )
    assert [[file.name for file in item.references] for item in (one, two)] == [["mug", "shoe"], ["shoe", "mug"]]


def test_a_glob_gives_its_files_in_order() -> None:
    shots = tuple(picture(f"shot-{number}") for number in range(3))

    (item,) = expanded(
        "references: {shots: {file: '*.png'}}\njobs:\n  - {id: a, model: flux-2-pro, prompt: x, references: [shots]}\n",
        references={"shots": shots},
    ).items

    assert item.references == shots


def test_null_takes_defaults_back() -> None:
    (item,) = expanded(
        """
vars: {mood: calm, look: "{{ vars.mood }}"}
defaults: {params: {duration: 4, fixed_lens: true}, options: {aspect: 16:9}}
jobs:
  - {id: a, model: seedance-1-5-pro, prompt: "{{ vars.mood | default('none') }}", params: {duration: null},
     options: {aspect: null}, vars: {mood: null, look: null}}
"""
    ).items

    assert (item.params, item.prompt) == ({"fixed_lens": "true"}, "none")


def test_true_and_1_are_different_values_of_an_axis() -> None:
    expansion = expanded(
        "jobs:\n  - {id: a, model: seedance-1-5-pro, prompt: x, matrix: {grid: {params.fixed_lens: [true, 1]}}}\n"
    )

    assert told(expansion) == ["param-not-an-option"]
    assert [item.params for item in expansion.items] == [{"fixed_lens": "true"}]


def test_repeats_differ_by_number_only_and_the_first_keeps_its_key() -> None:
    expansion = expanded("jobs:\n  - {id: a, model: z-image, prompt: x, repeat: 3}\n")

    assert [item.key for item in expansion.items] == ["a", "a#2", "a#3"]
    assert len({item.identity for item in expansion.items}) == 3


def test_vars_are_templates_that_see_rows_axes_and_each_other() -> None:
    found = prompts(
        """
vars: {look: "{{ vars.mood }} light", mood: "{{ row.title }} at {{ axis.vars.time }}"}
jobs:
  - id: a
    model: z-image
    prompt: "{{ vars.look }}"
    data: {file: rows.csv, limit: 1}
    matrix: {grid: {vars.time: [dawn, "{{ run.date }}"]}}
""",
        texts={"rows.csv": ROWS},
    )

    assert found[0] == "Mug at dawn light"


def test_rows_are_data_and_never_templates() -> None:
    assert prompts(
        "jobs:\n  - {id: a, model: z-image, prompt: '{{ row.t }}', data: {file: r.csv}}\n",
        texts={"r.csv": "t\n{{ vars.secret }}{% raw %}\n"},
    ) == ["{{ vars.secret }}{% raw %}"]


def test_a_prompt_is_sent_as_written() -> None:
    text = "  Zwei Zeilen,\r\n\tein Tab, ein } { und %}  \n\n"

    (item,) = of_data(
        {"jobs": [{"id": "a", "model": "z-image", "prompt": {"file": "p.txt"}}]}, texts={"p.txt": text}
    ).items

    assert item.prompt == text


def test_the_edition_is_rendered_and_names_the_run() -> None:
    expansion = expanded(
        'edition: "{{ run.date }}-{{ vars.take }}"\nvars: {take: "{{ vars.n }}", n: 2}\n'
        "jobs:\n  - {id: a, model: z-image, prompt: '{{ run.id }}'}\n"
    )

    assert (expansion.edition, expansion.run_id) == ("2026-05-31-2", "test@2026-05-31-2")
    assert expansion.items[0].prompt == "test@2026-05-31-2"


def test_a_new_edition_makes_every_item_new() -> None:
    text = "edition: '%s'\njobs:\n  - {id: a, model: z-image, prompt: x}\n"

    assert expanded(text % "a").items[0].identity != expanded(text % "b").items[0].identity


def test_a_variable_of_the_command_line_wins_over_all_but_axes() -> None:
    text = """
vars: {a: manifest, b: manifest}
jobs:
  - {id: a, model: z-image, prompt: "{{ vars.a }} {{ vars.b }}", vars: {a: job}, matrix: {grid: {vars.b: [x]}}}
"""

    assert prompts(text, variables={"a": "given", "b": "given"}) == ["given x"]


def test_a_variable_that_nothing_reads_is_doubted() -> None:
    finding = only(expanded("jobs:\n  - {id: a, model: z-image, prompt: x}\n", variables={"styel": "x"}))

    assert (finding.code, finding.severity) == ("unread-variable", "warning")


def test_tags_and_output_names_are_rendered_and_values_in_names_are_slugs() -> None:
    (item, _) = expanded(
        """
jobs:
  - id: a
    model: z-image
    prompt: "{{ row.title }}"
    data: {file: rows.csv, key: sku}
    tags: ["{{ row.colour }}", "{{ run.date }}"]
    output: "{{ run.date }}/{{ row.title }}/{{ item.key }}-{{ item.index }}{{ ext }}"
""",
        texts={"rows.csv": "sku,title,colour\nA/1,../Mug: big,teal\nB,Lamp,amber\n"},
    ).items

    assert item.tags == ("teal", "2026-05-31")
    assert item.output_stem == "2026-05-31/Mug-big/a-A-1-0"


def test_jobs_that_are_not_enabled_are_left_out() -> None:
    text = "jobs:\n  - {id: a, model: z-image, prompt: x}\n  - {id: b, model: nope, prompt: '{{', enabled: false}\n"

    assert [item.key for item in expanded(text).items] == ["a"]


def test_params_win_by_being_the_only_ones_to_say_a_thing() -> None:
    text = """
defaults: {options: {aspect: 16:9}}
jobs:
  - {id: a, model: z-image, prompt: x, params: {aspect_ratio: 4:3}%s}
"""

    assert told(expanded(text % "")) == ["option-and-param"]
    assert expanded(text % ", options: {aspect: null}").items[0].params == {"aspect_ratio": "4:3"}


def test_every_mistake_is_told_at_once() -> None:
    found = told(
        expanded(
            """
jobs:
  - {id: a, model: z-imge, prompt: x}
  - {id: b, model: z-image, prompt: "{{ vars.b }}", params: {size: 1}}
  - {id: c, model: seedance-1-5-pro, prompt: x, params: {duration: 5}, options: {seed: 3}}
  - {id: d, prompt: x}
"""
        )
    )

    assert found == [
        "unknown-model",
        "unknown-variable",
        "unknown-param",
        "option-not-expressible",
        "param-not-an-option",
        "missing-model",
    ]


def test_one_cause_of_many_items_is_told_once_with_their_number() -> None:
    finding = only(
        expanded(
            """
jobs:
  - id: a
    model: seedance-1-5-pro
    prompt: "{{ vars.n }}"
    matrix: {grid: {vars.n: {from: 1, to: 500}, params.duration: [8, 9]}}
"""
        )
    )

    assert finding.code == "param-not-an-option"
    assert finding.message.endswith("(item `a/vars.n=1,params.duration=9` and 499 more)")
    assert finding.place is not None
    assert (finding.place.line, finding.place.column) == (8, 70)


def test_a_slip_that_asks_for_a_billion_items_is_refused_at_once_with_the_number() -> None:
    axis = "{from: 1, to: 1000}"
    start = time.process_time()

    finding = only(
        expanded(
            "jobs:\n  - {id: a, model: z-image, prompt: '{{ vars.a }}{{ vars.b }}{{ vars.c }}', "
            f"matrix: {{grid: {{vars.a: {axis}, vars.b: {axis}, vars.c: {axis}}}}}}}\n",
            allow_large=True,
        )
    )

    assert finding.code == "too-many-items"
    assert "1,000,000,000" in finding.message
    assert time.process_time() - start < 1


def test_more_than_ten_thousand_items_have_to_be_meant() -> None:
    text = "jobs:\n  - {id: a, model: z-image, prompt: x, repeat: 10000}\n  - {id: b, model: z-image, prompt: y}\n"

    assert told(expanded(text)) == ["too-many-items"]
    assert "--allow-large" in only(expanded(text)).help
    assert len(expanded(text, allow_large=True).items) == 10_001


def test_ten_thousand_items_are_expanded_and_checked_quickly() -> None:
    rows = "sku,title\n" + "".join(f"s{number},Thing {number}\n" for number in range(2_500))
    start = time.process_time()

    expansion = expanded(
        """
vars: {look: "in a {{ row.title }} mood"}
jobs:
  - id: a
    model: seedance-1-5-pro
    prompt: "A {{ row.title }} {{ vars.look }}"
    data: {file: d.csv, key: sku}
    options: {aspect: 16:9}
    output: "{{ row.sku }}/{{ axis.params.duration }}-{{ item.index }}{{ ext }}"
    matrix: {grid: {params.duration: [4, 8], params.fixed_lens: [true, false]}}
""",
        texts={"d.csv": rows},
    )

    assert (len(expansion.items), expansion.findings) == (10_000, ())
    assert time.process_time() - start < 2.4  # half of it on a quiet machine


# --- what never buys again ------------------------------------------------------------------------------------

_VALUES = st.sampled_from(["a", "b", "c", "d", "e"])


@st.composite
def manifests(draw: st.DrawFn) -> dict[str, Any]:
    """Sound manifests with some axes."""
    jobs = []
    for number in range(draw(st.integers(1, 3))):
        grid: dict[str, list[Any]] = draw(
            st.dictionaries(
                st.sampled_from(["vars.a", "vars.b"]),
                st.lists(_VALUES, min_size=1, max_size=3, unique=True),
                max_size=2,
            )
        )
        if draw(st.booleans()):
            grid["params.duration"] = draw(st.permutations([4, 8, 12]))
        jobs.append(
            {
                "id": f"job-{number}",
                "model": "seedance-1-5-pro",
                "prompt": f"{number} {{{{ vars.a }}}} {{{{ vars.b }}}}",
                "vars": {"a": "x", "b": "y"},
                "params": {"resolution": draw(st.sampled_from(["480p", "720p"])), "fixed_lens": draw(st.booleans())},
                "matrix": {"grid": grid},
                "repeat": draw(st.integers(1, 2)),
            }
        )
    return {"jobs": jobs}


def identities(data: dict[str, Any]) -> set[str]:
    expansion = of_data(data)
    assert expansion.findings == ()
    return {item.identity for item in expansion.items}


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same with the keys of every mapping in another order."""
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    return [shuffled(inner, chance) for inner in value] if isinstance(value, list) else value


@given(manifests(), st.randoms(use_true_random=False))
def test_the_order_of_keys_jobs_axes_and_values_never_buys_again(data: dict[str, Any], chance: random.Random) -> None:
    other = shuffled(data, chance)
    chance.shuffle(other["jobs"])
    for job in other["jobs"]:
        for values in job["matrix"]["grid"].values():
            chance.shuffle(values)

    assert identities(other) == identities(data)


@given(manifests(), st.sampled_from(["renamed", "shown"]))
def test_names_tags_outputs_limits_and_layout_never_buy_again(data: dict[str, Any], word: str) -> None:
    other = copy.deepcopy(data)
    other |= {"name": word, "description": word, "limits": {"in_flight": 3}, "output": {"dir": word, "sidecar": False}}
    for number, job in enumerate(other["jobs"]):
        job |= {"id": f"{word}-{number}", "tags": [word], "output": f"{word}/{{{{ item.key }}}}"}

    assert identities(other) == identities(data)


@given(manifests())
def test_an_axis_that_says_what_the_items_had_keeps_them(data: dict[str, Any]) -> None:
    other = copy.deepcopy(data)
    for job in other["jobs"]:
        job["matrix"]["grid"]["params.resolution"] = [job["params"].pop("resolution")]
        job["matrix"]["grid"].setdefault("vars.a", [job["vars"].pop("a")])

    assert identities(other) == identities(data)


@given(manifests())
def test_keys_are_unique_and_indexes_count(data: dict[str, Any]) -> None:
    items = of_data(data).items

    assert len({item.key for item in items}) == len(items)
    assert [item.index for item in items] == list(range(len(items)))


@given(manifests())
def test_the_count_known_beforehand_is_the_number_of_items(data: dict[str, Any]) -> None:
    expansion = of_data(data)

    assert sum(steps.items for steps in expansion.steps.values()) == len(expansion.items)


@pytest.mark.parametrize("change", [{"prompt": "y"}, {"model": "wan-2-6"}, {"params": {"resolution": "1080p"}}])
def test_another_word_model_or_param_is_another_item(change: dict[str, Any]) -> None:
    job = {"id": "a", "model": "seedance-1-5-pro", "prompt": "x", "params": {"resolution": "720p"}}

    assert identities({"jobs": [job]}) != identities({"jobs": [job | change]})


def test_another_picture_under_the_same_name_is_another_item() -> None:
    text = "references: {a: {file: a.png}}\njobs:\n  - {id: a, model: flux-2-pro, prompt: x, references: [a]}\n"

    found = {expanded(text, references={"a": (picture("a", content),)}).items[0].identity for content in ("1", "2")}

    assert len(found) == 2


def test_the_size_is_what_the_manifest_model_says() -> None:
    assert size(None, rows=3, prompts=2, repeat=2) == 12


ZIPPED_LABEL = """
jobs:
  - id: a
    prompt: x
    model: seedance-1-5-pro
    matrix: {zip: {params.duration: [4, 8], vars.label: [short, long]}}
"""


def test_an_axis_that_nothing_reads_is_a_warning_and_buys_what_the_other_axes_say() -> None:
    expansion = expanded(ZIPPED_LABEL)

    found = only(expansion)
    assert (found.code, found.severity) == ("axis-unused", "warning")
    assert [item.params for item in expansion.items] == [{"duration": "4"}, {"duration": "8"}]


def test_an_axis_that_only_lays_out_the_report_is_used() -> None:
    assert told(expanded(ZIPPED_LABEL + "    report: {x: vars.label}\n")) == []


def test_a_null_of_a_job_takes_back_the_default_of_its_tags_references_and_output() -> None:
    expansion = expanded(
        """
references: {shoe: {file: shoe.png}}
defaults: {tags: [hero], references: [shoe], output: same, model: nano-banana}
jobs:
  - {id: a, prompt: x}
  - {id: b, prompt: x, tags: null, references: null, output: null}
""",
        references={"shoe": (picture("shoe"),)},
    )

    assert expansion.findings == ()
    with_defaults, without = expansion.items
    assert (with_defaults.tags, len(with_defaults.references), with_defaults.output_stem) == (("hero",), 1, "same")
    assert (without.tags, without.references, without.output_stem.partition("/")[0]) == ((), (), "b")


def test_a_null_of_a_job_takes_back_the_default_model() -> None:
    found = only(expanded("defaults: {model: z-image}\njobs:\n  - {id: a, prompt: x, model: null}\n"))

    assert found.code == "missing-model"
