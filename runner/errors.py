"""What the world does to a run, as typed exceptions.

    RunnerError                     1   (never raised itself)
    |-- InternalError               1   a fault of ours
    |-- UsageError                  2   the command line or a setting
    |   |-- ManifestRejected        2   the manifest, its data or its references; carries findings
    |   `-- StalePlan               2   a saved plan no longer fits what it was made from
    |-- AuthError                   4   key missing, malformed, refused, or lacking a scope
    |-- ServiceError                8   the service did not do what was asked
    |   |-- Unreachable             8   no usable answer within the tries allowed
    |   |   `-- TransportError      8   one exchange without a whole answer; says how far it got
    |   `-- ServiceRefused          8   a whole answer that says no, or cannot be read
    |-- LedgerError                 9   (never raised itself)
    |   |-- LedgerConflict          1   a write does not fit what the ledger holds; a fault of ours
    |   |-- LedgerLocked            9   another runner holds it
    |   |-- LedgerLost              9   another process took it over while this one was away
    |   |-- LeaseLost               9   a shard of a worker went to another
    |   `-- LedgerUnusable          9   damaged, foreign, or from a newer release
    |-- DiskFull                    9   no room left for the ledger or a result
    |-- OutputUnusable              9   a result cannot be written where it should go
    `-- FetchError                  3   one result could not be downloaded
        |-- LinkDead                3   the address has died: ask the service for a fresh one
        `-- AddressRefused          3   the address leads where results may not come from

The number is the exit code when such an error ends the command; 5 and 7 are outcomes of items (`jobs.outcome`). A
message is whole English: what happened and what it cost; `next_step` is the command or action to go on. A user's
mistake in a manifest is a finding (`jobs.findings`), and a fault of ours that can be seen in the code is an assertion;
neither belongs here.

No message may ever hold the API key, a duration token, or the query string of a result's address.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from jobs.answers import Phase

if TYPE_CHECKING:
    from jobs.findings import Finding

__all__ = [
    "AddressRefused",
    "AuthError",
    "DiskFull",
    "FetchError",
    "InternalError",
    "LeaseLost",
    "LedgerConflict",
    "LedgerError",
    "LedgerLocked",
    "LedgerLost",
    "LedgerUnusable",
    "LinkDead",
    "ManifestRejected",
    "OutputUnusable",
    "RunnerError",
    "ServiceError",
    "ServiceRefused",
    "StalePlan",
    "TransportError",
    "Unreachable",
    "UsageError",
]


class RunnerError(Exception):
    """The root. `code` is stable and kebab-case: people script against it."""

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "internal"
    default_next_step: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        next_step: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.next_step = self.default_next_step if next_step is None else next_step
        self.request_id = request_id


class InternalError(RunnerError):
    """Something that cannot happen did. Nothing is lost: the ledger was written first."""

    default_next_step = "run the same command again; if it happens again, report it with the output of `doctor`"


class UsageError(RunnerError):
    """The command line or a setting is wrong. Nothing was sent."""

    exit_code = 2
    default_code = "usage"
    default_next_step = "see `rivya-batch --help`"


class ManifestRejected(UsageError):
    """The manifest has errors. Nothing was sent. `findings` holds every one, warnings included.

    `texts` are the files they are in, by name, so that each can be shown with its line.
    """

    default_code = "manifest-rejected"
    default_next_step = "mend the places named above, then run `rivya-batch check` on the file"

    def __init__(
        self,
        message: str,
        *,
        findings: tuple[Finding, ...],
        texts: Mapping[str, str] = MappingProxyType({}),
        next_step: str | None = None,
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.findings = findings
        self.texts = texts


class StalePlan(UsageError):
    """A saved plan no longer fits its manifest, references or ledger. Nothing was sent."""

    default_code = "stale-plan"
    default_next_step = "make the plan again with `rivya-batch plan FILE -o plan.json`"


class AuthError(RunnerError):
    """The key is missing, malformed, refused, or lacks a scope. Open attempts keep their keys and reservations."""

    exit_code = 4
    default_code = "key-refused"
    default_next_step = (
        "set RIVYA_API_KEY to a key of the same account, try `rivya-batch credits`, run the command again"
    )


class ServiceError(RunnerError):
    """The service did not do what was asked. The same command goes on later."""

    exit_code = 8
    default_code = "service-error"
    default_next_step = "run the same command again later; nothing is bought twice"


class Unreachable(ServiceError):
    """No usable answer came within the tries allowed."""

    default_code = "service-unreachable"
    default_next_step = "check the network and RIVYA_BASE_URL, then run the same command again; nothing is bought twice"


class TransportError(Unreachable):
    """One HTTP exchange ended without a whole answer. `phase` is NOT_SENT or SENT and comes from the client's trace.

    `final` means that trying again cannot help (a certificate that does not check out).
    """

    default_code = "transport-failed"

    def __init__(self, message: str, *, phase: Phase, final: bool = False, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.phase = phase
        self.final = final


class ServiceRefused(ServiceError):
    """A whole answer came and it says no, or it cannot be read.

    `code` is the service's own code where it gave one (`validation_failed`), else ours.
    """

    default_code = "service-refused"

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        next_step: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code, next_step=next_step, request_id=request_id)
        self.status = status
        self.retry_after_s = retry_after_s


class LedgerError(RunnerError):
    """The root of what can be wrong with a ledger."""

    exit_code = 9
    default_code = "ledger"


class LedgerConflict(LedgerError):
    """A write does not fit what the ledger holds. Nothing was written of it, and nothing is sent after it."""

    exit_code = 1
    default_code = "ledger-conflict"
    default_next_step = InternalError.default_next_step


class LeaseLost(LedgerError):
    """A shard that this worker held may be another's by now. What it was about to do is left to that one."""

    default_code = "lease-lost"
    default_next_step = "nothing: the worker goes on with what it may claim"


