"""The command as a person or a nightly job uses it, against the simulator it brings along."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from runner.cli.entry import run_command

MANIFEST = """\
version: 1
name: boats
budget: {credits: 50}
limits: {creates: 50/s, polls: 50/s, in_flight: 8, first_poll: 10ms, poll_gap: 10ms}
jobs:
  - id: boat
    model: z-image
    prompt: "a paper boat in {{ vars.colour }}"
    matrix:
      grid:
        vars.colour: [red, blue, green]
"""

SIM = ["--store", ".rivya/sim.db"]

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with one small manifest."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boats.yaml").write_text(MANIFEST, encoding="utf-8")
    return tmp_path


@pytest.fixture
def command(folder: Path, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run one command line in the folder: exit code, stdout, stderr."""

    def run(*args: str) -> tuple[int, str, str]:
        code = run_command(args)
        streams = capfd.readouterr()
        return code, streams.out, streams.err

    return run


def test_a_run_is_planned_done_shown_and_done_again_for_nothing(folder: Path, command: Command) -> None:
    code, out, _ = command("plan", "boats.yaml", "--sim", "--json", "--detailed-exitcode")
    assert code == 6
    plan = json.loads(out)
    assert [plan[name] for name in ("items", "new", "done", "open")] == [3, 3, 0, 0]
    assert plan["credits"] == {"low": 3, "likely": 3, "high": 3}
    assert not (folder / ".rivya").exists(), "a plan leaves nothing behind"

    code, out, err = command("run", "boats.yaml", "--sim", "--yes", "--no-progress")
    assert (code, out) == (0, "")
    assert "boats: 3 items in 1 job" in err
    assert "rehearsal of boats: ok; 3 of 3 done; 3 of 50 credits spent; took " in err
    assert "next: rivya-batch results boats --sim" in err
    pictures = sorted((folder / "out" / "boats").rglob("*.png"))
    assert len(pictures) == 3

    code, out, err = command("run", "boats.yaml", "--sim", "--yes")
    assert code == 0
    assert "spend nothing" in err
    assert "rehearsal of boats: nothing to do; 3 of 3 done; 3 of 50 credits spent; took " in err
    assert command("plan", "boats.yaml", "--sim", "--detailed-exitcode")[0] == 0

    code, out, _ = command("results", "--json", *SIM)
    rows = json.loads(out)
    assert [row["state"] for row in rows] == ["succeeded"] * 3
    assert sorted(folder / row["outputs"][0]["file"] for row in rows) == pictures
    assert all(row["final_credits"] == 1 and row["attempts"] == row["sends"] == 1 for row in rows)


def test_what_a_ledger_knows_can_be_looked_at(folder: Path, command: Command) -> None:
    assert command("run", "boats.yaml", "--sim", "--yes")[0] == 0

    code, out, _ = command("ls", *SIM)
    assert code == 0
    assert out.splitlines()[1].split()[:6] == ["boats", "ended", "0", "3", "3", "0"]

    code, out, _ = command("status", "--follow", *SIM)
    assert code == 0
    assert "3: 3 succeeded" in out
    assert "3 spent, 0 held, cap 50" in out

    code, out, _ = command("show", "boat/vars.colour=red", *SIM)
    assert code == 0
    for word in ("succeeded", "a paper boat in red", "accepted", "z-image", "verified, image/png"):
        assert word in out, word
    task = json.loads(command("show", "boat/vars.colour=red", "--json", *SIM)[1])["attempts"][0]["task_id"]
    assert command("show", task, "-v", *SIM)[1].count("intent") == 1

    assert command("results", *SIM, "--format", "csv", "-o", "r.csv")[0] == 0
    with (folder / "r.csv").open(encoding="utf-8", newline="") as stream:
        assert [row["state"] for row in csv.DictReader(stream)] == ["succeeded"] * 3
    assert command("results", *SIM, "--format", "jsonl")[1].count("\n") == 3
    assert command("results", *SIM, "--state", "failed")[1].count("\n") == 1, "the header stays"


