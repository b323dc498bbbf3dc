"""S-01, S-03: a key wherever a person may have put it."""

from __future__ import annotations

import io
import os
import sqlite3
from collections.abc import Callable, Mapping
from typing import Final

import pytest

from tests.security.canary import SOUGHT, everything, set_out
from tests.security.leak_search import found_in
from tests.security.stage import KEY, Desk, manifest


def _manifest_with(job: str, **top: str) -> Callable[[Desk], None]:
    def set_up(desk: Desk) -> None:
        desk.write("m.yaml", manifest(job, top=top))

    return set_up


def _settings_with(text: str) -> Callable[[Desk], None]:
    def set_up(desk: Desk) -> None:
        set_out(desk)
        desk.write("rivya-batch.toml", text)

    return set_up


def _rows_with(job: str) -> Callable[[Desk], None]:
    def set_up(desk: Desk) -> None:
        desk.write("rows.csv", f'a,b\n"{KEY}",boat\n')
        desk.write("m.yaml", manifest(job))

    return set_up


def _nothing(desk: Desk) -> None:
    set_out(desk)


def _damaged(desk: Desk) -> None:
    set_out(desk)
    desk.run("run", "m.yaml", "--yes")
    ledger = desk.folder / ".rivya/ledger.db"
    ledger.write_bytes(ledger.read_bytes()[:3000] + os.urandom(2000))


def _foreign(desk: Desk) -> None:
    set_out(desk)
    desk.write(".rivya/ledger.db", b"")
    (desk.folder / ".rivya/ledger.db").unlink()
    with sqlite3.connect(desk.folder / ".rivya/ledger.db") as other:
        other.execute("create table strange (x)")
    other.close()


def _in_the_way(desk: Desk) -> None:
    set_out(desk)
    desk.write("out", "a file where a folder should be")


def _linked(desk: Desk) -> None:
    set_out(desk)
    (desk.folder / "out").mkdir()
    (desk.folder / "out/m").symlink_to(desk.folder / "nowhere")


# name -> (what is set out, the environment, the command lines, the exit codes they may have)
_Local = tuple[Callable[[Desk], None], Mapping[str, str], tuple[tuple[str, ...], ...], set[int]]

_RUN: Final = ("run", "m.yaml", "--yes", "-vv")
_CHECKS: Final = (
    ("check", "m.yaml", "-vv"),
    ("check", "m.yaml", "--json"),
    ("plan", "m.yaml", "--json"),
    _RUN,
    (*_RUN, "--json"),
)

