"""Findings of many items, told once: one cause is one finding, with the number of items and the first of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from jobs.findings import Finding, Place, Severity

__all__ = ["Tally"]

# Past this many different causes the manifest is something else; nobody reads the 201st.
FINDINGS_MAX = 200


@dataclass(slots=True)
class _Group:
    finding: Finding
    keys: int = 0
    first: str = ""


class Tally:
    """Collects findings. Not a value: one expansion makes one, fills it, and asks it for `findings` at the end."""

    def __init__(self) -> None:
        self._groups: dict[tuple[object, ...], _Group] = {}
        self.errors = 0

    def add(
        self,
        code: str,
        message: str,
        place: Place | None,
        remedy: str = "",
        *,
        severity: Severity = "error",
        key: str = "",
        cause: str | None = None,
    ) -> None:
        """Count one more case. One code at one place is one cause when `cause` (or the message) is the same."""
        if severity == "error":
            self.errors += 1
        name = (code, place, severity, message if cause is None else cause)
        group = self._groups.get(name)
        if group is None:
            if len(self._groups) >= FINDINGS_MAX:
                return
            finding = Finding(code=code, message=message, place=place, help=remedy, severity=severity)
            group = self._groups[name] = _Group(finding)
        if key:
            group.keys += 1
            group.first = group.first or key

    def take(self, other: Tally) -> None:
        """Everything that another one collected, behind what is here."""
        self.errors += other.errors
        for name, group in other._groups.items():
            mine = self._groups.get(name)
            if mine is not None:
                mine.keys += group.keys
                mine.first = mine.first or group.first
            elif len(self._groups) < FINDINGS_MAX:
                self._groups[name] = group

    @property
    def findings(self) -> list[Finding]:
        """One finding per cause, in the order they came up."""
        return [_told(group) for group in self._groups.values()]


def _told(group: _Group) -> Finding:
    if not group.first or (group.keys == 1 and "/" not in group.first):
        return group.finding  # the place names the job already
    also = f" and {group.keys - 1:,} more" if group.keys > 1 else ""
    return replace(group.finding, message=f"{group.finding.message} (item `{group.first}`{also})")
