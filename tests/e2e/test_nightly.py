"""What the README says of nights, taken from it word by word and run: cron, systemd, CI, webhooks, Python.

A scheduler gives next to no environment, so these runs have none: a home folder, a path, a shell. The user's config in
that home leads to a simulator, and the lines stay as they are written.
"""

from __future__ import annotations

import asyncio
import configparser
import importlib.util
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.yaml12 import load
from runner.cli.entry import run_command
from runner.ledger.sqlite import open_ledger
from runner.sim.catalogue import packaged_catalogue
from runner.sim.core import Simulator
from runner.sim.faults import parse_faults
from runner.sim.profile import DEMO_KEY, Profile
from runner.sim.server import serve
from runner.views import list_runs
from tests.runner.raw_server import Asked, Line, RawServer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LONGEST_S = 60.0

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def block(language: str, holds: str) -> str:
    """The one example of the README in this language that holds these words."""
    (text,) = [text for kind, text in BLOCKS if kind == language and holds in text]
    return str(text)


CRON = block("cron", "nightly.yaml")
SERVICE = block("ini", "nightly.service")
TIMER = block("ini", "nightly.timer")
WORKFLOW = block("yaml", "workflow_dispatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A user's home with the command, a key, settings and the nightly example; and the service it leads to."""

    home: Path
    simulator: Simulator
    base_url: str

    @property
    def folder(self) -> Path:
        return self.home / "nightly"

    def bare(self) -> dict[str, str]:
        """What cron gives."""
        return {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", "LOGNAME": "me"}

    async def run(self, *command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> Said:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd or self.home,
            env=self.bare() if environment is None else environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(LONGEST_S):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Said(code=process.returncode, out=out.decode(), err=err.decode())

    async def night(self, *flags: str) -> Said:
        """One night without a terminal, as a log shows it."""
        command = self.home / ".local/bin/rivya-batch"
        return await self.run(str(command), "run", "nightly.yaml", "--yes", *flags, cwd=self.folder)

    def runs(self) -> dict[str, int | None]:
        return {run.run_id: run.exit_code for run in list_runs(self.folder / ".rivya/ledger.db")}


def make_executable(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


@asynccontextmanager
async def house(home: Path, *, faults: list[Mapping[str, Any]] | None = None) -> AsyncIterator[House]:
    profile = Profile(windows=(), durations=(("*", 1.0),))
    simulator = Simulator(profile, packaged_catalogue(), 3, parse_faults(faults or [], 3))
    async with serve(simulator, speed=100.0, fidelity="fast") as server:
        furnish(home, server.base_url)
        made = House(home=home, simulator=simulator, base_url=server.base_url)
        assert run_command(["init", str(made.folder), "--example", "nightly", "-q"]) == 0
        hurry(made.folder / "nightly.yaml")
        yield made


def hurry(manifest: Path) -> None:
    """The examples keep to a pace for strangers' services; nobody is waited for here."""
    quick = "limits: {creates: 50/s, polls: 50/s, in_flight: 8, first_poll: 10ms, poll_gap: 10ms}"
    text, changed = re.subn(r"^limits: .*$", quick, manifest.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert changed == 1
    manifest.write_text(text, encoding="utf-8")


def furnish(home: Path, base_url: str) -> None:
    """The command where `pip install --user` or pipx put it, and the README's own settings with one line more."""
    command = f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m runner "$@"\n'
    make_executable(home / ".local/bin/rivya-batch", command)
    config = home / ".config/rivya-batch/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(block("toml", "api_key_file") + f'base_url = "{base_url}"\n', encoding="utf-8")
    key = config.with_name("key")
    key.write_text(DEMO_KEY + "\n", encoding="utf-8")
    key.chmod(0o600)


async def test_the_line_for_cron_buys_a_night_once_and_mails_nothing_after_a_good_one(tmp_path: Path) -> None:
    minute, hour, *days, line = CRON.strip().split(maxsplit=5)
    assert ([minute, hour], days) == (["15", "2"], ["*"] * 3)
    assert "%" not in line, "cron reads it as a line break"

    async with house(tmp_path) as home:
        for _ in range(2):
            assert await home.run("/bin/sh", "-c", line) == Said(code=0, out="", err="")

        assert home.simulator.stats().tasks == 6
        assert list(home.runs().values()) == [0]


async def test_a_second_start_while_the_first_runs_is_refused_and_names_the_process(tmp_path: Path) -> None:
    line = CRON.strip().split(maxsplit=5)[5]
    async with house(tmp_path) as home, receiver() as server:
        tell(home, server, "failed")
        store = home.folder / ".rivya/ledger.db"
        store.parent.mkdir()
        first = open_ledger(store, account="default", base_url=home.base_url)
        try:
            second = await home.run("/bin/sh", "-c", line)
        finally:
            await first.close()

        assert (second.code, second.out, home.simulator.stats().tasks) == (9, "", 0)
        assert f"pid {os.getpid()}" in second.err
        assert len(second.err.splitlines()) <= 3
        (told,) = [json.loads(asked.body) for asked in server.asked]
        assert (told["event"], told["exit_code"]) == ("failed", 9)
        assert f"pid {os.getpid()}" in told["reason"], "a run that hangs must not stay unheard of"


async def test_a_bad_night_is_one_line_that_says_everything_and_can_be_mended_the_morning_after(tmp_path: Path) -> None:
    fails = {"match": {"endpoint": "create", "prompt_contains": "garden birds"}, "do": {"fail": "no_birds"}}
    async with house(tmp_path, faults=[fails]) as home:
        night = await home.night("-q", "--date", "2026-11-20")

        assert (night.code, night.out) == (3, "")
        (line,) = night.err.splitlines()
        for words in ("nightly-covers@2026-11-20: ", "(exit 3)", "5 of 6 done, 1 failed", " of 60 credits", "; took "):
            assert words in line
        following = line.partition("; next: ")[2]
        assert following == "rivya-batch retry nightly-covers@2026-11-20 --failed --date 2026-11-20"

        command = [str(tmp_path / ".local/bin/rivya-batch"), *shlex.split(following)[1:], "--yes", "--no-progress"]
        retried = await home.run(*command, cwd=home.folder)
        assert "1 item in 1 job" in retried.err, "the night of the command, not the one of today"


async def test_a_missed_night_is_run_by_its_date_gone_on_with_and_never_bought_twice(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        part = await home.night("--date", "2026-11-20", "--limit", "2")
        missed = await home.night("--date", "2026-11-20")
        again = await home.night("--date", "2026-11-20")

        assert [said.code for said in (part, missed, again)] == [0] * 3
        assert home.simulator.stats().tasks == 6
        assert "6 of 6 done" in missed.err.splitlines()[-1]
        assert "6 items in 2 jobs, 2 already done" in missed.err
        *_, last = again.err.splitlines()
        assert last.startswith("nightly-covers@2026-11-20: nothing to do; 6 of 6 done; ")
        assert len(again.err.splitlines()) == 2, "a repeated command has nothing to tell"
        assert len(list((home.folder / "out/nightly-covers/2026-11-20").glob("*.json"))) == 6


async def test_a_run_that_goes_on_after_midnight_is_still_of_its_own_night(tmp_path: Path) -> None:
    empty = {"match": {"endpoint": "create"}, "do": {"code": "insufficient_credits"}}
    async with house(tmp_path, faults=[empty]) as home:
        tonight = await home.night()

        assert tonight.code == 5
        assert re.search(r"next: rivya-batch run nightly\.yaml --date \d{4}-\d\d-\d\d    # after a top-up", tonight.err)


def unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd minds the case
    parser.read_string(text)
    return parser


async def test_the_units_for_systemd_are_sound_and_what_they_start_runs(tmp_path: Path) -> None:
    service, timer = unit(SERVICE), unit(TIMER)
    assert timer["Timer"]["Persistent"] == "true"

    async with house(tmp_path) as home:
        await verify(home)
        command, where = (
            service["Service"][name].replace("%h", str(tmp_path)) for name in ("ExecStart", "WorkingDirectory")
        )
        assert await home.run(*shlex.split(command), cwd=Path(where)) == Said(code=0, out="", err="")
        assert home.simulator.stats().tasks == 6


async def verify(home: House) -> None:
    """Ask systemd itself, where it is installed, about the two files as the README names them."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    units = home.home / ".config/systemd/user"
    units.mkdir(parents=True)
    for text in (SERVICE, TIMER):
        name = Path(text.splitlines()[0].removeprefix("# ~/"))
        assert name.parent == units.relative_to(home.home)
        (units / name.name).write_text(text, encoding="utf-8")
    environment = {**home.bare(), "XDG_RUNTIME_DIR": str(home.home)}
    files = sorted(map(str, units.iterdir()))
    said = await home.run(analyze, "--user", "verify", *files, environment=environment)
    assert (said.code, said.err) == (0, "")


def test_a_night_that_the_service_slept_through_is_tried_again_and_no_other() -> None:
    service = unit(SERVICE)["Service"]
    left_alone = set(map(int, service["RestartPreventExitStatus"].split()))

    assert service["Restart"] == "on-failure"
    assert left_alone == {1, 2, 3, 4, 5, 7, 9, 130, 143}, "8 is left"


def expressions(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: values[found[1]], text)


async def test_the_workflow_is_sound_and_its_steps_run(tmp_path: Path) -> None:
    (tmp_path / "nightly.yml").write_text(WORKFLOW, encoding="utf-8")
    document, findings = load(WORKFLOW, "nightly.yml")
    assert not findings
    assert document is not None
    workflow: Any = document.data
    steps = workflow["jobs"]["nightly"]["steps"]
    uses = [step["uses"].partition("@")[0] for step in steps if "uses" in step]
    assert uses.index("actions/cache/restore") < uses.index("actions/cache/save")

    async with house(tmp_path) as home:
        sound = await home.run(
            *(sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"),
            str(tmp_path / "nightly.yml"),
            environment={**os.environ},  # noqa: TID251 - a tool of ours, not of the house
        )
        assert sound.code == 0, sound.out
        # Nothing is installed from anywhere: `pip` here only puts the command where an installation would.
        bin_folder = tmp_path / "bin"
        pip = f'#!/bin/sh\necho "$@" > {tmp_path}/installed && cp {tmp_path}/.local/bin/rivya-batch {bin_folder}/\n'
        make_executable(bin_folder / "pip", pip)
        for night, tasks in (("", 6), ("2026-11-20", 12)):
            values = {"secrets.RIVYA_API_KEY": DEMO_KEY, "inputs.date": night}
            for step in (step for step in steps if "run" in step):
                given = {name: expressions(value, values) for name, value in step.get("env", {}).items()}
                environment = {**home.bare(), "PATH": f"{bin_folder}:/usr/bin:/bin", "CI": "true", **given}
                said = await home.run("/bin/sh", "-e", "-c", step["run"], cwd=home.folder, environment=environment)
                assert said.code == 0, said.err
            assert home.simulator.stats().tasks == tasks
        assert (tmp_path / "installed").read_text(encoding="utf-8") == "install rivya-batch\n"
        assert "nightly-covers@2026-11-20" in home.runs()
        assert len(home.runs()) == 2


@asynccontextmanager
async def receiver() -> AsyncIterator[RawServer]:
    async def say(line: Line) -> None:
        await line.hear()
        await line.say(b"HTTP/1.1 200 So\r\nContent-Length: 0\r\n\r\n")

    async with RawServer(say) as server:
        yield server


def tell(home: House, server: RawServer, events: str) -> None:
    manifest = home.folder / "nightly.yaml"
    told = f'notify: {{on: [{events}], urls: ["{server.url}/hook/T0KEN-IN-THE-PATH"]}}\n'
    manifest.write_text(manifest.read_text(encoding="utf-8") + told, encoding="utf-8")


async def test_a_night_is_told_once_signed_as_the_readme_says_and_a_repeat_is_not(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    exec(block("python", "is_genuine"), names)
    is_genuine = names["is_genuine"]
    secret = "a-secret-of-mine"

    async with house(tmp_path) as home, receiver() as server:
        tell(home, server, "finished, failed")
        config = tmp_path / ".config/rivya-batch/config.toml"
        config.write_text(config.read_text() + 'notify_secret_file = "notify-secret"\n', encoding="utf-8")
        config.with_name("notify-secret").write_text(secret + "\n", encoding="utf-8")
        config.with_name("notify-secret").chmod(0o600)
        for _ in range(2):
            assert (await home.night("-q")).code == 0
        (asked,) = server.asked

    assert (asked.method, asked.target) == ("POST", "/hook/T0KEN-IN-THE-PATH")
    assert is_genuine(asked.headers, asked.body, secret)
    assert not is_genuine(asked.headers, asked.body + b" ", secret)
    assert not is_genuine({**asked.headers, "webhook-timestamp": "1600000000"}, asked.body, secret)
    assert not is_genuine(asked.headers, asked.body, "another-secret")
    told = json.loads(asked.body)
    assert (told["event"], told["exit_code"], told["counts"]) == ("finished", 0, {"succeeded": 6})
    assert told["text"].startswith(f"{told['run']}: ok; 6 of 6 done; ")
    assert told["next"].startswith("rivya-batch results nightly-covers@")
    nothing_secret(home, asked)


def nothing_secret(home: House, asked: Asked) -> None:
    """The key went nowhere but to the service; the address and the secret are in no file of the run."""
    assert DEMO_KEY.encode() not in asked.raw
    manifest = home.folder / "nightly.yaml"
    files = [file for file in home.folder.rglob("*") if file.is_file() and file != manifest]
    assert any(file.name == "ledger.db" for file in files)
    for file in files:
        content = file.read_bytes()
        assert b"T0KEN-IN-THE-PATH" not in content
        assert b"a-secret-of-mine" not in content


async def test_a_key_that_is_refused_is_told_as_a_bad_night(tmp_path: Path) -> None:
    async with house(tmp_path) as home, receiver() as server:
        tell(home, server, "failed")
        (tmp_path / ".config/rivya-batch/key").write_text("rvya_sk_sim_unknown_0123456789\n", encoding="utf-8")
        night = await home.night("-q")

        assert night.code == 4
        (asked,) = server.asked
    told = json.loads(asked.body)
    assert (told["event"], told["exit_code"]) == ("failed", 4)
    assert told["reason"]
    assert "rvya_sk_sim_unknown" not in asked.raw.decode() + night.err


async def test_the_program_of_the_readme_is_the_one_whose_types_are_checked_and_it_runs(tmp_path: Path) -> None:
    program = ROOT / "tests/e2e/sweep_program.py"
    assert program.read_text(encoding="utf-8") == block("python", "run_manifest")

    async with house(tmp_path) as home:
        environment = {**home.bare(), "PYTHONPATH": str(ROOT)}
        folder = tmp_path / "sweep"
        assert (await home.run(".local/bin/rivya-batch", "init", "sweep", "--example", "sweep")).code == 0
        hurry(folder / "sweep.yaml")
        said = await home.run(sys.executable, str(program), cwd=folder, environment=environment)

    assert (said.code, said.err) == (0, "")
    first, *_, last = said.out.splitlines()
    assert re.fullmatch(r"\d+ new items, \(\d+, \d+, \d+\) credits", first)
    assert " succeeded ['out/" in last


def test_the_readme_s_program_is_a_module_without_side_effects() -> None:
    spec = importlib.util.spec_from_file_location("sweep_program", ROOT / "tests/e2e/sweep_program.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


async def test_a_secret_that_cannot_sign_is_seen_by_doctor_and_stops_the_message_not_the_run(tmp_path: Path) -> None:
    async with house(tmp_path) as home, receiver() as server:
        tell(home, server, "finished")
        environment = {**home.bare(), "RIVYA_BATCH_NOTIFY_SECRET": "tiny"}
        command = str(tmp_path / ".local/bin/rivya-batch")
        run = ["run", "nightly.yaml", "--yes", "-q", "--limit", "1"]
        night = await home.run(command, *run, cwd=home.folder, environment=environment)
        doctor = await home.run(command, "doctor", cwd=home.folder, environment=environment)

    assert (night.code, server.asked) == (0, []), "a message that was to be signed does not leave without a signature"
    why = "The notification secret (RIVYA_BATCH_NOTIFY_SECRET) is shorter than 8 characters, so it cannot be one."
    assert night.err == f"warning: `finished` was not told to http://127.0.0.1: {why}\n"
    assert why in doctor.out
