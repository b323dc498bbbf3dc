"""Results as bytes: painted for people, or one constant file per kind for load tests."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Literal

from runner.sim.exchange import MediaOrder
from runner.sim.tiny import tiny

try:
    from runner.sim import painting
except ImportError:  # Pillow or PyAV is not installed; `real` then says so
    painting = None  # type: ignore[assignment]

__all__ = ["Fidelity", "MediaMissingError", "Studio"]

Fidelity = Literal["real", "fast"]

_KEPT_BYTES = 64 * 1024 * 1024  # a few thousand clips; older ones are painted again when asked for


class MediaMissingError(RuntimeError):
    """Real media need Pillow and PyAV: install `rivya-batch[media]`, or use fidelity `fast`."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class Studio:
    """Renders orders and keeps what it made. Safe to call from several threads."""

    def __init__(self, fidelity: Fidelity) -> None:
        if fidelity == "real" and painting is None:
            raise MediaMissingError
        self._fidelity = fidelity
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def ready(self, order: MediaOrder) -> bytes | None:
        """The file when it costs nothing to give, else None."""
        if self._fidelity == "fast":
            return tiny(order)
        with self._lock:
            return self._kept.get((order.task_id, order.index))

    def render(self, order: MediaOrder) -> bytes:
        """The file, painted if need be: takes up to a tenth of a second, so call it beside the event loop."""
        data = self.ready(order)
        if data is None:
            data = painting.paint(order)
            self._keep((order.task_id, order.index), data)
        return data

    def _keep(self, name: tuple[str, int], data: bytes) -> None:
        with self._lock:
            if name not in self._kept:
                self._kept[name] = data
                self._kept_bytes += len(data)
            while self._kept_bytes > _KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._kept_bytes -= len(oldest)