def test_nothing_of_a_run_is_readable_by_others(folder: Path, command: Command) -> None:
    before = os.umask(0)
    try:
        assert command("run", "boats.yaml", "--sim", "--yes")[0] == 0
        assert command("results", *SIM, "-o", "r.txt")[0] == 0
    finally:
        os.umask(before)

    private = [folder / "r.txt", folder / ".rivya", *(folder / ".rivya").iterdir()]
    assert [path.name for path in private if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_a_look_where_there_is_nothing_says_how_to_begin(command: Command) -> None:
    for verb in (["results"], ["status"], ["show", "x"], ["retry"]):
        code, out, err = command(*verb)
        assert (code, out) == (2, "")
        assert "next: begin one with `rivya-batch run FILE`" in err
    code, out, err = command("ls")
    assert (code, out) == (0, "")
    assert "no runs yet" in err


def test_events_are_json_lines_and_the_last_names_the_exit_code(command: Command) -> None:
    code, out, _ = command("run", "boats.yaml", "--sim", "--yes", "--json", "-q")
    lines = [json.loads(line) for line in out.splitlines()]

    assert code == 0
    assert [line["event"] for line in lines[:2]] == ["plan", "started"]
    assert lines[-1]["event"] == "done"
    assert lines[-1]["exit_code"] == 0
    assert lines[-1]["counts"]["succeeded"] == 3
    assert all(datetime.fromisoformat(line["at"]).tzinfo is not None for line in lines)
    assert {line["change"] for line in lines if line["event"] == "item"} >= {"intent", "accepted", "succeeded", "saved"}


def test_a_saved_plan_is_run_as_shown_and_refused_once_anything_moved(folder: Path, command: Command) -> None:
    code, _, err = command("plan", "boats.yaml", "--sim", "-o", "plan.json")
    assert code == 0
    assert err.endswith("run exactly this with: rivya-batch run plan.json --sim\n")
    assert command("run", "plan.json", "--sim", "--yes")[0] == 0
    code, _, err = command("results")
    assert code == 2
    assert "next: add --sim to see what was rehearsed here" in err
    code, _, err = command("run", "plan.json", "--sim", "--yes")

    assert code == 2
    assert err.startswith("error[stale-plan]: ")
    assert "the ledger moved on" in err


def test_a_saved_plan_brings_its_flags_and_the_settings_of_its_manifest(folder: Path, command: Command) -> None:
    (folder / "free.yaml").write_text(MANIFEST.replace("budget: {credits: 50}\n", ""), encoding="utf-8")
    (folder / "rivya-batch.toml").write_text("in_flight = 3\n", encoding="utf-8")
    (folder / "plans").mkdir()
    shaping = ("--budget", "9", "--limit", "2", "--date", "2026-01-01")
    assert command("plan", "free.yaml", "--sim", "-o", "plans/plan.json", *shaping)[0] == 0
    code, _, err = command("run", "plans/plan.json", "--sim", "--yes")

    assert code == 0
    assert "free.yaml" not in err, "nothing is left to go on with"
    assert "2 of 9 credits spent" in err
    assert "3 in flight" in err


def test_a_saved_plan_keeps_the_day_it_was_made_on(folder: Path, command: Command) -> None:
    (folder / "boats.yaml").write_text(MANIFEST + 'edition: "{{ run.date }}"\n', encoding="utf-8")
    assert command("plan", "boats.yaml", "--sim", "-o", "plan.json")[0] == 0
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))

    assert plan["run"] == f"boats@{plan['choices']['date']}"


@pytest.mark.parametrize("flags", [["--limit", "1"], ["--again"], ["--var", "a=b", "--halt", "fail=1"]])
def test_a_saved_plan_cannot_be_changed_by_flags(flags: list[str], folder: Path, command: Command) -> None:
    assert command("plan", "boats.yaml", "--sim", "-o", "plan.json")[0] == 0
    code, _, err = command("run", "plan.json", "--sim", "--yes", *flags)

    assert code == 2
    assert f"{', '.join(flags[::2])} cannot change it. Nothing was sent." in err
    assert not (folder / "out").exists()


def test_a_saved_plan_that_is_not_there_is_no_stale_plan(command: Command) -> None:
    code, _, err = command("run", "plan.json", "--sim", "--yes")

    assert code == 2
    assert err.startswith("error[usage]: plan.json cannot be read: No such file or directory.")


@pytest.mark.parametrize(
    ("args", "lacking"),
    [
        (["run", "boats.yaml", "--sim"], "rivya-batch run boats.yaml --sim --yes"),
        (["run", "free.yaml", "--sim", "--yes"], "rivya-batch run free.yaml --sim --budget 3"),
        (["run", "free.yaml", "--sim"], "rivya-batch run free.yaml --sim --yes --budget 3"),
        (
            ["run", "free.yaml", "--sim", "--budget", "9", "--select", "*red", "--again", "--no-download"],
            "rivya-batch run free.yaml --budget 9 --select '*red' --no-download --again --sim --yes",
        ),
    ],
)
def test_without_a_terminal_a_run_names_the_line_that_is_missing(
    args: list[str], lacking: str, folder: Path, command: Command
) -> None:
    (folder / "free.yaml").write_text(MANIFEST.replace("budget: {credits: 50}\n", ""), encoding="utf-8")
    code, _, err = command(*args)

    assert code == 2
    assert f"next: {lacking}\n" in err
    assert not (folder / "out").exists()
    assert command(*shlex.split(lacking)[1:], "--yes")[0] == 0


