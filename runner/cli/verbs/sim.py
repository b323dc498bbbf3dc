"""`rivya-batch sim`: the simulator on a port of this machine, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from jobs.yaml12 import load
from runner.cli.flags import verb
from runner.cli.loop import run_async
from runner.cli.voice import Voice
from runner.errors import ManifestRejected, UsageError
from runner.sim.faults import FaultError
from runner.sim.journal import JournalError
from runner.sim.media import MediaMissingError
from runner.sim.profile import ProfileError, profile_from_pairs
from runner.sim.server import SimOptions, serve_forever
from runner.sources import read_manifest

__all__ = ["command"]

_MORE: Final = """\
Prints its address and the line of environment that makes other commands use it.

A fault file is a list of rules such as these; a wrong word in one is answered with all that are possible:

\b
  - match: {endpoint: create, nth: 3}
    do: {status: 502}
  - match: {endpoint: create, prompt_contains: rug}
    do: {fail: generation_failed}
  - match: {endpoint: poll, share: 0.05}
    do: {code: rate_limited, retry_after: 2}
    times: 10"""


@verb(
    "sim",
    example="rivya-batch sim --port 8899 --faults faults.yaml",
    more=_MORE,
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="The port.  [default: a free one]")
@click.option(
    "--faults", type=click.Path(path_type=Path), metavar="FILE", help="YAML or JSON rules for what goes wrong."
)
@click.option(
    "--speed", type=click.FloatRange(min=0.01), default=1.0, metavar="X", help="Tasks take 1/X of their time."
)
@click.option("--seed", type=int, default=0, metavar="N", help="Other media, other times, the same each time.")
@click.option("--state", type=click.Path(path_type=Path), metavar="FILE", help="Remember tasks here between lives.")
@click.option(
    "--profile",
    multiple=True,
    metavar="NAME=VALUE",
    help="How the service behaves: windows=creates:50/1, refund=late ...",
)
@click.option("--fast-media", is_flag=True, help="One tiny constant file of each kind, for runs of thousands.")
@click.pass_obj
def command(
    voice: Voice,
    *,
    port: int,
    faults: Path | None,
    speed: float,
    seed: int,
    state: Path | None,
    profile: tuple[str, ...],
    fast_media: bool,
) -> None:
    rules = _rules(faults) if faults is not None else None
    try:
        options = SimOptions(
            port=port,
            speed=speed,
            seed=seed,
            faults=rules,
            state=state,
            profile=profile_from_pairs(profile),
            fidelity="fast" if fast_media else "real",
        )
        run_async(serve_forever(options, lambda line: voice.data(f"{line}\n")))
    except ProfileError as problem:
        raise UsageError(f"--profile: {problem}.", next_step="see `rivya-batch sim --help`") from problem
    except FaultError as problem:
        raise UsageError(f"{faults}: {problem}.", next_step="mend the rule, or leave --faults out") from problem
    except JournalError as problem:
        raise UsageError(f"{state}: {problem}.", next_step="name another --state file") from problem
    except MediaMissingError as problem:
        raise UsageError(str(problem), next_step="pip install 'rivya-batch[media]'") from problem
    except OSError as problem:
        raise UsageError(
            f"The simulator cannot listen on port {port}: {problem.strerror or problem}.", next_step="leave --port out"
        ) from problem


def _rules(file: Path) -> object:
    """The content of a fault file. Raises ManifestRejected with the places of its mistakes."""
    if not file.is_file():
        raise UsageError(f"There is no fault file `{file}`.", next_step="see `rivya-batch sim --help` for an example")
    text, findings = read_manifest(file)
    document, more = load(text, str(file)) if text is not None else (None, [])
    findings = [*findings, *more]
    if document is None or findings:
        raise ManifestRejected(f"{file} cannot be read.", findings=tuple(findings))
    return document.data
