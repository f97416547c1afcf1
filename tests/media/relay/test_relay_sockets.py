"""Sockets of the relay: pairs, whose they are, what the kernel had no room for."""

import os
import socket
from pathlib import Path

import pytest

from l7lb.media.relay.sockets import bound_pair, dropped
from support.datagrams import own_host, udp


def port_of_fd(fd: int) -> int:
    sock = socket.socket(fileno=fd)
    try:
        port: int = sock.getsockname()[1]
        return port
    finally:
        sock.detach()


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("host", [own_host(9), "::1"])
def test_a_pair_is_two_ports_in_a_row(host: str) -> None:
    found = bound_pair(host, 25000 + 2 * (os.getpid() % 1000))
    assert found is not None
    first, second = map(port_of_fd, found)
    assert (first % 2, second) == (0, first + 1)
    assert not any(map(os.get_blocking, found))
    for fd in found:
        os.close(fd)


@pytest.mark.parametrize("port", [25000, 25001])
def test_a_port_in_other_hands_is_no_pair_and_leaves_nothing_open(port: int) -> None:
    host = own_host(9)
    with udp(host, port):
        before = open_files()
        assert bound_pair(host, 25000) is None
        assert open_files() == before


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(OSError, match="Cannot assign"):
        bound_pair("192.0.2.1", 25000)


def test_what_the_kernel_has_no_room_for_is_counted() -> None:
    host = own_host(9)
    with udp(host) as deaf, udp(host) as sender:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert dropped(deaf.fileno()) == 0
        for _ in range(100):
            sender.sendto(bytes(1000), deaf.getsockname())
        assert 0 < dropped(deaf.fileno()) < 100
        assert deaf.recv(2000) == bytes(1000)