def test_a_budget_of_the_project_satisfies_the_gate_and_caps_the_run(folder: Path, command: Command) -> None:
    (folder / "free.yaml").write_text(MANIFEST.replace("budget: {credits: 50}\n", ""), encoding="utf-8")
    (folder / "rivya-batch.toml").write_text("budget = 2\n", encoding="utf-8")

    code, _, err = command("run", "free.yaml", "--sim", "--yes", "--budget", "40")

    assert code == 5
    assert "2 of 2 credits spent" in err
    where = folder / "rivya-batch.toml"
    assert f"next: rivya-batch run free.yaml --budget 40 --sim    # with 3 or more as budget of {where}\n" in err


def test_after_a_stop_by_the_budget_the_next_command_names_one_that_would_do(folder: Path, command: Command) -> None:
    (folder / "free.yaml").write_text(MANIFEST.replace("budget: {credits: 50}\n", ""), encoding="utf-8")

    code, _, err = command("run", "free.yaml", "--sim", "--yes", "--budget", "1")
    assert code == 5
    line, _, why = err.splitlines()[-1].partition("; next: ")[2].partition("    # ")
    assert (line, why) == ("rivya-batch run free.yaml --sim --budget 3", "for all that is left")
    assert command(*shlex.split(line)[1:], "--yes")[0] == 0

    poor = MANIFEST.replace("credits: 50", "credits: 2").replace("boat", "raft")
    (folder / "poor.yaml").write_text(poor, encoding="utf-8")
    code, _, err = command("run", "poor.yaml", "--sim", "--yes", "--budget", "1")
    told = "rivya-batch run poor.yaml --sim --budget 3    # with 3 or more as `budget.credits` in poor.yaml"
    assert (code, err.splitlines()[-1].partition("; next: ")[2]) == (5, told)


def test_without_a_key_nothing_is_sent(command: Command) -> None:
    for args in (["credits"], ["run", "boats.yaml", "--yes"]):
        code, out, err = command(*args)
        assert (code, out) == (4, "")
        assert err.rstrip().splitlines()[-2].startswith("error[key-missing]: ")


def test_the_simulators_balance_can_be_asked_for(command: Command) -> None:
    code, out, _ = command("credits", "--sim", "--json")

    assert code == 0
    assert json.loads(out)["credits"] > 0


def test_every_mistake_is_told_at_once_with_its_place(folder: Path, command: Command) -> None:
    (folder / "bad.yaml").write_text(
        MANIFEST.replace("prompt:", "promt:").replace("z-image", "z-imagge"), encoding="utf-8"
    )

    code, out, err = command("check", "bad.yaml", "boats.yaml")
    assert (code, out) == (2, "")
    assert "bad.yaml:8:" in err
    assert "did you mean `prompt`?" in err

    code, out, _ = command("check", "bad.yaml", "--json")
    findings = json.loads(out)["findings"]
    assert code == 2
    assert set(findings[0]) == {"code", "severity", "message", "file", "line", "column", "end_column", "path", "help"}
    for finding in findings:
        assert command("explain", finding["code"])[0] == 0

    code, _, err = command("plan", "bad.yaml")
    assert code == 2
    assert "promt:" in err, "the line itself is shown"
    assert "error[manifest-rejected]" in err


def test_select_exclude_and_limit_narrow_what_is_bought(command: Command) -> None:
    def new(*args: str) -> int:
        return int(json.loads(command("plan", "boats.yaml", "--sim", "--json", *args)[1])["new"])

    assert new("--select", "*colour=red", "--select", "*blue") == 2
    assert new("--exclude", "*colour=red") == 2
    assert new("--limit", "1") == 1
    assert command("plan", "boats.yaml", "--select", "nothing")[0] == 2


@pytest.mark.parametrize(
    "args",
    [
        ["--budget", "many"],
        ["--creates", "fast"],
        ["--in-flight", "0"],
        ["--limit", "0"],
        ["--var", "novalue"],
        ["--date", "31.1.2026"],
        ["--halt", "some"],
    ],
)
def test_a_flag_that_means_nothing_is_refused_before_anything_is_sent(
    args: list[str], folder: Path, command: Command
) -> None:
    code, _, err = command("run", "boats.yaml", "--sim", "--yes", *args)

    assert code == 2
    assert args[0] in err
    assert "spend" not in err, "it is refused before anything is shown or asked"
    assert not (folder / "out").exists()
    assert command("plan", "boats.yaml", "--sim", *args)[0] == 2


