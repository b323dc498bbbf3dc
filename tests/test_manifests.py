"""Every manifest in `manifests/`: the examples are free of findings, the broken ones have exactly theirs.

A broken manifest is named after the code it shows, `<code>.yaml` or `<code>--variant.yaml`, and says in its first
lines everything that `check` must find, no more and no less:

    # expect: unknown-key 8:5
    # expect: ragged-row assets/ragged.csv:3:1
    # expect: unused-reference 4:3 warning
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from jobs.codes import CODES
from jobs.findings import Finding
from jobs.render import findings_json, findings_text, in_order
from runner.models_cache import packaged_catalogue
from runner.prepare import Checked, check_manifest
from runner.selection import Choices

MANIFESTS = Path(__file__).parent.parent / "manifests"
EXAMPLES = sorted(MANIFESTS.glob("*.yaml"))
BROKEN = sorted((MANIFESTS / "broken").glob("*.yaml"))
CATALOGUE = packaged_catalogue()
# A date, so that what an example prints does not change from day to day.
DATE = "2026-06-01"

EXPECT = re.compile(
    r"# expect: (?P<code>[a-z0-9-]+) (?:(?P<file>\S+):)?(?P<line>\d+):(?P<column>\d+)(?P<warning> warning)?"
)


def check(path: Path) -> Checked:
    return check_manifest(path, catalogue=CATALOGUE, choices=Choices(date=DATE))


def expected(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    wanted = []
    for line in lines:
        if not line.startswith("# expect:"):
            break
        match = EXPECT.fullmatch(line)
        assert match is not None, f"cannot read {line!r}"
        file = match["file"] or path.name
        wanted.append(f"{match['code']} {file}:{match['line']}:{match['column']}{match['warning'] or ''}")
    return wanted


def found(path: Path, finding: Finding) -> str:
    place = finding.place
    assert place is not None, "what is wrong in a file has a place in it"
    file = path.name if place.file == str(path) else place.file
    severity = "" if finding.severity == "error" else f" {finding.severity}"
    return f"{finding.code} {file}:{place.line}:{place.column}{severity}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_free_of_findings(path: Path) -> None:
    checked = check(path)

    assert findings_text(checked.findings, checked.texts) == ""
    assert checked.expansion is not None
    assert checked.expansion.items


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_broken_manifest_has_exactly_the_findings_it_announces(path: Path) -> None:
    checked = check(path)

    assert sorted(found(path, finding) for finding in in_order(checked.findings)) == sorted(expected(path))


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_broken_manifest_is_named_after_a_code_it_shows(path: Path) -> None:
    codes = {line.partition(" ")[0] for line in expected(path)}

    assert path.stem.partition("--")[0] in codes


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_every_finding_can_be_explained_points_into_its_text_and_says_what_to_do_next(path: Path) -> None:
    checked = check(path)

    for finding in checked.findings:
        assert finding.code in CODES
        assert finding.help, f"{finding.code} leaves people alone"
        place = finding.place
        assert place is not None
        assert place.line >= 1
        assert 1 <= place.column < place.end_column
        if place.file in checked.texts:
            lines = checked.texts[place.file].splitlines() or [""]
            assert place.line <= len(lines) + 1
            assert place.column <= len([*lines, ""][place.line - 1]) + 1
    assert findings_json(checked.findings)["findings"]


def test_no_secret_of_a_broken_manifest_is_ever_printed() -> None:
    secrets = ("0123456789abcdefBROKEN", "not-even-a-real-one", "abc123def456ghi789", "me:word")
    for path in BROKEN:
        checked = check(path)
        printed = findings_text(checked.findings, checked.texts) + repr(findings_json(checked.findings))

        assert not [secret for secret in secrets if secret in printed], path.name


def constants(file: Path) -> set[str]:
    """Every text in a module that looks like a code: words joined by dashes."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in texts if re.fullmatch(r"[a-z]+\d*(-[a-z0-9]+)+", text)}


def makes_findings(file: Path) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return bool(modules & {"jobs.findings", "jobs.tally", "jobs.raw", "jobs.params"})


NO_CODES = {"utf-8", "utf-16-le", "my-run", "webhook-id", "webhook-timestamp", "webhook-signature"}


def test_every_code_that_the_core_uses_is_explained() -> None:
    makers = [file for file in (MANIFESTS.parent / "jobs").glob("*.py") if makes_findings(file)]
    used = set[str]().union(*map(constants, makers)) - NO_CODES

    assert used - set(CODES) == set()


def test_every_explained_code_is_shown_by_a_broken_manifest_or_a_test() -> None:
    shown = {line.partition(" ")[0] for path in BROKEN for line in expected(path)}
    tested = set[str]().union(*map(constants, (MANIFESTS.parent / "tests").rglob("test_*.py")))

    assert set(CODES) - shown - tested == set()


@pytest.mark.parametrize("code", CODES)
def test_an_explanation_is_a_short_paragraph(code: str) -> None:
    text = CODES[code]

    assert text == text.strip()
    assert text.endswith((".", ".)", "`."))
    assert 60 < len(text) < 600
    assert all(len(line) <= 120 for line in text.splitlines())
