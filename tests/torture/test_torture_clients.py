"""Clients of the torture test keep nothing open, whatever is done to whom they talk to."""

from __future__ import annotations

import poplib
import socket
import threading

import pytest

from support.torture_clients import Pop3


def test_a_pop3_session_without_a_greeting_leaves_no_socket_open() -> None:
    opened: list[Pop3] = []

    class Watched(Pop3):
        def _create_socket(self, timeout: float) -> socket.socket:
            opened.append(self)
            return socket.create_connection((self.host, self.port), timeout)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept_and_die() -> None:
            server.accept()[0].close()

        dying = threading.Thread(target=accept_and_die)
        dying.start()
        with pytest.raises(poplib.error_proto):
            Watched("127.0.0.1", server.getsockname()[1], 30.0)
        dying.join()
    assert [each.sock for each in opened] == [None]
