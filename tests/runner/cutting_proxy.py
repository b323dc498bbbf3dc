"""What stands between a client and its database and may cut them off from each other: in a commit, or for good."""

from __future__ import annotations

import socket
import threading
from collections import deque
from contextlib import suppress
from typing import Literal, Self

__all__ = ["Cut", "CuttingProxy"]

# Whether the server never hears of the commit, or the client never hears that it was done.
Cut = Literal["before", "after"]

_COMMIT = b"COMMIT\0"


class CuttingProxy:
    """Passes everything on, but for the next commits: each of them goes as `cuts` says. For a `with`.

    With `cut_at` also the message of that number goes so, whatever it is and whoever sent it.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cuts: deque[Cut] = deque()
        self.cut_at: tuple[int, Cut] | None = None
        self.messages = 0
        self.made = 0  # cuts
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for pair in self._pairs:
            _close(*pair)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._pairs.append((client, server))
                deaf = threading.Event()
                threading.Thread(target=self._ask, args=(client, server, deaf), daemon=True).start()
                threading.Thread(target=_answer, args=(client, server, deaf), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                cut = self._cut_of(data)
                if cut == "before":
                    break
                if cut == "after":
                    deaf.set()
                server.sendall(data)
        if not deaf.is_set():
            _close(client, server)

    def _cut_of(self, data: bytes) -> Cut | None:
        self.messages += 1
        cut: Cut | None = None
        if self.cut_at is not None and self.cut_at[0] == self.messages:
            cut = self.cut_at[1]
        elif _COMMIT in data and self.cuts:
            cut = self.cuts.popleft()
        self.made += cut is not None
        return cut


def _answer(client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
    with suppress(OSError):
        while data := server.recv(65536):
            if deaf.is_set():
                break
            client.sendall(data)
    _close(client, server)


def _close(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
