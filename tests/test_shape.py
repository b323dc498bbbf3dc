"""The shape of the house: who imports whom, where the outside is touched, and how large a file may grow."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from runner.version import VERSION

ROOT = Path(__file__).parent.parent
MODULES = sorted(file for package in ("jobs", "runner") for file in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# A file past this has become two ideas.
LINES_MAX = 450
TEST_LINES_MAX = 550
# A function past this does not fit a screen.
FUNCTION_LINES_MAX = 70

# Names that say nothing; what is in such a file has a subject, and the file should be named after it.
BANNED_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}

# The only imports inside functions: verbs, what is dear or need not be installed, and the names of the package itself.
LAZY = {"runner/__init__.py", "runner/cli/lazy.py", "runner/on_demand.py"}

PURE = {"pydantic", "pydantic_core", "yaml", "jinja2", "jobs"}
# What of the standard library waits, reads a clock, opens files, or asks the machine.
IMPURE = {
    "asyncio",
    "glob",
    "http",
    "multiprocessing",
    "os",
    "pathlib",
    "platform",
    "random",
    "select",
    "selectors",
    "shutil",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
}


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def at(file: Path, node: ast.AST | None = None) -> str:
    """A place as an editor opens it."""
    return f"{name_of(file)}:{getattr(node, 'lineno', 1)}"


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), name_of(file))


@cache
def nodes(file: Path) -> Sequence[ast.AST]:
    return tuple(ast.walk(tree(file)))


def imported(file: Path) -> Iterator[tuple[str, ast.stmt]]:
    """Every module a file imports, wherever in it."""
    for node in nodes(file):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield node.module, node


def within(package: str) -> list[Path]:
    return [file for file in MODULES if file.is_relative_to(ROOT / package)]


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in nodes(file):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def attributes(file: Path) -> Iterator[tuple[str, ast.Attribute]]:
    """Every `name.attribute` of a file."""
    for node in nodes(file):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}", node


def calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every plain call of a file, by the last name of what is called."""
    for node in nodes(file):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                yield node.func.id, node
            elif isinstance(node.func, ast.Attribute):
                yield f".{node.func.attr}", node


def test_the_core_imports_nothing_that_waits_or_touches_the_outside() -> None:
    wrong = [
        f"{at(file, node)} imports {module}"
        for file in within("jobs")
        for module, node in imported(file)
        for top in [module.partition(".")[0]]
        if (top not in PURE and top not in sys.stdlib_module_names) or top in IMPURE or module in IMPURE
    ]

    assert wrong == []


def test_the_core_waits_for_nothing_opens_nothing_and_reads_no_clock() -> None:
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    clocks = {f"{name}.{read}" for name in ("datetime", "date") for read in ("now", "today", "utcnow")}
    wrong = [at(file, node) for file in within("jobs") for node in nodes(file) if isinstance(node, waiting)]
    wrong += [
        f"{at(file, node)} calls {name}"
        for file in within("jobs")
        for name, node in calls(file)
        if name in {"open", "print", "input", "exec", "eval"}
    ]
    wrong += [
        f"{at(file, node)} reads {name}" for file in within("jobs") for name, node in attributes(file) if name in clocks
    ]

    assert wrong == []


def test_the_simulator_knows_nothing_of_the_runner_so_that_it_can_disagree() -> None:
    wrong = [
        f"{at(file, node)} imports {module}"
        for file in within("runner/sim")
        for module, node in imported(file)
        if module.partition(".")[0] in {"jobs", "runner"} and not f"{module}.".startswith("runner.sim.")
    ]

    assert wrong == []


@pytest.mark.parametrize(
    ("module", "only"),
    [
        ("sqlite3", {"runner/ledger/sqlite.py"}),
        ("pydantic", {"runner/wire.py"}),
        ("yaml", set()),
        ("jinja2", set()),
        ("duckdb", {"runner/parquet.py"}),
        ("obstore", {"runner/blobs_s3.py"}),
        ("opentelemetry", {"runner/tracing.py"}),
        ("prometheus_client", {"runner/metrics.py"}),
        (
            "psycopg",
            {
                f"runner/ledger/postgres{part}.py"
                for part in ("", "_link", "_lock", "_migrating", "_shares", "_trouble")
            },
        ),
        ("procrastinate", {"runner/shards/procrastinate_queue.py"}),
        ("ray", {"runner/shards/ray_hand.py"}),
    ],
)
def test_one_file_of_the_runner_touches_each_outside_thing(module: str, only: set[str]) -> None:
    users = {
        name_of(file) for file in within("runner") for found, _ in imported(file) if found.partition(".")[0] == module
    }

    assert users <= only


