"""UDP sockets on loopback for tests of the relay: bound, bounded in their waits."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

WAIT_S = 30.0
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def own_host(number: int) -> str:
    """A loopback address that no other test process uses, so that fixed ports are free there."""
    pid = os.getpid()
    return f"127.{64 + pid % 128}.{pid // 128 % 250 + 1}.{number}"


def udp(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """Bound; reads wait for WAIT_S at most."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind((host, port))
    sock.settimeout(WAIT_S)
    return sock


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


def read(sock: socket.socket, count: int = 1) -> list[bytes]:
    """So many datagrams. Raises TimeoutError."""
    return [sock.recv(65535) for _ in range(count)]


def is_silent(sock: socket.socket) -> bool:
    """Nothing has come by now."""
    sock.setblocking(False)
    try:
        sock.recv(1)
    except BlockingIOError:
        return True
    finally:
        sock.settimeout(WAIT_S)
    return False


def until(turn: Callable[[], object], holds: Callable[[], bool]) -> None:
    """Turn after turn until it holds. Raises TimeoutError."""
    end_s = time.monotonic() + WAIT_S
    while not holds():
        if time.monotonic() > end_s:
            raise TimeoutError
        turn()
