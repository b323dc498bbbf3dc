"""One run, several that hear of it."""

from __future__ import annotations

import inspect
from typing import Any

from runner.reporter import Reporter, Reporters


class Spy(Reporter):
    """Remembers every call, of methods that exist and of those that will."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, tuple[Any, ...]]] = []

    def __getattribute__(self, name: str) -> Any:
        if name in METHODS:
            return lambda *given: self.heard.append((name, given))
        return super().__getattribute__(name)


METHODS = {
    name: method for name, method in inspect.getmembers(Reporter, inspect.isfunction) if not name.startswith("_")
}


def test_everything_that_a_run_tells_reaches_everybody_in_order() -> None:
    spies = [Spy(), Spy()]
    both = Reporters(*spies)

    for name, method in METHODS.items():
        given = [object() for _ in list(inspect.signature(method).parameters)[1:]]
        getattr(both, name)(*given)
        for spy in spies:
            assert spy.heard[-1] == (name, tuple(given))
    assert len(METHODS) >= 8