@pytest.mark.parametrize("example", ["sweep", "bulk", "nightly"])
def test_each_example_is_written_and_checks_as_it_stands(example: str, folder: Path, command: Command) -> None:
    code, _, err = command("init", "first", "--example", example)
    manifest = folder / "first" / f"{example}.yaml"

    assert code == 0
    assert f"rivya-batch run first/{example}.yaml --sim --yes" in err
    assert manifest.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=./manifest.schema.json\n")
    assert json.loads((folder / "first" / "manifest.schema.json").read_text(encoding="utf-8"))["$schema"]
    assert command("check", str(manifest))[0] == 0
    plan = json.loads(command("plan", str(manifest), "--json")[1])
    assert plan["credits"]["likely"] <= plan["cap"], "the example fits its own budget"


def test_an_example_runs_as_written(folder: Path, command: Command) -> None:
    assert command("init", "first", "--example", "bulk")[0] == 0
    assert command("run", "first/bulk.yaml", "--sim", "--yes", "--limit", "2")[0] == 0
    assert len(list((folder / "out").rglob("*.png"))) == 2


def test_init_overwrites_nothing(folder: Path, command: Command) -> None:
    (folder / "sweep.yaml").write_text("mine", encoding="utf-8")
    code, _, err = command("init")

    assert code == 2
    assert "sweep.yaml exists already" in err
    assert (folder / "sweep.yaml").read_text(encoding="utf-8") == "mine"
    assert not (folder / "assets").exists()


def test_retry_buys_only_what_failed(folder: Path, command: Command) -> None:
    assert command("run", "boats.yaml", "--sim", "--yes")[0] == 0
    code, _, err = command("retry", "--failed", "--yes", "--sim")

    assert code == 0
    assert "nothing failed" in err


def test_sigterm_before_a_run_listens_ends_with_a_line_and_143(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:  # takes the question for the balance, and never answers
        given = {"RIVYA_BASE_URL": f"http://127.0.0.1:{service.getsockname()[1]}", "RIVYA_API_KEY": "rvya_sk_of_a_test"}
        environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(folder), "PATH": "", **given}
        with subprocess.Popen(
            [sys.executable, "-m", "runner", "run", "boats.yaml", "--yes", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as life:
            asked, _ = service.accept()
            life.send_signal(signal.SIGTERM)
            out, err = life.communicate(timeout=30)
            asked.close()

    assert life.returncode == 143
    assert err.strip() == "Interrupted."
    assert [json.loads(line)["exit_code"] for line in out.splitlines()] == [143]


def test_retry_of_another_night_takes_its_day_from_the_run(folder: Path, command: Command) -> None:
    dated = MANIFEST.replace("budget:", 'edition: "{{ run.date }}"\nbudget:')
    (folder / "boats.yaml").write_text(dated, encoding="utf-8")
    assert command("run", "boats.yaml", "--sim", "--yes", "--date", "2026-11-20")[0] == 0

    code, _, err = command("retry", "boats@2026-11-20", "--yes", "--sim")
    assert (code, "boats@2026-11-20: nothing failed" in err) == (0, True)

    code, _, err = command("retry", "boats@2026-11-20", "--yes", "--sim", "--date", "2026-11-19")
    assert (code, "now makes the run boats@2026-11-19" in err) == (2, True), "a day that somebody wrote is meant"


def test_an_interrupted_run_ends_with_130_and_goes_on_with_the_same_command(folder: Path) -> None:
    many = "\n".join(f"          - c{n}" for n in range(12))
    slow = MANIFEST.replace("[red, blue, green]", f"\n{many}").replace("creates: 50/s", "creates: 8/s")
    (folder / "slow.yaml").write_text(slow, encoding="utf-8")
    line = [sys.executable, "-m", "runner", "run", "slow.yaml", "--sim", "--yes", "--json"]
    environment = {**dict.fromkeys(["PYTHONPATH"], str(Path(__file__).parents[2])), "HOME": str(folder), "PATH": ""}
    with subprocess.Popen(
        line, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as life:
        assert life.stdout is not None
        for text in life.stdout:
            if '"change":"succeeded"' in text:
                life.send_signal(signal.SIGINT)
                break
        began_s = time.monotonic()
        last = life.stdout.read().splitlines()[-1]
        assert life.wait(timeout=30) == 130
    assert time.monotonic() - began_s < 10
    assert json.loads(last)["exit_code"] == 130

    fast = (folder / "slow.yaml").read_text(encoding="utf-8").replace("creates: 8/s", "creates: 50/s")
    (folder / "slow.yaml").write_text(fast, encoding="utf-8")
    again = subprocess.run(line, cwd=folder, capture_output=True, text=True, env=environment, check=False, timeout=60)
    done = json.loads(again.stdout.splitlines()[-1])
    assert again.returncode == 0, again.stderr
    assert done["counts"] == {"succeeded": 12}
    assert done["credits"]["settled"] == 12
