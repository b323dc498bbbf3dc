"""The garbage collector looks at all that is alive, again and again: of no use while a run fills up with what stays.

Once it may look again, it would walk over all of that three times, generation by generation. So what was made meanwhile
counts as old at once: to be frozen and let go moves everything to the oldest generation, and walks over nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["unswept"]


@contextmanager
def unswept() -> Iterator[None]:
    """No collection while hundreds of thousands of things are made that are all kept."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():  # what somebody else has frozen stays so
                gc.freeze()
                gc.unfreeze()
            gc.enable()