def test_one_package_imports_the_http_client_and_one_file_makes_its_sessions() -> None:
    users = {
        name_of(file)
        for file in within("runner")
        for module, node in imported(file)
        if module.partition(".")[0] == "aiohttp" and not module.startswith("aiohttp.web")
        if not (isinstance(node, ast.ImportFrom) and module == "aiohttp" and [a.name for a in node.names] == ["web"])
    }

    makers = {name_of(file) for file in MODULES for name, _ in calls(file) if name.lstrip(".") == "ClientSession"}

    assert {str(Path(user).parent) for user in users} == {"runner/transport"}
    assert makers == {"runner/transport/connections.py"}


def test_one_file_reads_the_environment() -> None:
    readers = {name_of(file) for file in MODULES for name, _ in attributes(file) if name in {"os.environ", "os.getenv"}}

    assert readers == {"runner/settings.py"}


def test_nothing_is_imported_inside_a_function() -> None:
    wrong = [
        at(file, node)
        for file in MODULES
        for function in functions(file)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    lazy = {name_of(file) for file in MODULES for name, _ in calls(file) if name in {".import_module", "__import__"}}

    assert wrong == []
    assert lazy == LAZY


def test_every_module_says_what_it_is_for() -> None:
    wrong = []
    for file in MODULES:
        future = [node for node in tree(file).body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
        only_words = file.name == "__init__.py" and len(tree(file).body) == 1
        if not ast.get_docstring(tree(file)):
            wrong.append(f"{at(file)} has no docstring")
        if not only_words and [alias.name for node in future for alias in node.names] != ["annotations"]:
            wrong.append(f"{at(file)} lacks `from __future__ import annotations`")

    assert wrong == []


@pytest.mark.parametrize("file", MODULES, ids=name_of)
def test_what_a_module_offers_is_sorted_and_true(file: Path) -> None:
    if file.name == "__init__.py" and len(tree(file).body) == 1:
        return  # a package that only says what it is
    offered = importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    names = list(offered.__all__)

    assert names == sorted(set(names), key=_as_the_linter_sorts)
    assert [name for name in names if not hasattr(offered, name) or name.startswith("_")] == []


def _as_the_linter_sorts(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2), name


def test_no_file_outgrows_its_idea_and_no_function_its_screen() -> None:
    wrong = []
    for file in MODULES + TESTS:
        lines = len(file.read_text(encoding="utf-8").splitlines())
        if lines > (TEST_LINES_MAX if file in TESTS else LINES_MAX):
            wrong.append(f"{name_of(file)} has {lines} lines")
    for file in MODULES:
        for function in functions(file):
            lines = (function.end_lineno or function.lineno) - function.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                wrong.append(f"{at(file, function)} {function.name} has {lines} lines")

    assert wrong == []


def test_a_file_is_named_after_its_subject() -> None:
    assert [name_of(file) for file in MODULES + TESTS if file.stem.removeprefix("test_") in BANNED_NAMES] == []


def test_nothing_speaks_but_the_voice() -> None:
    speakers = {name_of(file) for file in MODULES for name, _ in calls(file) if name in {"print", ".echo", ".secho"}}

    assert speakers == {"runner/cli/voice.py"}


def test_no_mocks_and_nothing_that_runs_code_when_it_is_read() -> None:
    suspects = [file for file in TESTS if "mock" in file.read_text(encoding="utf-8")]  # to parse them all takes seconds
    mocks = [name_of(file) for file in suspects for module, _ in imported(file) if module in {"unittest.mock", "mock"}]
    unsafe = [
        name_of(file)
        for file in MODULES
        for module, _ in imported(file)
        if module in {"pickle", "shelve", "marshal", "dill"}
    ]

    assert mocks + unsafe == []


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

    assert [name_of(file) for file in MODULES if later.search(file.read_text(encoding="utf-8"))] == []


def test_the_release_has_one_number() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert project["version"] == VERSION


def test_the_lock_has_a_hash_for_everything_and_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]

    assert "://" not in text
    assert "--index" not in text
    assert len(pins) > 40
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
