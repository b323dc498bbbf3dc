"""How many attacks there are, by section: added up from the tables themselves, so that the figure is honest.

One case is one payload at one door. A payload that appears twice in a table counts once, and a table that several tests
walk counts once for each door it is really brought to. Tables of the network belong to the tests of the wire.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

import pytest

from tests.jobs import test_escape, test_leaks, test_names, test_templates
from tests.runner import test_secret
from tests.security import (
    canary_answers,
    payloads_html,
    payloads_names,
    payloads_templates,
    payloads_text,
    payloads_yaml,
    test_canary_breaks,
    test_canary_places,
    test_files,
    test_house,
)
from tests.security import test_names as names_of_files

Table = Collection[object]

# section -> (door, table), as many as there are
CASES: Final[Mapping[str, Mapping[str, Table]]] = {
    "S-01 a key has one place": {
        "everywhere else": test_canary_places.LOCAL,
        "how keys look": test_leaks.KEYS,
        "beginnings of keys": test_leaks.BEGINNINGS,
    },
    "S-02 the masked type": {"shown": test_secret.WAYS, "written": test_secret.DUMPS},
    "S-03 the canary": {
        "the service says it back": canary_answers.MODES,
        "we break": test_canary_breaks.FAULTS,
    },
    "S-04 redaction by value": {"spellings": test_secret.FORMS},
    "S-06 header values": {"made": test_secret.MALFORMED},
    "S-15 references": {
        "as a reference": test_files.PLACES,
        "as a prompt": test_files.PLACES,
        "as data": test_files.PLACES,
        "content": test_files.CONTENTS,
    },
    "S-16 YAML": {"check": payloads_yaml.TRAPS},
    "S-17 text fields": {"check": payloads_yaml.NOT_TEXT},
    "S-18 templates": {
        "check": payloads_templates.PAYLOADS,
        "other places": [(place, text) for place in payloads_templates.PLACES for text in payloads_templates.REACHES],
        "no templates": [(place, text) for place in payloads_templates.INERT for text in payloads_templates.REACHES],
        "escapes, rendered": test_templates.ESCAPES,
        "bombs, rendered": test_templates.BOMBS,
    },
    "S-19 sizes": {"check": payloads_yaml.UNBOUNDED},
    "S-21 names": {
        "in an axis, to the disk": payloads_names.NAMES,
        "in a row, to the disk": names_of_files.BROUGHT,
        "in a template": payloads_names.WRITTEN,
        "from the service": names_of_files.SAID,
        "by themselves": test_names.BAD,
    },
    "S-22 links": {"run": names_of_files.LINKS},
    "S-23 contents": {"run": names_of_files.BODIES},
    "S-25 terminals": {
        "the service refuses": payloads_text.STEERING,
        "the task failed": payloads_text.STEERING,
        "typed, and in findings": payloads_text.STEERING,
        "by itself": [text for text, _ in test_escape.TERMINAL],
    },
    "S-27 tables": {"results": payloads_text.FORMULAS, "by itself": [cell for cell, _ in test_escape.CSV]},
    "S-28 pages": {"between tags and in attributes": payloads_html.XSS, "in a script block": payloads_html.XSS},
    "S-29 SQL": {"to the ledger and back": payloads_text.INJECTIONS},
    "S-30 hooks": {"run": test_files.HOOKS},
    "S-34 lint": {"ruff": test_house.BANNED},
}

AT_LEAST: Final[Mapping[str, int]] = {
    "S-01 a key has one place": 40,
    "S-02 the masked type": 20,
    "S-03 the canary": 40,
    "S-04 redaction by value": 10,
    "S-06 header values": 20,
    "S-15 references": 80,
    "S-16 YAML": 40,
    "S-17 text fields": 30,
    "S-18 templates": 60,
    "S-19 sizes": 15,
    "S-21 names": 120,
    "S-22 links": 10,
    "S-23 contents": 20,
    "S-25 terminals": 80,
    "S-27 tables": 60,
    "S-28 pages": 100,
    "S-29 SQL": 30,
    "S-30 hooks": 20,
    "S-34 lint": 20,
}
IN_ALL: Final = 600


def distinct(tables: Mapping[str, Table]) -> int:
    return sum(len({_name(case) for case in table}) for table in tables.values())


def _name(case: object) -> str:
    """What makes two cases the same; functions are told apart by where they stand."""
    return f"{case!r}"


@pytest.mark.parametrize("section", CASES)
def test_each_section_has_its_number(section: str) -> None:
    assert distinct(CASES[section]) >= AT_LEAST[section]


def test_all_together_are_many() -> None:
    payloads = {
        (section, _name(case)) for section, tables in CASES.items() for table in tables.values() for case in table
    }

    assert set(AT_LEAST) == set(CASES)
    assert sum(map(distinct, CASES.values())) >= IN_ALL
    assert len(payloads) >= IN_ALL, "also when a payload counts once, however many doors it is brought to"
