"""Both twins of the system calls keep to the same words."""

import os
import select
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

from l7lb.net import kernel
from support.twins import plain_twin

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=[kernel, plain_twin(kernel)], ids=["imported", "plain"])
def twin(request: pytest.FixtureRequest) -> ModuleType:
    module: ModuleType = request.param
    return module


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    yield one, other
    one.close()
    other.close()


def test_bytes_arrive_in_pieces_of_the_size_asked_for(twin: ModuleType, pair: Pair) -> None:
    one, other = pair
    assert twin.transmit(one.fileno(), b"abcdef") == 6
    assert twin.receive(other.fileno(), 4) == b"abcd"
    assert twin.receive(other.fileno(), 4) == b"ef"


def test_nothing_now_is_not_the_end(twin: ModuleType, pair: Pair) -> None:
    one, other = pair
    assert twin.receive(other.fileno(), 10) is None
    one.shutdown(socket.SHUT_WR)
    assert twin.receive(other.fileno(), 10) == b""


def test_a_full_kernel_takes_a_part_and_then_nothing(twin: ModuleType, pair: Pair) -> None:
    one, _ = pair
    data = bytes(1 << 20)
    assert 0 < twin.transmit(one.fileno(), data) < len(data)
    while twin.transmit(one.fileno(), data):
        pass
    assert twin.transmit(one.fileno(), data) == 0


def test_a_broken_connection_raises(twin: ModuleType, pair: Pair) -> None:
    one, other = pair
    other.close()
    with pytest.raises(BrokenPipeError):
        twin.transmit(one.fileno(), b"x")


def test_a_bad_descriptor_raises(twin: ModuleType) -> None:
    fd = os.open(os.devnull, os.O_RDONLY)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file"):
        twin.receive(fd, 1)


FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@pytest.mark.parametrize(("family", "host"), FAMILIES)
def test_a_client_comes_with_its_address(twin: ModuleType, family: int, host: str) -> None:
    with socket.create_server((host, 0), family=family) as listener:
        listener.setblocking(False)
        assert twin.accept(listener) is None
        with socket.create_connection(listener.getsockname()[:2]) as client:
            sock, peer = twin.accept(listener)
            with closing(sock):
                assert peer == (host, client.getsockname()[1])
                assert twin.receive(sock.fileno(), 10) is None
                assert twin.transmit(sock.fileno(), b"hello") == 5
                assert client.recv(5) == b"hello"


def test_a_mapped_address_is_shown_as_what_it_is(twin: ModuleType) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            sock, peer = twin.accept(listener)
            sock.close()
            assert peer == ("127.0.0.1", client.getsockname()[1])


def test_a_client_on_a_unix_socket(twin: ModuleType, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        listener.setblocking(False)
        client.connect(str(tmp_path / "s"))
        sock, peer = twin.accept(listener)
        sock.close()
        assert peer == ("127.0.0.1", 0)


def test_readiness_tells_of_each_descriptor(twin: ModuleType, pair: Pair) -> None:
    one, other = pair
    with select.epoll() as epoll:
        ready = twin.Readiness(epoll)
        epoll.register(one, select.EPOLLIN)
        epoll.register(other, select.EPOLLIN | select.EPOLLOUT)
        other.send(b"x")
        found = {ready.fd(n): ready.events(n) for n in range(ready.wait(256))}
        assert found == {one.fileno(): select.EPOLLIN, other.fileno(): select.EPOLLOUT}
        assert ready.wait(1) == 1
        epoll.unregister(other)
        one.recv(1)
        assert ready.wait(256) == 0


def test_readiness_of_a_closed_set_is_an_error(twin: ModuleType) -> None:
    epoll = select.epoll()
    ready = twin.Readiness(epoll)
    epoll.close()
    with pytest.raises((OSError, ValueError)):
        ready.wait(256)


def test_splice_tells_moved_nothing_now_and_the_end_apart(twin: ModuleType, pair: Pair) -> None:
    one, other = pair
    reader, writer = os.pipe2(os.O_NONBLOCK)
    try:
        assert twin.splice(other.fileno(), writer, 100) == -1
        one.send(b"abcdef")
        assert twin.splice(other.fileno(), writer, 4) == 4
        assert os.read(reader, 10) == b"abcd"
        assert twin.splice(other.fileno(), writer, 100) == 2
        one.shutdown(socket.SHUT_WR)
        assert twin.splice(other.fileno(), writer, 100) == 0
    finally:
        os.close(reader)
        os.close(writer)
    with pytest.raises(OSError, match="Bad file"):
        twin.splice(other.fileno(), writer, 100)
