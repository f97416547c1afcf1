"""Both twins of the system calls keep to the same words."""

import importlib.util
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from l7lb.net import kernel

Pair = tuple[socket.socket, socket.socket]


def plain_twin() -> ModuleType:
    """kernel.py itself, also where the compiled one comes first."""
    path = Path(kernel.__file__).parent / "kernel.py"
    spec = importlib.util.spec_from_file_location("plain_kernel", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=[kernel, plain_twin()], ids=["imported", "plain"])
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
