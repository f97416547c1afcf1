"""One connection: many requests, broken servers, limits. And the streams below it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.directory import connection as module
from l7lb.directory import dial
from l7lb.directory.connection import Connection, ConnectionLost
from l7lb.directory.dial import Dialer, Wire, system_lookup, tls_context
from l7lb.directory.libldap import (
    INVALID_CREDENTIALS,
    NO_SUCH_OBJECT,
    SUBTREE,
    Search,
    message_of,
    reason_of,
)
from l7lb.directory.threads import Threads
from l7lb.errors import DirectoryAway
from l7lb.model_directory import LdapTls
from l7lb_protocols.ldap import start_tls
from l7lb_protocols.ldap.urls import LdapUrl
from support.directories import DIRECTOR, PEOPLE, Proxy, Silent, turns
from support.slapd import Slapd

PATIENT_S = 30.0
ALICE = Search(PEOPLE, SUBTREE, "(mail=alice@example.org)", ("mail",), 2)
SEARCH_DONE = bytes.fromhex("300c02010165070a010004000400")
"""The end of a search that found nothing, message 1."""

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def dialer(tls: LdapTls | None = None, lookup: dial.Lookup = system_lookup) -> Dialer:
    tls = tls or LdapTls()
    return Dialer(tls, tls_context(tls), Threads("names", 2, 2), PATIENT_S, lookup)


@asynccontextmanager
async def connected(url: LdapUrl) -> AsyncIterator[Connection]:
    connection = Connection(await dialer().dial(url))
    try:
        yield connection
    finally:
        connection.close()


@asynccontextmanager
async def scripted(talk: Talk) -> AsyncIterator[LdapUrl]:
    """A server that does just this with each connection."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        await talk(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield LdapUrl("ldap", "127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.gather(*serving)


async def bind(connection: Connection) -> None:
    dn, password = DIRECTOR.dn, DIRECTOR.password.value
    await connection.request(lambda handle: handle.bind(dn, password), PATIENT_S)


async def test_requests_and_errors_find_who_waits_for_them(slapd: Slapd) -> None:
    async with connected(slapd.url) as connection:
        await bind(connection)
        nowhere = replace(ALICE, base="ou=nowhere,dc=example,dc=org")
        good = connection.request(lambda handle: handle.search(ALICE), PATIENT_S)
        bad = connection.request(lambda handle: handle.search(nowhere), PATIENT_S)
        found, error = await asyncio.gather(good, bad, return_exceptions=True)
        assert not isinstance(found, BaseException)
        assert [attributes["mail"] for _, attributes in found.entries] == [[b"alice@example.org"]]
        assert isinstance(error, NO_SUCH_OBJECT)
        assert connection.outstanding == 0
        assert connection.is_open


async def test_no_descriptor_is_left_behind(slapd: Slapd, trusting: LdapTls) -> None:
    counts = []
    for _ in range(3):
        for url in (slapd.url, slapd.tls_url, slapd.local_url):
            line = dialer(trusting)
            connection = Connection(await line.dial(url))
            await bind(connection)
            connection.close()
            await line.close()
        await turns(10)
        counts.append(len([*Path("/proc/self/fd").iterdir()]))
    assert counts[1] == counts[2]  # in the first round the loop opens some of its own


async def test_an_abandoned_request_disturbs_no_other(proxy: Proxy) -> None:
    async with connected(proxy.url) as connection:
        await bind(connection)
        proxy.hold_after(0)
        asked = asyncio.create_task(connection.request(lambda h: h.search(ALICE), PATIENT_S))
        await proxy.held.wait()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert connection.outstanding == 0
        proxy.release()
        answer = await connection.request(lambda h: h.search(ALICE), PATIENT_S)
        assert len(answer.entries) == 1


async def test_a_server_that_says_nothing_at_all_is_left() -> None:
    silent = Silent()
    async with connected(silent.url) as connection:
        with pytest.raises(DirectoryAway, match=r"no answer within 0.05 s"):
            await connection.request(lambda handle: handle.search(ALICE), 0.05)
        assert not connection.is_open
        with pytest.raises(ConnectionLost, match=r"silent for 0.05 s"):
            await connection.request(lambda handle: handle.search(ALICE), PATIENT_S)
    silent.close()


