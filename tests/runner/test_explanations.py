"""Every code that the program can print is one that `explain` knows."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.cli.entry import run_command
from runner.cli.explanations import ERRORS, ITEMS, SERVICE

ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted(
    file
    for package in ("jobs", "runner")
    for file in (ROOT / package).rglob("*.py")
    if "sim" not in file.relative_to(ROOT).parts
)
CODE_NAMES = ("_CODE", "default_code", "REFUSED_ALIKE")


def printed(file: Path) -> Iterator[str]:
    """Codes in the source: `code="..."` of a call, a class's `default_code`, a constant that is named a code."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
            yield str(node.value.value)
        targets = (
            [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
        )
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            for target in targets:
                if isinstance(target, ast.Name) and target.id.endswith(CODE_NAMES):
                    yield value.value


CODES = sorted({code for file in SOURCES for code in printed(file)} - {"internal"})


def test_there_are_codes_to_look_at() -> None:
    assert len(CODES) > 60
    assert {"uncertain", "not_created", "refused_alike", "ledger-locked", "task-taken"} <= {*CODES, *ITEMS}


@pytest.mark.parametrize("code", [*CODES, *ITEMS, *ERRORS, *SERVICE])
def test_every_code_is_explained_in_words(code: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run_command(["explain", code, "--json"]) == 0, f"{code} is printed somewhere, and explain does not know it"

    text = json.loads(capfd.readouterr().out)["text"]
    assert len(text.split()) >= 5
