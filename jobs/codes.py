"""Every finding code, with the paragraph that `rivya-batch explain CODE` prints.

A code is public: people script against it, so it never changes its meaning. A paragraph says what the code means, why
it is refused, and how to put it right, with a small example. A code that is used and not listed here, or listed and
never produced, fails a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from jobs.item_codes import ITEM_CODES
from jobs.manifest_codes import MANIFEST_CODES

__all__ = ["CODES"]

CODES: Mapping[str, str] = MappingProxyType({**MANIFEST_CODES, **ITEM_CODES})