async def test_one_slow_request_does_not_end_the_connection(slapd: Slapd) -> None:
    """Another one is answered meanwhile, so the server is well."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        await gate.wait()
        writer.write(SEARCH_DONE.replace(b"\x01\x65", b"\x02\x65"))
        await reader.read()

    gate = asyncio.Event()
    async with scripted(talk) as url, connected(url) as connection:
        slow = asyncio.create_task(connection.request(lambda h: h.search(ALICE), 0.2))
        await turns(2)
        quick = asyncio.create_task(connection.request(lambda h: h.search(ALICE), PATIENT_S))
        await turns(2)
        assert connection.outstanding == 2
        gate.set()
        assert (await quick).entries == []
        with pytest.raises(DirectoryAway):
            await slow
        assert connection.is_open


@pytest.mark.parametrize(
    "garbage",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x30\x84\xff\xff\xff\xff", b"\x00" * 64, b""],
    ids=["http", "length", "zeros", "end"],
)
async def test_nonsense_ends_the_connection(garbage: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(garbage)

    async with scripted(talk) as url, connected(url) as connection:
        with pytest.raises(ConnectionLost):
            await connection.request(lambda handle: handle.search(ALICE), PATIENT_S)
        assert connection.closed.is_set()


ENTRY = bytes.fromhex("301a0201016415040464633d78300d300b04046d61696c3103040161")
"""An entry dc=x with mail: a, message 1."""


async def test_answers_that_come_in_one_piece_and_mixed() -> None:
    def of(message: int, part: bytes) -> bytes:
        return part.replace(b"\x02\x01\x01", bytes([2, 1, message]), 1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        parts = (of(1, ENTRY), of(2, ENTRY), of(9, ENTRY), of(2, SEARCH_DONE), of(1, ENTRY))
        writer.write(b"".join(parts) + of(9, SEARCH_DONE) + of(1, SEARCH_DONE))
        await reader.read()

    gate = asyncio.Event()
    async with scripted(talk) as url, connected(url) as connection:
        asked = [
            asyncio.create_task(connection.request(lambda h: h.search(ALICE), PATIENT_S))
            for _ in range(2)
        ]
        await turns(2)
        gate.set()
        found = [(await each).entries for each in asked]
        assert found == [[("dc=x", {"mail": [b"a"]})] * 2, [("dc=x", {"mail": [b"a"]})]]


async def test_an_answer_of_endless_entries_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ENTRIES_LIMIT", 100)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(ENTRY * 101)
        await reader.read()

    async with scripted(talk) as url, connected(url) as connection:
        with pytest.raises(ConnectionLost, match="an answer of more than 100 entries"):
            await connection.request(lambda handle: handle.search(ALICE), PATIENT_S)


async def test_an_end_while_nothing_is_asked_is_noticed() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pass

    async with scripted(talk) as url, connected(url) as connection:
        await connection.closed.wait()


async def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_LIMIT_BYTES", 100_000)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(
            b"\x30\x84\x10\x00\x00\x00\x02\x01\x01\x64\x84\x0f\xff\xff\xf0\x04\x84\x0f\xff\xff\x00"
        )
        try:
            while True:
                writer.write(b"x" * 10_000)
                await writer.drain()
        except ConnectionError:
            return

    async with scripted(talk) as url, connected(url) as connection:
        with pytest.raises(ConnectionLost, match="an answer of more than 100000 bytes"):
            await connection.request(lambda handle: handle.search(ALICE), PATIENT_S)


async def test_a_bad_filter_is_the_requests_fault(slapd: Slapd) -> None:
    async with connected(slapd.url) as connection:
        with pytest.raises(Exception, match="filter") as caught:
            await connection.request(
                lambda handle: handle.search(replace(ALICE, filter="((")), PATIENT_S
            )
        assert not isinstance(caught.value, DirectoryAway)
        assert connection.is_open


async def test_a_probe_is_answered_by_refusal_too(slapd: Slapd) -> None:
    async with connected(slapd.url) as connection:
        await connection.probe(PATIENT_S)
        assert connection.silent_s < PATIENT_S


def test_words_of_errors() -> None:
    error = INVALID_CREDENTIALS({"desc": "Invalid credentials", "info": "expired", "msgid": 3})
    assert reason_of(error) == "invalid credentials: expired"
    assert message_of(error) == 3
    assert reason_of(INVALID_CREDENTIALS()) == "INVALID_CREDENTIALS"
    assert message_of(INVALID_CREDENTIALS()) is None


# --------------------------------------------------------------------------- streams

STARTED = bytes.fromhex("300c02010178070a010004000400")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (STARTED + SEARCH_DONE, "in plain text after the answer"),
        (STARTED.replace(b"\x0a\x01\x00", b"\x0a\x01\x02"), "refused with result 2"),
        (b"HTTP/1.1 400", "not an LDAP message"),
        (SEARCH_DONE, "no element 0x78"),
        (STARTED[:5], "closed before it answered"),
        (b"", "closed before it answered"),
    ],
)
async def test_start_tls_by_a_server_that_cheats(answer: bytes, reason: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(len(start_tls.REQUEST)) == start_tls.REQUEST
        writer.write(answer)

    async with scripted(talk) as url:
        with pytest.raises(OSError, match=reason):
            await dialer(LdapTls(start_tls=True)).dial(url)


async def test_start_tls_answered_byte_by_byte(slapd: Slapd, trusting: LdapTls) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(start_tls.REQUEST))
        for byte in STARTED:
            writer.write(bytes([byte]))
            await writer.drain()
            await turns(20)

    async with scripted(talk) as url:
        with pytest.raises(OSError):
            await dialer(replace(trusting, start_tls=True)).dial(url)


async def test_the_next_address_is_tried(slapd: Slapd) -> None:
    [dead] = [LdapUrl("ldap", "127.0.0.2", port) for port in (slapd.port,)]
    targets = [(socket.AF_INET, (dead.host, 1)), (socket.AF_INET, ("127.0.0.1", slapd.port))]
    wire = await dialer(lookup=lambda host, port: list(targets)).dial(
        LdapUrl("ldap", "two.test", 389)
    )
    assert not wire.is_secret
    wire.close()


async def test_no_address_answers() -> None:
    targets = [(socket.AF_INET, ("127.0.0.1", 1))]
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await dialer(lookup=lambda host, port: list(targets)).dial(LdapUrl("ldap", "a.test", 389))
    with pytest.raises(OSError, match="has no address"):
        await dialer(lookup=lambda host, port: []).dial(LdapUrl("ldap", "a.test", 389))


async def test_a_name_server_that_hangs_has_a_deadline() -> None:
    gate = threading.Event()

    def hang(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
        gate.wait()
        return []

    line = replace(dialer(lookup=hang), timeout_s=0.05)
    with pytest.raises((DirectoryAway, TimeoutError)):
        await line.dial(LdapUrl("ldap", "slow.test", 389))
    assert line.names.abandoned == 1
    gate.set()
    while line.names.busy:
        await asyncio.sleep(0.001)


async def test_bytes_are_counted(slapd: Slapd, trusting: LdapTls) -> None:
    for url in (slapd.url, slapd.tls_url):
        line = dialer(trusting)
        wire = await line.dial(url)
        connection = Connection(wire)
        assert wire.is_secret is (url.scheme == "ldaps")
        before = wire.received_bytes()
        await bind(connection)
        assert wire.received_bytes() >= before + len(SEARCH_DONE)
        connection.close()
        connection.close()
        await line.close()


def test_an_end_is_seen() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    wire = Wire(ours, None)
    assert wire.received_bytes() == 0
    assert not wire.is_ended()
    theirs.send(b"x")
    theirs.close()
    assert not wire.is_ended()
    ours.recv(1)
    assert wire.is_ended()
    wire.close()
    assert wire.is_ended()


def test_tls_is_strict_unless_the_file_says_otherwise(certificates: Path) -> None:
    strict = tls_context(LdapTls(ca=str(certificates / "ca.pem")))
    assert strict.check_hostname
    pair = {"certificate": str(certificates / "slapd.pem"), "key": str(certificates / "slapd.key")}
    assert not tls_context(LdapTls(verify=False, **pair)).check_hostname
    with pytest.raises(OSError):
        tls_context(LdapTls(ca=str(certificates / "none.pem")))