class HandoutUnknown(LedgerError):
    """A run was handed out in words of another release. This worker leaves it alone, and goes on with others."""

    default_code = "handout-unknown"
    default_next_step = "install the release of the command that began it where the workers are"


class LedgerLocked(LedgerError):
    """Another runner holds this ledger. Nothing was sent."""

    default_code = "ledger-locked"
    default_next_step = (
        "wait for the other run (`rivya-batch status --follow`), end it (`rivya-batch stop`), or name another --store"
    )


class LedgerLost(LedgerError):
    """Another process took over this ledger while this one was away. Nothing was bought after that."""

    default_code = "ledger-lost"
    default_next_step = "look at the other run with `rivya-batch status`; when it has ended, the same command goes on"


class LedgerUnusable(LedgerError):
    """The ledger is damaged, belongs to another account or service, or was written by a newer release."""

    default_code = "ledger-unusable"
    default_next_step = "see `rivya-batch doctor`; do not delete the file: it knows what was paid for"


class DiskFull(RunnerError):
    """No room left. Creating stopped before anything unrecorded was bought."""

    exit_code = 9
    default_code = "disk-full"
    default_next_step = "free some space, then run the same command again; finished work is kept"


class OutputUnusable(RunnerError):
    """A result or its sidecar cannot be written where it should go."""

    exit_code = 9
    default_code = "output-unusable"
    default_next_step = "make the output folder writable or name another, then run the same command again"


class FetchError(RunnerError):
    """One result could not be downloaded. It stays paid for, and the runner never buys it again by itself.

    `temporary` says that the same address is worth another try.
    """

    exit_code = 3
    default_code = "download-failed"
    default_next_step = "run the same command again: it downloads what is missing and buys nothing"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        temporary: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.temporary = temporary
        self.retry_after_s = retry_after_s


class LinkDead(FetchError):
    """The address answered 403, 404 or 410. Links are short-lived: poll the task again for a fresh one."""

    default_code = "download-link-dead"


class AddressRefused(FetchError):
    """The address is not https on a public host, so nothing was asked of it."""

    default_code = "download-address-refused"