LOCAL: Final[dict[str, _Local]] = {
    # where a key must not stand
    "in a prompt": (_manifest_with(f"{{id: j, model: z-image, prompt: 'a {KEY} b'}}"), {}, _CHECKS, {2}),
    "in a header of a prompt": (
        _manifest_with(f"{{id: j, model: z-image, prompt: 'Authorization: Bearer {KEY}'}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in a var": (_manifest_with("{id: j, model: z-image, prompt: a}", vars=f"{{a: '{KEY}'}}"), {}, _CHECKS, {2}),
    "in the name of a var": (
        _manifest_with("{id: j, model: z-image, prompt: a}", vars=f"{{'{KEY}': a}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in a tag": (_manifest_with(f"{{id: j, model: z-image, prompt: a, tags: ['{KEY}']}}"), {}, _CHECKS, {2}),
    "in a param": (
        _manifest_with(f"{{id: j, model: z-image, prompt: a, params: {{aspect_ratio: '{KEY}'}}}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in the name of a param": (
        _manifest_with(f"{{id: j, model: z-image, prompt: a, params: {{'{KEY}': 1}}}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in a model": (_manifest_with(f"{{id: j, model: '{KEY}', prompt: a}}"), {}, _CHECKS, {2}),
    "in an id": (_manifest_with(f"{{id: '{KEY}', model: z-image, prompt: a}}"), {}, _CHECKS, {2}),
    "in a reference": (
        _manifest_with(
            "{id: j, model: nano-banana-2, prompt: a, references: [x]}", references=f"{{x: {{file: '{KEY}'}}}}"
        ),
        {},
        _CHECKS,
        {2},
    ),
    "in an axis": (
        _manifest_with(
            f"{{id: j, model: z-image, prompt: '{{{{ vars.a }}}}', matrix: {{grid: {{vars.a: [x, '{KEY}']}}}}}}"
        ),
        {},
        _CHECKS,
        {2},
    ),
    "in an output name": (_manifest_with(f"{{id: j, model: z-image, prompt: a, output: '{KEY}'}}"), {}, _CHECKS, {2}),
    "in an output folder": (
        _manifest_with("{id: j, model: z-image, prompt: a}", output=f"{{dir: '{KEY}'}}"),
        {},
        _CHECKS,
        {2},
    ),
    "in an edition": (_manifest_with("{id: j, model: z-image, prompt: a}", edition=f"'{KEY}'"), {}, _CHECKS, {2}),
    "in a description": (
        _manifest_with("{id: j, model: z-image, prompt: a}", description=f"'{KEY}'"),
        {},
        _CHECKS,
        {2},
    ),
    "in a free key": (
        _manifest_with("{id: j, model: z-image, prompt: a}", **{"x-keys": f"['{KEY}']"}),
        {},
        _CHECKS,
        {2},
    ),
    "under its name": (_manifest_with("{id: j, model: z-image, prompt: a}", api_key=f"'{KEY}'"), {}, _CHECKS, {2}),
    "in a name of the file": (
        _manifest_with("{id: j, model: z-image, prompt: a}", **{f"'{KEY}'": "x"}),
        {},
        _CHECKS,
        {2},
    ),
    "in broken YAML": (_manifest_with(f"{{id: j, model: z-image, prompt: 'a {KEY} b, x: ]"), {}, _CHECKS, {2}),
    "beside a mistake": (_manifest_with(f"{{id: j, modle: z-image, prompt: '{KEY}'}}"), {}, _CHECKS, {2}),
    "in a setting of the project": (
        _settings_with(f"api_key = '{KEY}'\n"),
        {},
        (_RUN, ("doctor", "--json"), ("plan", "m.yaml")),
        {2},
    ),
    "in an unknown setting": (
        _settings_with(f"'{KEY}' = 1\n"),
        {},
        (_RUN, ("doctor",)),
        {2},
    ),
    "in a broken setting": (
        _settings_with(f"account = {KEY}\n"),
        {},
        (_RUN, ("doctor",)),
        {2},
    ),
    # where a key is looked for
    "a key with a line break": (
        _nothing,
        {"RIVYA_API_KEY": f"{KEY}\nX-Evil: 1"},
        (_RUN, ("credits",), ("doctor",)),
        {2, 4},
    ),
    "a key with a space": (_nothing, {"RIVYA_API_KEY": f"{KEY} {KEY}"}, (_RUN, ("doctor", "--json")), {2, 4}),
    "a key with an umlaut": (_nothing, {"RIVYA_API_KEY": f"{KEY}ü"}, (_RUN, ("doctor",)), {2, 4}),
    "a key in quotes": (_nothing, {"RIVYA_API_KEY": f'"{KEY}"'}, (_RUN, ("credits", "-vv")), {4}),
    "a key with its scheme": (_nothing, {"RIVYA_API_KEY": f"Bearer {KEY}"}, (_RUN, ("credits",)), {4}),
    "a key without end": (_nothing, {"RIVYA_API_KEY": KEY * 1000}, (_RUN, ("doctor",)), {2, 4}),
    "a key for a file": (
        _nothing,
        {"RIVYA_API_KEY": "", "RIVYA_API_KEY_FILE": KEY},
        (_RUN, ("doctor",), ("credits", "--json", "-vv")),
        {2, 4},
    ),
    "a key for an account": (_nothing, {"RIVYA_BATCH_ACCOUNT": f"{KEY}\n"}, (_RUN, ("doctor",)), {2}),
    "a key for a budget": (_nothing, {"RIVYA_BATCH_BUDGET": KEY}, (_RUN, ("doctor",)), {2}),
    "a key in the address": (
        _nothing,
        {"RIVYA_BASE_URL": f"https://{KEY.replace('/', '')}@rivya.test"},
        (_RUN, ("doctor",), ("credits", "-vv")),
        {2},
    ),
    "a key as the address": (_nothing, {"RIVYA_BASE_URL": KEY}, (_RUN, ("doctor",)), {2}),
    "nobody listens": (_nothing, {"RIVYA_BASE_URL": "http://127.0.0.1:1"}, (_RUN, ("credits", "-vv")), {8}),
    # where it was typed
    "as a flag": (_nothing, {}, (("run", "m.yaml", "--api-key", KEY), ("run", "m.yaml", f"--api-key={KEY}")), {2}),
    "as another flag": (_nothing, {}, (("run", "m.yaml", f"--{KEY}"), ("run", "m.yaml", "--budget", KEY)), {2}),
    "as a verb": (_nothing, {}, ((KEY,), (KEY, "--json"), ("explain", KEY), ("explain", KEY, "--json")), {2}),
    "as a file": (_nothing, {}, (("check", KEY), ("plan", KEY), ("run", KEY, "--yes"), ("run", f"{KEY}.json")), {2}),
    "as an item": (_nothing, {}, (_RUN, ("show", KEY), ("results", KEY), ("retry", KEY), ("status", KEY)), {0, 2}),
    "as a model": (_nothing, {}, (("models", KEY), ("models", KEY, "--json")), {2}),
    "as a choice": (_nothing, {}, (("plan", "m.yaml", "--select", KEY), ("results", "--format", KEY)), {2}),
    "as a date": (_nothing, {}, (("plan", "m.yaml", "--date", KEY), ("plan", "m.yaml", "--creates", KEY)), {2}),
    "as a var": (_nothing, {}, (("plan", "m.yaml", "--var", KEY), ("plan", "m.yaml", "--var", f"a={KEY}")), {0, 2}),
    **{
        f"as a var in {place}": (
            _manifest_with(f"{{id: j, model: z-image, {job}}}", vars="{a: x}"),
            {},
            (
                ("check", "m.yaml", "--var", f"a={KEY}"),
                (*_RUN, "--var", f"a={KEY}"),
                (*_RUN, "--json", "--var", f"a={KEY}"),
            ),
            {2},
        )
        for place, job in (
            ("a prompt", "prompt: 'b {{ vars.a }}'"),
            ("a tag", "prompt: a, tags: ['{{ vars.a }}']"),
            ("an output name", "prompt: a, output: 'b-{{ vars.a }}'"),
        )
    },
    **{
        f"in a row, for {place}": (_rows_with(f"{{id: j, model: z-image, {job}}}"), {}, _CHECKS, {2})
        for place, job in (
            ("a prompt", "prompt: '{{ row.a }}', data: {file: rows.csv}"),
            ("a tag", "prompt: '{{ row.b }}', tags: ['{{ row.a }}'], data: {file: rows.csv}"),
            ("an output name", "prompt: '{{ row.b }}', output: '{{ row.a }}', data: {file: rows.csv}"),
            ("the name of an item", "prompt: '{{ row.b }}', data: {file: rows.csv, key: a}"),
        )
    },
    # what is in the way
    "a damaged ledger": (_damaged, {}, (_RUN, ("status", "-vv"), ("doctor", "--json"), ("ls",)), {0, 1, 2, 9}),
    "somebody else's ledger": (_foreign, {}, (_RUN, ("status", "-vv"), ("show", "j")), {9}),
    "a file in the way": (_in_the_way, {}, (_RUN, ("results",)), {0, 9}),
    "a link in the way": (_linked, {}, (_RUN, ("results",)), {0, 3, 9}),
}

# What a test wrote the key into, or was told as a name; everything else is the command's.
_TYPED: Final = ("m.yaml", "rows.csv", "rivya-batch.toml")


@pytest.mark.parametrize("name", LOCAL)
def test_the_key_is_nowhere_wherever_it_was_put(
    name: str, desk: Desk, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up, environment, lines, codes = LOCAL[name]
    set_up(desk)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    for line in lines:
        told = desk.run(*line)
        assert told.code in codes, (line, told.text)
        assert "Traceback" not in told.err or told.code != 1, told.err

    assert found_in(everything(desk, logs, but=_TYPED), SOUGHT) == []
    assert desk.stage.creates() == [] or codes & {0, 1, 9}
