"""Listening sockets: opened before anything else changes, kept when they stay."""

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from l7lb.director.listeners import (
    Listeners,
    address_text,
    open_listener,
    open_private_unix,
)
from l7lb.errors import ControlError
from l7lb.model import Address, ClusterSpec, ListenSpec, ServiceSpec
from support.running_director import free_port


def spec(*addresses: str | Address, service: str = "www", backlog: int = 16) -> ClusterSpec:
    listen = tuple(
        ListenSpec(each if isinstance(each, Address) else Address(each, 0), backlog=backlog)
        for each in addresses
    )
    return ClusterSpec({}, {service: ServiceSpec(service, "http", listen, ())})


def accepts(sock: socket.socket) -> bool:
    with socket.socket(sock.family) as client:
        client.settimeout(10)
        return client.connect_ex(sock.getsockname()) == 0


async def test_what_stays_keeps_its_socket_and_what_waits_in_it() -> None:
    listeners = Listeners()
    first = listeners.commit(await listeners.plan(spec("127.0.0.1", "127.0.0.2")))
    assert first.listen == [("www", 0), ("www", 1)]
    kept = listeners.socket(("www", 0))
    client = socket.create_connection(kept.getsockname(), timeout=10)
    change = listeners.commit(await listeners.plan(spec("127.0.0.1", "127.0.0.3")))
    assert listeners.socket(("www", 0)) is kept
    assert change.unlisten == [("www", 1)]
    assert change.listen == [("www", 1)]
    kept.accept()[0].close()
    client.close()
    listeners.close()


async def test_an_address_that_moves_keeps_its_socket() -> None:
    listeners = Listeners()
    listeners.commit(await listeners.plan(spec("127.0.0.1")))
    kept = listeners.socket(("www", 0))
    change = listeners.commit(await listeners.plan(spec("127.0.0.1", service="other")))
    assert change.unlisten == [("www", 0)]
    assert change.listen == [("other", 0)]
    assert listeners.socket(("other", 0)) is kept
    listeners.close()


async def test_one_failure_closes_all_that_was_opened_and_keeps_the_rest() -> None:
    listeners = Listeners()
    listeners.commit(await listeners.plan(spec("127.0.0.1")))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = free_port()
        wanted = spec("127.0.0.1", Address("127.0.0.1", port), Address(*taken.getsockname()))
        with pytest.raises(ControlError, match="cannot listen on") as caught:
            await listeners.plan(wanted)
    assert caught.value.status == 409
    with socket.create_server(("127.0.0.1", port)):
        assert accepts(listeners.socket(("www", 0)))
    listeners.close()


async def test_abort_closes_what_the_plan_opened() -> None:
    listeners = Listeners()
    port = free_port()
    plan = await listeners.plan(spec(Address("127.0.0.1", port)))
    listeners.abort(plan)
    with socket.create_server(("127.0.0.1", port)):
        assert listeners.spots() == []


async def test_patience_outlasts_a_predecessor() -> None:
    listeners = Listeners()
    taken = socket.create_server(("127.0.0.1", 0))
    waiting = asyncio.create_task(listeners.plan(spec(Address(*taken.getsockname())), 20.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    taken.close()
    listeners.commit(await waiting)
    listeners.close()


async def test_the_same_address_twice_is_refused() -> None:
    with pytest.raises(ControlError, match="twice"):
        await Listeners().plan(spec("127.0.0.1", "127.0.0.1"))


async def test_names_are_looked_up_and_unknown_ones_refused() -> None:
    listeners = Listeners()
    listeners.commit(await listeners.plan(spec("localhost")))
    assert accepts(listeners.socket(("www", 0)))
    with pytest.raises(ControlError, match=r"no-such-host\.invalid"):
        await listeners.plan(spec("no-such-host.invalid"))
    listeners.close()


async def test_backlog_follows_the_file() -> None:
    listeners = Listeners()
    listeners.commit(await listeners.plan(spec("127.0.0.1", backlog=1)))
    sock = listeners.socket(("www", 0))
    listeners.commit(await listeners.plan(spec("127.0.0.1", backlog=64)))
    clients = [socket.create_connection(sock.getsockname(), timeout=10) for _ in range(20)]
    assert len(clients) == 20
    for client in clients:
        client.close()
    listeners.close()


def test_a_star_is_both_families() -> None:
    sock = open_listener(Address("*", 0), 16)
    port = sock.getsockname()[1]
    for host in ("127.0.0.1", "::1"):
        socket.create_connection((host, port), timeout=10).close()
    sock.close()


def test_literal_families_are_apart() -> None:
    four = open_listener(Address("0.0.0.0", 0), 16)
    port = four.getsockname()[1]
    six = open_listener(Address("::", port), 16)
    assert address_text(four) == f"0.0.0.0:{port}"
    assert address_text(six) == f"[::]:{port}"
    four.close()
    six.close()


async def test_a_unix_listener_comes_and_goes_with_its_file(tmp_path: Path) -> None:
    listeners = Listeners()
    path = tmp_path / "in.sock"
    listeners.commit(await listeners.plan(spec(Address(f"unix:{path}", 0))))
    assert listeners.bound(("www", 0)) == f"unix:{path}"
    assert path.is_socket()
    with pytest.raises(ControlError, match="in use"):
        await Listeners().plan(spec(Address(f"unix:{path}", 0)))
    listeners.commit(await listeners.plan(spec()))
    assert not path.exists()


def test_a_dead_unix_socket_is_replaced_and_a_plain_file_is_not(tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(dead))
    open_private_unix(str(dead)).close()
    plain = tmp_path / "plain"
    plain.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        open_private_unix(str(plain))
    assert plain.read_text() == "precious"


def test_a_private_socket_is_private_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_private_unix(str(tmp_path / "x.sock")).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.sock").stat().st_mode) == 0o600
