"""Announcements over loopback: to a group and to single directors, lists on joining, strangers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from l7lb.media.hot import lists as lists_module
from l7lb.media.hot.chooser import Chooser
from l7lb.media.hot.errors import CannotStart
from l7lb.media.hot.holdings import Holdings
from l7lb.media.hot.lists import ListServer, NoList, fetch_list
from l7lb.media.hot.receiver import Receiver, Said
from l7lb.media.hot.sockets import Sender, listener
from l7lb.media.hot.telling import State, Teller
from l7lb.model_directory import SecretSpec
from l7lb.model_hot_files import AnnounceSpec, Socket
from l7lb_protocols.announce.datagram import build, parse
from l7lb_protocols.announce.digest import path_digest
from l7lb_protocols.announce.listing import LENGTH, Listing, build_list

SECRET = b"sixteen bytes or more"
LISTEN = Socket("127.0.0.1", 0)
FILE = path_digest(b"/film.mp4")
DEADLINE_S = 60.0


def announce(listen: Socket = LISTEN, to: tuple[Socket, ...] = ()) -> AnnounceSpec:
    return AnnounceSpec(to, SecretSpec(SECRET), listen=listen, interface="lo")


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.01)


class Director:
    def __init__(self, spec: AnnounceSpec) -> None:
        self.holdings = Holdings(fresh_s=3600.0)
        self.said: list[Said] = []
        self.receiver = Receiver(spec, self.holdings, on_said=self.said.append)
        self.port = self.receiver.open()
        self.chooser = Chooser(self.holdings)


@pytest.fixture
async def director() -> AsyncIterator[Director]:
    found = Director(announce())
    yield found
    await found.receiver.close()


@pytest.fixture
async def lists() -> AsyncIterator[tuple[Teller, ListServer]]:
    teller = Teller("m1", 1, SECRET)
    server = ListServer(teller.listing, SECRET)
    teller.list_port = await server.open(Socket("*", 0))
    yield teller, server
    await server.close()


async def test_a_director_joins_by_the_list_and_follows_the_datagrams(
    director: Director, lists: tuple[Teller, ListServer]
) -> None:
    teller, _ = lists
    sender = Sender([Socket("127.0.0.1", director.port)])
    assert director.chooser.choose("pool", b"/film.mp4", ["m1", "m2"]) is None
    assert director.chooser.explain(b"/film.mp4", ["m1"]) is None
    sender.send(teller.datagrams({FILE}, State(sessions=3)))
    await until(lambda: director.chooser.choose("pool", b"/film.mp4", ["m1", "m2"]) == "m1")
    choice = director.chooser.explain(b"/film.mp4", ["m1", "m2"])
    assert choice is not None
    assert choice.holders == ("m1",)
    assert director.chooser.choose("pool", b"/film.mp4", []) is None
    sender.send(teller.datagrams({FILE, 7}, State()))
    await until(lambda: director.holdings.nodes(0.0)[0].files == 2)
    assert {type(said).__name__ for said in director.said} == {"Announcement", "Listing"}
    sender.close()


async def test_one_that_listens_to_a_group(lists: tuple[Teller, ListServer]) -> None:
    teller, _ = lists
    port = free_port()
    groups = (Socket("239.255.76.77", port),)
    one, other = (Director(announce(Socket("*", port), groups)) for _ in range(2))
    sender = Sender(groups, "lo")
    try:
        sender.send(teller.datagrams({FILE}, State()))
        await until(lambda: one.holdings.is_heard(["m1"], 0.0))
        await until(lambda: other.holdings.is_heard(["m1"], 0.0))
    finally:
        sender.close()
        await one.receiver.close()
        await other.receiver.close()


async def test_ipv6(lists: tuple[Teller, ListServer]) -> None:
    """A group can be joined; a loopback of IPv6 has no route for groups, so one is sent to."""
    teller, _ = lists
    listener(Socket("*", free_port()), [Socket("ff02::7677", 1)], "lo").close()
    director = Director(announce(Socket("::1", 0)))
    sender = Sender([Socket("ff02::7677", 1), Socket("::1", director.port)], "lo")
    sender.send(teller.datagrams({FILE}, State()))
    await until(lambda: director.holdings.is_heard(["m1"], 0.0))
    sender.close()
    await director.receiver.close()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


async def test_what_is_forged_cut_or_nonsense_is_refused_and_counted(
    director: Director, lists: tuple[Teller, ListServer], caplog: pytest.LogCaptureFixture
) -> None:
    teller, _ = lists
    [good] = teller.datagrams({FILE}, State())
    forged = Teller("m1", 9, b"another secret of theirs", 1).datagrams({1}, State())
    sender = Sender([Socket("127.0.0.1", director.port)])
    bad = [b"", b"nonsense", good[:-1], good[:40], bytes(3000), *forged]
    sender.send(bad)
    await until(lambda: director.receiver.refused == len(bad))
    assert director.said == []
    assert director.holdings.nodes(0.0) == []
    assert "127.0.0.1" in director.receiver.last_refusal
    assert len(caplog.records) == 1, "a crowd of them makes one line"
    sender.send([good])
    await until(lambda: director.holdings.is_heard(["m1"], 0.0))
    sender.send([good])
    await until(lambda: director.receiver.old == 1)
    sender.close()


async def test_a_recording_makes_nobody_alive(director: Director) -> None:
    """The agent is gone; somebody plays its datagrams: no list, so nothing is believed."""
    recorded = Teller("m1", 1, SECRET, free_port()).datagrams({FILE}, State())
    sender = Sender([Socket("127.0.0.1", director.port)])
    sender.send(recorded)
    await until(lambda: director.said)
    await until(lambda: director.receiver._complained_s > 0)
    assert director.chooser.choose("pool", b"/film.mp4", ["m1"]) is None
    assert director.holdings.needs_list() == ["m1"]
    sender.close()


async def test_a_recorded_list_is_void(director: Director) -> None:
    """Even one that was given by the agent itself, to another director."""
    recorded = build_list(Listing("m1", 1, 1, (FILE,)), bytes(16), SECRET)

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(recorded)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(play, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(NoList, match="signature does not fit"):
        await fetch_list("127.0.0.1", port, SECRET)
    server.close()


async def test_lists_are_given_only_to_who_knows_the_secret(
    lists: tuple[Teller, ListServer],
) -> None:
    teller, server = lists
    teller.datagrams({FILE}, State())
    assert (await fetch_list("127.0.0.1", teller.list_port, SECRET)).files == (FILE,)
    with pytest.raises(NoList):
        await fetch_list("127.0.0.1", teller.list_port, b"another secret of theirs")
    for data in (b"", b"\xff\xff\xff\xff", LENGTH.pack(3) + b"abc", b"\0\0"):
        reader, writer = await asyncio.open_connection("127.0.0.1", teller.list_port)
        writer.write(data)
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    await until(lambda: server.refused == 5)


@pytest.mark.parametrize("answer", [b"", b"\xff\xff\xff\xff", LENGTH.pack(4) + b"oops"])
async def test_an_agent_that_speaks_nonsense(answer: bytes) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(10)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    with pytest.raises(NoList, match="127"):
        await fetch_list("127.0.0.1", server.sockets[0].getsockname()[1], SECRET)
    server.close()


async def test_an_agent_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists_module, "DEADLINE_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(NoList, match="no answer in time"):
            await fetch_list("127.0.0.1", silent.getsockname()[1], SECRET)


async def test_too_many_who_ask_are_let_go(
    lists: tuple[Teller, ListServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists_module, "CLIENTS_MOST", 0)
    with pytest.raises(NoList):
        await fetch_list("127.0.0.1", lists[0].list_port, SECRET)


async def test_an_agent_that_says_another_name_is_not_believed(
    director: Director, lists: tuple[Teller, ListServer]
) -> None:
    teller, _ = lists
    said = replace(parse(teller.datagrams({FILE}, State())[0], SECRET), node="m2")
    sender = Sender([Socket("127.0.0.1", director.port)])
    sender.send([build(said, SECRET)])
    await until(lambda: director.said)
    await until(lambda: not director.receiver._fetching or director.said[1:])
    assert not director.holdings.is_heard(["m1", "m2"], 0.0)
    sender.close()


def test_addresses_that_cannot_be_used() -> None:
    with pytest.raises(CannotStart, match="no-such-host"):
        Sender([Socket("no-such-host.invalid", 1)])
    with pytest.raises(CannotStart, match="no interface nope"):
        Sender([Socket("239.1.1.1", 1)], "nope")
    with pytest.raises(CannotStart, match="announcements at"):
        listener(Socket("192.0.2.1", 1), [])


def test_one_target_that_fails_keeps_nothing_from_the_others() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind(("127.0.0.1", 0))
        heard.settimeout(DEADLINE_S)
        sender = Sender([Socket("255.255.255.255", 9), Socket("127.0.0.1", heard.getsockname()[1])])
        sender.send([b"hello"])
        assert heard.recv(10) == b"hello"
        assert list(sender.failed) == ["255.255.255.255"]
        sender.close()


async def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(CannotStart, match="lists at"):
            await ListServer(lambda: Listing("m", 1, 1, ()), SECRET).open(
                Socket("127.0.0.1", taken.getsockname()[1])
            )
