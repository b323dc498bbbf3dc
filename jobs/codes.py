"""Every finding code, with the paragraph that `rivya-batch explain CODE` prints.

A code is public: people script against it, so it never changes its meaning. A paragraph says what the code means, why
it is refused, and how to put it right, with a small example. A code that is used and not listed here, or listed and
never produced, fails a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from jobs.item_codes import ITEM_CODES

__all__ = ["CODES"]

# ---------------------------------------------------------------------------------------------------------------------
# Manifest codes: the text, the YAML, the shape of the manifest and its data files (yaml12, manifest, rows).
# ---------------------------------------------------------------------------------------------------------------------

_MANIFEST: dict[str, str] = {}


CODES: Mapping[str, str] = MappingProxyType({**_MANIFEST, **ITEM_CODES})
