"""A server connection whose socket somebody else opens, such as one with the client's address.

Stands between the wish to connect and the connect itself; can be cancelled like a dial.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from l7lb.net.host import Cancellable
    from l7lb.pool.pool import Pool
    from l7lb.pool.server import Server

Opened = Callable[["socket.socket | None"], None]


class Opener(Protocol):
    """Whoever has sockets of its own to connect with."""

    def open_socket(self, pool: Pool, server: Server, done: Opened) -> None:
        """`done` is called once, perhaps at once: with a socket that is neither connected nor
        blocking, or with None: any will do."""


class Opening:
    """One wish. `dial` is called with the socket unless it was cancelled."""

    def __init__(self, dial: Callable[[socket.socket | None], Cancellable]) -> None:
        self._dial = dial
        self._dialing: Cancellable | None = None
        self._cancelled = False

    def opened(self, sock: socket.socket | None) -> None:
        if not self._cancelled:
            self._dialing = self._dial(sock)
        elif sock is not None:
            sock.close()

    def cancel(self) -> None:
        self._cancelled = True
        if self._dialing is not None:
            self._dialing.cancel()
