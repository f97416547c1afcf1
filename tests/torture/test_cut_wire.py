"""The proxy of the torture test passes, holds back, and passes late."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from support.cut_wire import Wire, Wires

WAIT_S = 20.0


def echo(listener: socket.socket) -> None:
    peer, _ = listener.accept()
    with peer:
        while data := peer.recv(100):
            peer.sendall(data)


def test_what_waits_arrives_late_and_whole() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Wires() as wires:
        thread = threading.Thread(target=echo, args=(listener,))
        thread.start()
        wire = Wire(wires, listener.getsockname()[1])
        with socket.create_connection(("127.0.0.1", wire.port), WAIT_S) as client:
            client.sendall(b"one")
            assert client.recv(100) == b"one"
            wire.cut()
            client.sendall(b"two")
            client.settimeout(0.2)
            try:
                early = client.recv(100)
            except TimeoutError:
                early = b""
            assert early == b""
            client.settimeout(WAIT_S)
            wire.mend()
            assert client.recv(100) == b"two"
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_nobody_there() -> None:
    with socket.socket() as sock, Wires() as wires:
        sock.bind(("127.0.0.1", 0))  # nobody listens on it
        wire = Wire(wires, sock.getsockname()[1])
        with socket.create_connection(("127.0.0.1", wire.port), WAIT_S) as client:
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""
