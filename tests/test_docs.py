"""The README names everything people can type, set or script against."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from jobs.manifest import Manifest
from jobs.schema import manifest_schema
from runner.cli.exits import EXITS
from runner.cli.lazy import VERBS
from runner.failpoints import POINTS
from runner.settings import ENVIRONMENT
from runner.settings_layers import PROJECT_FILE
from tests.proof.planted_bugs import BUGS
from tests.proof.soak import CAMPAIGNS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def keys() -> set[str]:
    """Every key of a manifest, at whatever depth."""
    definitions = manifest_schema()["definitions"]
    assert isinstance(definitions, dict)
    found = {field.alias or name for name, field in Manifest.model_fields.items()}
    for part in definitions.values():
        assert isinstance(part, dict)
        properties = part.get("properties", {})
        assert isinstance(properties, dict)
        found |= set(properties)
    return found


def in_code(word: str) -> bool:
    """Whether the README has the word inside backquotes or an indented or fenced example."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", "\n".join(code())) is not None


def code() -> list[str]:
    fenced = re.findall(r"^```.*?^```", README, re.DOTALL | re.MULTILINE)
    return [*fenced, *re.findall(r"`[^`\n]+`", README)]


@pytest.mark.parametrize("verb", VERBS)
def test_the_readme_names_every_verb(verb: str) -> None:
    assert in_code(verb)


def test_the_readme_has_a_row_for_every_exit_code() -> None:
    rows = re.findall(r"^\| ([0-9]+(?:, [0-9]+)*) \|", README, re.MULTILINE)

    assert [int(code) for row in rows for code in row.split(", ")] == list(EXITS)


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_the_readme_names_every_variable_of_the_environment(name: str) -> None:
    assert in_code(name)


@pytest.mark.parametrize("key", sorted(keys()))
def test_the_readme_names_every_key_of_a_manifest(key: str) -> None:
    assert in_code(key)


def test_the_readme_says_of_every_proof_what_happens_in_it() -> None:
    table = re.search(r"^\| `make soak ONLY=\.\.\.` .*?\n\n", README, re.DOTALL | re.MULTILINE)
    assert table is not None
    first_cells = [line.split("|")[1] for line in table[0].splitlines()[2:] if line]

    assert sorted(name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)) == sorted(CAMPAIGNS)
    assert f"at {len(POINTS)} named places" in table[0]
    assert re.search(rf"^\| `planted` .* \| {len(BUGS)} \|$", table[0], re.MULTILINE)


def test_the_readme_names_the_settings_file() -> None:
    assert in_code(PROJECT_FILE)


def test_every_link_of_the_words_at_the_top_leads_somewhere() -> None:
    links = [
        (page.name, target)
        for page in ROOT.glob("*.md")
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8"))
    ]

    assert [link for link in links if not (ROOT / link[1]).exists()] == []
