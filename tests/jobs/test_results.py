"""Results: the documented row, lossless as JSON, harmless as CSV and table."""

from __future__ import annotations

import csv
import io
import json

from jobs.escape import json_text
from jobs.lifecycle import ItemState
from jobs.results import (
    CSV_COLUMNS,
    ErrorRow,
    Output,
    ResultRow,
    as_csv,
    as_json,
    as_jsonl,
    as_mapping,
    table_cells,
)
from tests.jobs.result_rows import FINE

FAILED = ResultRow(
    item="reveal/params.duration=4",
    identity="sha256:def",
    job="reveal",
    run="sneaker-reveal",
    state=ItemState.FAILED,
    model="seedance-1-5-pro",
    reserved_credits=28,
    error=ErrorRow(code="generation_failed", message="no\nluck", request_id="req_1"),
)


def test_a_row_has_the_documented_keys_in_their_order() -> None:
    first = json.loads("".join(as_json([FINE])))[0]

    assert ", ".join(first) == (
        "item, identity, job, run, state, model, prompt, params, axes, tags, task_id, idempotency_key, attempts, "
        "sends, reserved_credits, final_credits, created_at, accepted_at, finished_at, outputs, error"
    )
    assert list(first["outputs"][0]) == ["url", "file", "sha256", "bytes", "type", "state"]
    assert first["outputs"][0]["state"] == "verified"
    assert first["prompt"] == FINE.prompt


def test_a_list_in_pieces_is_the_list_in_one() -> None:
    rows = [FINE, FAILED, FINE]

    assert "".join(as_json(rows)) == json_text([as_mapping(row) for row in rows], indent=2) + "\n"


def test_json_lines_are_one_object_per_line() -> None:
    lines = list(as_jsonl([FINE, FAILED]))

    assert [json.loads(line)["state"] for line in lines] == ["succeeded", "failed"]
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)
    assert json.loads(lines[1])["error"] == {
        "code": "generation_failed",
        "message": "no\nluck",
        "request_id": "req_1",
    }


def test_csv_keeps_numbers_and_disarms_text() -> None:
    text = "".join(as_csv([FINE, FAILED]))
    header, fine, failed = list(csv.reader(io.StringIO(text, newline="")))

    assert tuple(header) == CSV_COLUMNS
    row = dict(zip(header, fine, strict=True))
    assert row["prompt"] == "'=1+1 \\x1b[31m"
    assert json.loads(row["params"]) == {"duration": "8", "seed": 7}
    assert row["file"] == "out/a.mp4"
    assert ',28,28,"2026' in text
    assert dict(zip(header, failed, strict=True))["error_message"] == "no\nluck"


def test_no_rows_are_still_a_valid_file() -> None:
    assert "".join(as_json([])) == "[]\n"
    assert list(as_jsonl([])) == []
    assert "".join(as_csv([])).count("\r\n") == 1


def test_the_table_says_where_the_file_is_or_why_there_is_none() -> None:
    planned = ResultRow(
        item="a", identity="i", job="a", run="r", state=ItemState.PLANNED, model="m", outputs=(Output(url="u"),)
    )

    assert list(table_cells([FINE, FAILED, planned])) == [
        ("reveal/params.duration=8", "succeeded", "seedance-1-5-pro", "28", "out/a.mp4 and 1 more"),
        ("reveal/params.duration=4", "failed", "seedance-1-5-pro", "(28)", "generation_failed: no\\nluck"),
        ("a", "planned", "m", "", "(wanted)"),
    ]
