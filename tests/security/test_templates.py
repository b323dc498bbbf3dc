"""S-18: a template picks and arranges values, wherever it stands; it never runs, reads, or grows beyond bounds."""

from __future__ import annotations

import json
import resource
import time

import pytest

from tests.security.payloads_templates import INERT, PAYLOADS, PLACES, REACHES
from tests.security.stage import KEY, Desk, Told, manifest

SECONDS_MAX = 1.0
GROWTH_KIB_MAX = 50 * 1024

# As a template, and not because something else about the manifest is wrong as well.
REFUSALS = {"template-broken", "template-failed", "unknown-variable"}

_VARS = "{a: x, n: 3, list: [p, q], dunder: __class__}"
# What only somebody who got out could say.
_OUTSIDE = (KEY, "root:", "uid=", "<class", "<module", "built-in", "0x7f", "subclasses", "posix")


def checked(desk: Desk, job: str, payload: str, *files: str) -> Told:
    """`check` of one job with the payload in it: refused, in time and in little room, and nothing came of it."""
    desk.write("m.yaml", manifest(job.replace("%s", payload.replace("'", "''")), top={"vars": _VARS}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began_s = time.process_time()
    told = desk.run("check", "m.yaml", "--json")
    took_s = time.process_time() - began_s

    said = told.text
    for finding in json.loads(told.out)["findings"]:
        assert finding["line"] >= 1
        assert len(finding["message"]) < 1_000
        said = said.replace(json.dumps(finding["path"])[1:-1], "")
    assert took_s < SECONDS_MAX
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH_KIB_MAX
    assert [file.name for file in desk.files()] == sorted(["m.yaml", *files])
    assert desk.stage.requests == []
    assert [word for word in _OUTSIDE if word in said and word not in payload] == []
    return told


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_no_prompt_reaches_out_or_grows(payload: str, desk: Desk) -> None:
    told = checked(desk, "{id: j, model: z-image, prompt: '%s'}", payload)

    assert told.code == 2
    assert {finding["code"] for finding in json.loads(told.out)["findings"]} <= REFUSALS


@pytest.mark.parametrize("place", PLACES)
def test_no_other_template_does(place: str, desk: Desk) -> None:
    for payload in REACHES:
        assert checked(desk, PLACES[place], payload).code == 2, payload


@pytest.mark.parametrize("place", INERT)
def test_where_no_templates_are_known_they_are_refused(place: str, desk: Desk) -> None:
    desk.write("rows.csv", "a,b\n1,2\n")
    for payload in REACHES:
        assert checked(desk, INERT[place], payload, "rows.csv").code == 2, payload


@pytest.mark.parametrize("payload", REACHES)
def test_the_edition_is_a_template_like_the_others(payload: str, desk: Desk) -> None:
    quoted = payload.replace("'", "''")
    desk.write("m.yaml", manifest(top={"edition": f"'{quoted}'"}))

    assert desk.run("check", "m.yaml").code == 2


@pytest.mark.parametrize("payload", REACHES)
def test_a_row_and_a_flag_hold_text_and_no_templates(payload: str, desk: Desk) -> None:
    cell = payload.replace('"', '""')
    desk.write("rows.csv", f'a\n"{cell}"\n')
    desk.write(
        "m.yaml",
        manifest(
            "{id: j, model: z-image, prompt: '{{ row.a }} and {{ vars.said }}', data: {file: rows.csv}}",
            top={"vars": "{said: nothing}"},
        ),
    )
    told = desk.run("plan", "m.yaml", "--json", "--var", f"said={payload}")

    assert told.code in {0, 2}
    if told.code == 0:
        assert desk.run("run", "m.yaml", "--yes", "--var", f"said={payload}").code == 0
        (sent,) = [json.loads(request.body)["prompt"] for request in desk.stage.creates()]
        assert sent == f"{payload} and {payload}"
    assert not (desk.folder / "pwned").exists()
