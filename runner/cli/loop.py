"""The event loop of the command: uvloop where it installs, else the standard one."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import TypeVar

import stamina

try:
    from uvloop import new_event_loop
except ImportError:  # platforms without a wheel; nothing but speed is lost
    from asyncio import new_event_loop  # type: ignore[assignment]

__all__ = ["run_async"]

# What is tried again is told by the run itself where it matters; the library would log every try to stderr.
stamina.instrumentation.set_on_retry_hooks(())

Answer = TypeVar("Answer")

# New objects between two looks for garbage in circles. Python looks after 700, which costs a busy run a tenth of its
# time; there is next to none: some hundred objects in thousands of items.
NEW_OBJECTS = 10_000


def run_async(work: Coroutine[object, object, Answer]) -> Answer:
    """Run one coroutine to its end in a loop of its own."""
    gc.set_threshold(NEW_OBJECTS)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
