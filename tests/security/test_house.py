"""S-33, S-34: importing reaches nobody, and what is dangerous cannot be written without somebody noticing."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(file for package in ("jobs", "runner") for file in (ROOT / package).rglob("*.py"))

_IMPORT_ALL = """
import importlib, pkgutil, sys
# Extras' libraries, which our own modules import only when somebody wants them, and which open others at once:
import apprise, ray
def refuse(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "ctypes.dlopen")):
        # `dlopen(None)` is this program itself: every import of ctypes, which DuckDB and apprise make.
        if event not in {"socket.gethostname", "socket.__new__"} and arguments != (None,):
            raise RuntimeError(f"{event} {arguments!r}")
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & 3
    if writes and "__pycache__" not in str(arguments[0]):
        raise RuntimeError(f"writes {arguments!r}")
sys.addaudithook(refuse)
import jobs, runner
for package in (jobs, runner):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if module.name != "runner.__main__":
            importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith(("jobs", "runner"))]))
"""


def test_importing_everything_reaches_nobody_starts_nothing_and_writes_nothing() -> None:
    environment = {"PATH": "", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "HOME": os.devnull}
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL], env=environment, capture_output=True, text=True, check=False, timeout=50
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= len(FILES) - 5


# What the linter must refuse, each in a file of its own.
BANNED = {
    "yaml.load": "import yaml\n\nyaml.load('a')\n",
    "yaml.safe_load": "import yaml\n\nyaml.safe_load('a')\n",
    "pickle": "import pickle\n\npickle.loads(b'')\n",
    "shelve": "import shelve\n\nshelve.open('a')\n",
    "marshal": "import marshal\n\nmarshal.loads(b'')\n",
    "tempfile.mktemp": "import tempfile\n\ntempfile.mktemp()\n",
    "unittest.mock": "from unittest import mock\n\nmock.Mock()\n",
    "os.environ": "import os\n\nos.environ.get('A')\n",
    "os.getenv": "import os\n\nos.getenv('A')\n",
    "os.system": "import os\n\nos.system('id')\n",
    "shell": "import subprocess\n\nsubprocess.run('id', shell=True, check=True)\n",
    "eval": "eval('1')\n",
    "exec": "exec('1')\n",
    "verify off": "import ssl\n\nssl._create_unverified_context()\n",
    "a broad except": "try:\n    print()\nexcept Exception:\n    pass\n",
    "a bare except": "try:\n    print()\nexcept:\n    pass\n",
    "SQL by formatting": "def f(c, x):\n    c.execute(f'select * from items where id = {x}')\n",
    "SQL by adding": "def f(c, x):\n    c.execute('delete from items where id = ' + x)\n",
    "md5 for keys": "import hashlib\n\nhashlib.md5(b'')\n",
    "a weak protocol": "import ssl\n\nssl.wrap_socket(ssl_version=ssl.PROTOCOL_TLSv1)\n",
    "a password": "password = 'hunter2hunter2'\n",
    "all interfaces": "HOST = '0.0.0.0'\n",
    "XML": "import xml.etree.ElementTree as E\n\nE.parse('a')\n",
    "a mode": "import os\n\nos.chmod('a', 0o777)\n",
    "autoescape off": "import jinja2\n\njinja2.Environment(autoescape=False)\n",
}


def test_the_linter_refuses_what_is_dangerous(tmp_path: Path) -> None:
    folder = tmp_path / "runner"
    folder.mkdir()
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    for number, text in enumerate(BANNED.values()):
        (folder / f"case_{number}.py").write_text(text, encoding="utf-8")
    line = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--no-cache",
        "--output-format",
        "concise",
        "--select",
        _DANGERS,
        ".",
    ]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=50)
    missed = [name for number, name in enumerate(BANNED) if f"case_{number}.py:" not in done.stdout]

    assert missed == []


_DANGERS = "S,TID251,BLE,E722"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_statement_of_sql_is_put_together_from_values(file: Path) -> None:
    """Every `execute` gets a constant, a named query, or a parameter; values go beside it."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    wrong = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"execute", "executemany", "executescript"}
        and node.args
        and isinstance(node.args[0], ast.BinOp | ast.JoinedStr | ast.Call)
        and not _is_of_ours(node.args[0])
    ]

    assert wrong == []


def _is_of_ours(statement: ast.expr) -> bool:
    """A pragma with a name or number of our own, which cannot be parameters; or a migration, a file of the package."""
    text = ast.unparse(statement).lower()
    return "pragma" in text or "step.sql" in text if isinstance(statement, ast.JoinedStr) else ".read_text(" in text
