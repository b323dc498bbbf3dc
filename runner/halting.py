"""What `--halt` says: after how many failed items nothing more is bought."""

from __future__ import annotations

import re

from runner.errors import UsageError

__all__ = ["halt_after"]

# No manifest has as many items as nine digits can say.
_LIMIT = re.compile(r"fail=0*([1-9][0-9]{0,8})(%?)")


def halt_after(text: str | None, items: int) -> int | None:
    """`fail=3` or `fail=5%` as a number of items. Raises UsageError for anything else."""
    if text is None:
        return None
    limit = _LIMIT.fullmatch(text)
    if limit is None:
        raise UsageError(f"--halt {text} is no limit.", next_step="write --halt fail=3 or --halt fail=5%")
    number = int(limit[1])
    return max(1, -(-items * number // 100)) if limit[2] else number
