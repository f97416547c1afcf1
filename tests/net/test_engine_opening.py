"""A socket that somebody else opens for a connection to a server."""

from __future__ import annotations

import socket

from l7lb.net.opening import Opening


class Dialed:
    def __init__(self) -> None:
        self.socks: list[socket.socket | None] = []
        self.cancelled = 0

    def __call__(self, sock: socket.socket | None) -> Dialed:
        self.socks.append(sock)
        return self

    def cancel(self) -> None:
        self.cancelled += 1


def test_it_is_dialed_with() -> None:
    dialed = Dialed()
    opening = Opening(dialed)
    with socket.socket() as sock:
        opening.opened(sock)
        assert dialed.socks == [sock]
    opening.cancel()
    assert dialed.cancelled == 1


def test_any_will_do() -> None:
    dialed = Dialed()
    Opening(dialed).opened(None)
    assert dialed.socks == [None]


def test_too_late_it_is_closed() -> None:
    dialed = Dialed()
    opening = Opening(dialed)
    opening.cancel()
    sock = socket.socket()
    opening.opened(sock)
    assert sock.fileno() == -1
    opening.opened(None)
    assert dialed.socks == []
