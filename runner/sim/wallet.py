"""One account's credits: free, held for open tasks, charged for good, and spent elsewhere.

balance + held + charged + outside = initial, always.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Move", "Wallet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One movement, for the record. `credits` is what left the balance; negative when credits came back."""

    at_s: float
    account: str
    kind: Literal["reserve", "settle", "refund", "outside"]
    credits: int
    task_id: str = ""


@dataclass(slots=True, kw_only=True)
class Wallet:
    """The balance may fall below zero only when a final price is above the reserved one."""

    account: str
    initial: int
    balance: int = 0
    held: int = 0
    charged: int = 0
    outside: int = 0
    moves: list[Move] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.balance = self.initial

    def reserve(self, at_s: float, task_id: str, credits_: int) -> None:
        """Hold the price of a task that begins."""
        self.balance -= credits_
        self.held += credits_
        self._note(at_s, "reserve", credits_, task_id)

    def settle(self, at_s: float, task_id: str, reserved: int, final: int) -> None:
        """Turn a hold into a charge; the difference moves to or from the balance."""
        self.held -= reserved
        self.charged += final
        self.balance += reserved - final
        self._note(at_s, "settle", final - reserved, task_id)

    def refund(self, at_s: float, task_id: str, credits_: int) -> None:
        """Give a charge back."""
        self.charged -= credits_
        self.balance += credits_
        self._note(at_s, "refund", -credits_, task_id)

    def spend_outside(self, at_s: float, credits_: int) -> None:
        """The same wallet pays for the web product; it takes no more than there is."""
        taken = max(0, min(credits_, self.balance))
        self.balance -= taken
        self.outside += taken
        self._note(at_s, "outside", taken, "")

    def _note(
        self, at_s: float, kind: Literal["reserve", "settle", "refund", "outside"], credits_: int, task_id: str
    ) -> None:
        self.moves.append(Move(at_s=at_s, account=self.account, kind=kind, credits=credits_, task_id=task_id))
