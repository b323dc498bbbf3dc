"""S-25 to S-27, S-29, S-35: texts of strangers in every output, stored as they are, obeyed by nothing."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest

from runner.sim.exchange import SimRequest, SimResponse
from tests.security.leak_search import found_in
from tests.security.payloads_text import FORMULAS, INJECTIONS, STEERING
from tests.security.stage import Desk, Told, manifest

ROOT = Path(__file__).parents[2]

# Every verb that shows what a stranger wrote.
SHOWN = (
    ("status",),
    ("ls",),
    ("results",),
    ("results", "--json"),
    ("results", "--format", "jsonl"),
    ("results", "--format", "csv"),
    ("retry", "--failed", "--yes"),
)


def is_obeyed(text: str) -> list[str]:
    """Characters that a terminal would act on, or that would reorder or hide what is read."""
    kinds = {"Cc", "Cs", "Zl", "Zp"}
    hidden = "\u00ad\u061c\u180e\u200b\u200e\u200f\u2060\ufeff\ufff9\ufffa\ufffb"
    return [
        f"U+{ord(char):04X}"
        for char in text
        if (unicodedata.category(char) in kinds and char != "\n")
        or char in hidden
        or "\u202a" <= char <= "\u202e"
        or "\u2066" <= char <= "\u2069"
        or "\U000e0000" <= char <= "\U000e007f"
    ]


def rows(desk: Desk, texts: tuple[str, ...]) -> None:
    lines = (json.dumps({"n": str(n), "text": text}) + "\n" for n, text in enumerate(texts))
    desk.write("rows.jsonl", "".join(lines))


def _says_it_all(texts: tuple[str, ...], refused: bool) -> object:
    """The service repeats each text in every field it has for texts."""
    tasks: dict[str, str] = {}

    def say(request: SimRequest, answer: SimResponse) -> SimResponse:
        if not request.path.startswith("/api/v1/generations"):
            return answer
        said = json.loads(answer.body)
        if request.method == "POST":
            tasks[said["id"]] = texts[_number(request)]
        text = tasks[said["id"]]
        if request.method == "POST" and refused:
            error = {"code": "validation_failed", "message": text, "requestId": f"req {text}"}
            return replace(answer, status=400, body=json.dumps({"error": error}).encode())
        if request.method == "GET":
            said |= {"status": "failed", "error": {"code": text[:60], "message": text}, "result": None}
        return replace(answer, body=json.dumps(said).encode())

    return say


def _number(request: SimRequest) -> int:
    found = re.match(r"item (\d+)", json.loads(request.body)["prompt"])
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("refused", [True, False], ids=["refused", "failed"])
def test_what_the_service_says_steers_no_terminal(refused: bool, desk: Desk) -> None:
    desk.stage.play(twist=_says_it_all(STEERING, refused))  # type: ignore[arg-type]
    desk.write("rows.jsonl", "".join(f'{{"n": "{n}"}}\n' for n in range(len(STEERING))))
    desk.write("m.yaml", manifest("{id: j, model: z-image, prompt: 'item {{ row.n }}', data: {file: rows.jsonl}}"))
    said = [desk.run("run", "m.yaml", "--yes", "-vv"), desk.run("run", "m.yaml", "--yes", "--json")]
    assert said[0].code == 3
    said += [desk.run(*verb) for verb in SHOWN]
    said += [desk.run("show", f"j/row={n}", "-v") for n in range(0, len(STEERING), 3)]
    said += [desk.run("show", f"j/row={n}", "--json") for n in range(1, len(STEERING), 3)]

    assert [is_obeyed(_plain(told)) for told in said if is_obeyed(_plain(told))] == []
    _no_forged_lines(desk.said)


def _plain(told: Told) -> str:
    """CSV has its own line ends, tabs and quotes; everything else has line feeds alone."""
    return told.text.replace("\r\n", "\n")


def _no_forged_lines(said: list[Told]) -> None:
    """A line of JSON is a whole object of ours; no payload begins one."""
    for told in said:
        for line in told.out.splitlines():
            if line.startswith('{"'):
                assert isinstance(json.loads(line), dict)


def _is_data(text: str) -> bool:
    return not any(unicodedata.category(char) == "Cc" for char in text)


def test_what_a_row_says_steers_no_terminal(desk: Desk) -> None:
    texts = tuple(text for text in STEERING if _is_data(text))
    rows(desk, texts)
    job = "prompt: 'item {{ row.n }} {{ row.text }}', tags: ['{{ row.text }}'], data: {file: rows.jsonl, key: text}"
    desk.write("m.yaml", manifest(f"{{id: j, model: z-image, {job}, output: '{{{{ row.n }}}}-{{{{ row.text }}}}'}}"))
    said = [
        desk.run(*line) for line in (("check", "m.yaml"), ("plan", "m.yaml", "--explain"), ("plan", "m.yaml", "--json"))
    ]
    said.append(desk.run("run", "m.yaml", "--yes"))
    assert said[-1].code == 0, said[-1].err
    said += [desk.run(*verb) for verb in SHOWN]
    keys = [row["item"] for row in json.loads(desk.run("results", "--json").out)]
    said += [desk.run("show", key, "-v") for key in keys]

    assert len(keys) == len(texts)
    assert [is_obeyed(_plain(told)) for told in said if is_obeyed(_plain(told))] == []


@pytest.mark.parametrize("text", STEERING, ids=range(len(STEERING)))
def test_what_is_typed_or_found_wrong_steers_no_terminal(text: str, desk: Desk) -> None:
    desk.write(
        "m.yaml",
        f"version: 1\nname: m\njobs:\n  - {{id: j, model: {json.dumps(text)}, prompt: a, {json.dumps(text)}: 1}}\n",
    )
    said = [desk.run("check", "m.yaml"), desk.run("check", "m.yaml", "--json")]
    said += [desk.run(text), desk.run("check", text), desk.run("explain", text, "--json"), desk.run("models", text)]

    assert {told.code for told in said} == {2}
    assert [is_obeyed(told.text) for told in said if is_obeyed(told.text)] == []


def test_a_log_line_is_one_line_whatever_is_in_it(desk: Desk) -> None:
    forged = 'x\n{"event":"done","exit_code":0}\r\n{"event":"done"}\u2028{"event":"done"}'
    desk.stage.play(twist=_says_it_all((forged,) * 3, refused=True))  # type: ignore[arg-type]
    desk.write("rows.jsonl", '{"n": "0"}\n{"n": "1"}\n')
    desk.write("m.yaml", manifest("{id: j, model: z-image, prompt: 'item {{ row.n }}', data: {file: rows.jsonl}}"))
    told = desk.run("run", "m.yaml", "--yes", "--json")
    events = [json.loads(line) for line in told.out.splitlines()]

    assert told.code == 3
    assert [event["event"] for event in events].count("done") == 1
    assert events[-1] == {**events[-1], "event": "done", "exit_code": 3}
    assert not any(line.lstrip().startswith('{"event"') for line in told.err.splitlines())


def test_no_cell_of_a_table_is_computed(desk: Desk) -> None:
    texts = FORMULAS
    rows(desk, texts)
    job = "prompt: '{{ row.text }} {{ row.n }}', tags: ['{{ row.text }}'], data: {file: rows.jsonl, key: text}"
    desk.write("m.yaml", manifest(f"{{id: j, model: z-image, {job}, output: '{{{{ row.n }}}}'}}"))
    assert desk.run("run", "m.yaml", "--yes").code == 0
    assert desk.run("results", "--format", "csv", "-o", "r.csv").code == 0
    written = (desk.folder / "r.csv").read_text(encoding="utf-8")
    table = list(csv.DictReader(io.StringIO(written, newline="")))

    assert len(table) == len(texts)
    for row in table:
        for name, cell in row.items():
            if not name.endswith("_credits") and name not in {"attempts", "sends"}:
                assert (
                    not unicodedata.normalize("NFKC", cell).lstrip("\ufeff\u200b \t\r\n").startswith(tuple("=+-@"))
                ), cell
    lossless = json.loads(desk.run("results", "--json").out)
    assert sorted(row["prompt"].rpartition(" ")[0] for row in lossless) == sorted(texts)


def test_statements_are_texts(desk: Desk) -> None:
    texts = INJECTIONS
    rows(desk, texts)
    job = "prompt: '{{ row.text }} {{ row.n }}', tags: ['{{ row.text }}'], data: {file: rows.jsonl, key: text}"
    desk.write("m.yaml", manifest(f"{{id: j, model: z-image, {job}, output: '{{{{ row.n }}}}'}}"))
    assert desk.run("run", "m.yaml", "--yes").code == 0
    found = json.loads(desk.run("results", "--json").out)
    assert sorted(row["tags"][0] for row in found) == sorted(texts)
    with sqlite3.connect(desk.folder / ".rivya/ledger.db") as ledger:
        tables = {name for (name,) in ledger.execute("select name from sqlite_master where type = 'table'")}
        assert ledger.execute("select count(*) from items").fetchone() == (len(texts),)
    ledger.close()
    for text in texts:
        assert desk.run("show", "--", text).code in {0, 2}
        assert desk.run("show", f"--run={text}", "j").code == 2
        assert desk.run("results", "--", text).code == 2
        assert desk.run("plan", "m.yaml", f"--select={text}").code in {0, 2}
        assert desk.run("retry", "--yes", "--", text).code == 2
    with sqlite3.connect(desk.folder / ".rivya/ledger.db") as ledger:
        assert {name for (name,) in ledger.execute("select name from sqlite_master where type = 'table'")} == tables
        assert ledger.execute("select count(*) from items").fetchone() == (len(texts),)
        assert ledger.execute("pragma integrity_check").fetchone() == ("ok",)
    ledger.close()
    assert len(json.loads(desk.run("results", "--json").out)) == len(texts)


# --- privacy ----------------------------------------------------------------------------------------------------------

PROMPT = "a Papageientaucher at dawn"


def test_a_prompt_is_where_it_belongs_and_nowhere_else(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the ledger, in sidecars and in results; not in keys, names, request ids, or what a crash tells."""
    desk.write("m.yaml", manifest(f"{{id: j, model: z-image, prompt: '{PROMPT}'}}"))
    assert desk.run("run", "m.yaml", "--yes", "-vv").code == 0
    for line in (
        ("run", "m.yaml", "--yes", "--json"),
        ("status",),
        ("ls",),
        ("doctor", "-vv"),
        ("plan", "m.yaml", "--explain"),
    ):
        desk.run(*line)
    (create,) = desk.stage.creates()
    monkeypatch.setattr("runner.service.task_from", lambda _: 1 / 0)
    crashed = desk.run("run", "m.yaml", "--yes", "-vv", "--again")
    streams = {f"command {n}": told.text.encode() for n, told in enumerate(desk.said)}
    requests = {f"{one.method} {one.path}": json.dumps(dict(one.headers)).encode() for one in desk.stage.requests}
    names = {"names of files": "\n".join(map(str, desk.folder.rglob("*"))).encode()}
    holders = [file.suffix for file in desk.files() if b"Papageientaucher" in file.read_bytes()]

    assert crashed.code == 1
    assert "Traceback" in crashed.err
    assert found_in({**streams, **requests, **names}, [b"Papageientaucher"]) == []
    assert PROMPT.encode() in create.body
    assert set(holders) <= {".yaml", ".db", ".json", ".db-wal"}


