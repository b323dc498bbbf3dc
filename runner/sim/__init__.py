"""A simulator of the Rivya Public API v1: a pure state machine, an in-memory door, and a door on a real port.

It shares no code with `jobs` or with the rest of `runner`, so that it can disagree with them: what it knows of the
service it knows from the documentation alone. Every question the documentation leaves open is a switch of `Profile`.
"""

from __future__ import annotations

__all__: list[str] = []
