"""`rivya-batch explain CODE`: findings, errors of ours, errors of the service, exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

import click

from jobs.codes import CODES
from jobs.suggest import did_you_mean
from runner.cli.exits import EXITS
from runner.cli.flags import verb
from runner.cli.voice import Voice
from runner.errors import RunnerError, UsageError

__all__ = ["command"]

# The service's documented codes, with what this runner does about each.
SERVICE: Final = MappingProxyType(
    {
        "api_key_expired": "The key's time is over. Make a new one in the account's settings. Exit code 4.",
        "api_key_invalid": "The service does not know the key. Copy it again. Exit code 4.",
        "api_key_missing": "No key arrived at the service. Set RIVYA_API_KEY. Exit code 4.",
        "api_key_revoked": "The key was taken back. Make a new one in the account's settings. Exit code 4.",
        "api_scope_denied": "The key lacks a scope: older keys have none for files. Make a new key. Exit code 4.",
        "generation_failed": "A task was accepted and then failed. `retry` buys it again; credits may have come back.",
        "idempotency_conflict": "The service has seen this key with something else, or is still at work on it. The "
        "runner waits and sends the same bytes again a few times; then the item is `uncertain` and needs a person.",
        "insufficient_credits": "The balance is too small. Top up, then run the same command again. Exit code 5.",
        "not_found": "The service does not know the task, for this account. Right after a create it may only be slow; "
        "if it stays so the item is `vanished` and needs a person.",
        "public_api_disabled": "The API is switched off for now. Run the same command again later. Exit code 8.",
        "rate_limited": "Too many requests. The runner slows down by itself; `--creates` and `--polls` set ceilings.",
        "validation_failed": "The service refused the request as written. Nothing was bought; the item is `rejected`.",
    }
)


@verb("explain", example="rivya-batch explain unknown-key", more="Without a CODE it lists all of them.")
@click.argument("code", required=False)
@click.pass_obj
def command(voice: Voice, code: str | None) -> None:
    known = {**dict(_errors()), **SERVICE, **{str(number): text for number, text in EXITS.items()}, **CODES}
    if code is None:
        voice.data("".join(f"{name}\n" for name in sorted(known)) if not voice.json else "")
        if voice.json:
            voice.object(known)
        return
    wanted = code.strip().strip("[]`").removeprefix("error[").removeprefix("warning[")
    if wanted not in known:
        raise UsageError(
            f"There is no code `{code}`.", next_step=did_you_mean(wanted, known, "list them with `rivya-batch explain`")
        )
    if voice.json:
        voice.object({"code": wanted, "text": known[wanted]})
    else:
        voice.data(f"{wanted}\n\n{known[wanted].strip()}\n")


def _errors() -> Iterator[tuple[str, str]]:
    """Our own errors, explained by the words in their classes."""
    kinds = [RunnerError]
    while kinds:
        kind = kinds.pop()
        kinds.extend(kind.__subclasses__())
        if kind is not RunnerError and "default_code" in vars(kind):
            next_step = f"\n\nNext: {kind.default_next_step}." if kind.default_next_step else ""
            yield kind.default_code, f"{inspect.getdoc(kind)}\n\nExit code {kind.exit_code}.{next_step}"