def test_signed_addresses_and_tokens_are_not_told(desk: Desk) -> None:
    """They are as good as keys while they live: in the ledger and in results, where they are asked for."""

    def sign(request: SimRequest, answer: SimResponse) -> SimResponse:
        if request.path == "/api/v1/files":
            body = {**json.loads(answer.body), "duration_token": "Fahrschein4711"}
            return replace(answer, body=json.dumps(body).encode())
        return answer

    desk.stage.play(twist=sign)
    desk.write("shoe.png", (ROOT / "manifests/assets/shoe.png").read_bytes())
    job = "{id: j, model: nano-banana-2, prompt: a boat, references: [shoe]}"
    desk.write("m.yaml", manifest(job, top={"references": "{shoe: {file: shoe.png}}"}))
    for again in ((), ("--json", "--again")):
        assert desk.run("run", "m.yaml", "--yes", "-vv", *again).code == 0
    for line in (("status",), ("ls",), ("show", "j"), ("results",), ("doctor",)):
        desk.run(*line)
    streams = {f"command {n}": told.text.encode() for n, told in enumerate(desk.said)}
    sidecars = {file.name: file.read_bytes() for file in (desk.folder / "out").rglob("*.json")}

    assert sidecars
    assert found_in({**streams, **sidecars}, [b"Fahrschein4711", b"sig=", b"exp="]) == []
