"""Greetings of mail servers: real ones, stopped ones, and whatever else may answer there."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from l7lb.health.probe import Target, run
from l7lb.health.prober import PROBES
from l7lb.model import GREETINGS, CheckKind, CheckSpec, ServerTls
from support.dovecot import Dovecot, standing_still
from support.postfix import Postfix
from support.probe_targets import Origins, probe_once, server_tls

GOOD = {
    CheckKind.IMAP: (b"* OK [CAPABILITY IMAP4rev1] hello\r\n", b"l7lb LOGOUT\r\n", b"* BYE bye"),
    CheckKind.POP3: (b"+OK hello\r\n", b"QUIT\r\n", b"+OK bye"),
    CheckKind.SMTP: (b"220-mx.example.org\r\n220 ESMTP\r\n", b"QUIT\r\n", b"221 2.0.0 bye"),
    CheckKind.LMTP: (b"220 mx.example.org LMTP\r\n", b"QUIT\r\n", b"221 bye"),
}


class Talker:
    """Greets, hears one line, answers."""

    def __init__(self, greeting: bytes, answer: bytes = b"", wait: bool = False) -> None:
        self.heard: list[bytes] = []
        self._greeting = greeting
        self._answer = answer
        self._wait = wait

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._greeting)
        try:
            self.heard.append(await reader.readline())
            writer.write(self._answer)
            if self._wait:
                await reader.read()
        except OSError:
            pass  # the prober went away
        finally:
            writer.close()


def check(kind: CheckKind, **more: object) -> CheckSpec:
    return CheckSpec(kind, timeout_s=30.0, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", sorted(GREETINGS))
async def test_a_server_with_manners(kind: CheckKind, origins: Origins) -> None:
    greeting, goodbye, farewell = GOOD[kind]
    talker = Talker(greeting, farewell + b"\r\n")
    result = await probe_once(await origins.start(talker), check(kind))
    assert result.ok, result
    assert talker.heard == [goodbye]
    assert result.detail == greeting.splitlines()[-1].decode()
    assert result.reply.startswith(greeting)


@pytest.mark.parametrize(
    ("kind", "greeting", "detail"),
    [
        (CheckKind.IMAP, b"* PREAUTH come in\r\n", "* PREAUTH come in"),
        (CheckKind.IMAP, b"* BYE too busy\r\n", "* BYE too busy"),
        (CheckKind.IMAP, b"* OKAY\r\n", "* OKAY"),
        (CheckKind.IMAP, b"+OK a server of POP3\r\n", "+OK a server of POP3"),
        (CheckKind.POP3, b"-ERR [SYS/TEMP] later\r\n", "-ERR [SYS/TEMP] later"),
        (CheckKind.SMTP, b"421 too busy\r\n", "421 too busy"),
        (CheckKind.SMTP, b"554-no\r\n554 mail here\r\n", "554 mail here"),
        (CheckKind.LMTP, b"\x1b[31m\xff\r\n", "?[31m\\xff"),
        (CheckKind.LMTP, b"\r\n", "nothing"),
        (CheckKind.LMTP, b"220 no end", "closed without an answer"),
        (CheckKind.LMTP, b"", "closed without an answer"),
        (CheckKind.SMTP, b"220-more\r\n" * 101, "the answer has too many lines"),
        (CheckKind.SMTP, b"220 " + b"x" * 9000 + b"\r\n", "the line is too long"),
    ],
)
async def test_a_greeting_that_is_none(
    kind: CheckKind, greeting: bytes, detail: str, origins: Origins
) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    result = await probe_once(await origins.start(handler), check(kind))
    assert (result.ok, result.detail) == (False, detail)


async def test_who_greets_and_then_falls_silent_is_not_well(origins: Origins) -> None:
    port = await origins.start(Talker(b"220 hello\r\n", b"", wait=True))
    result = await probe_once(port, replace(check(CheckKind.SMTP), timeout_s=0.2))
    assert (result.ok, result.detail) == (False, "answer not whole within 0.2 s")


async def test_an_odd_farewell(origins: Origins) -> None:
    port = await origins.start(Talker(b"220 hello\r\n", b"502 what?\r\n"))
    result = await probe_once(port, check(CheckKind.SMTP))
    assert (result.ok, result.detail) == (False, "said goodbye, it answers 502 what?")


async def test_a_closed_port(closed_port: int) -> None:
    result = await probe_once(closed_port, check(CheckKind.IMAP))
    assert (result.ok, result.detail) == (False, "connection refused")


async def test_tls_from_the_start(origins: Origins, authority: trustme.CA, ca_file: str) -> None:
    greeting, _, farewell = GOOD[CheckKind.IMAP]
    context = server_tls(authority, "imap.example.org")
    port = await origins.start(Talker(greeting, farewell + b"\r\n"), context)
    tls = ServerTls(ca=ca_file, server_name="imap.example.org")
    assert (await probe_once(port, check(CheckKind.IMAP), tls)).ok
    other = ServerTls(ca=ca_file, server_name="other.example.org")
    result = await probe_once(port, check(CheckKind.IMAP), other)
    assert "certificate not accepted" in result.detail


@pytest.mark.parametrize(("version", "begins"), [(1, b"PROXY TCP4 127.0.0.1 "), (2, b"\r\n\r\n\0")])
async def test_servers_that_wait_for_a_proxy_header(
    version: int, begins: bytes, origins: Origins
) -> None:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(65536)
        writer.write(b"+OK " + (b"heard" if head.startswith(begins) else b"lost") + b"\r\n")
        await reader.readline()
        writer.write(b"+OK\r\n")
        writer.close()

    result = await probe_once(
        await origins.start(handler), check(CheckKind.POP3, send_proxy=version)
    )
    assert (result.ok, result.detail) == (True, "+OK heard")


async def test_a_local_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "lmtp")
    greeting, _, farewell = GOOD[CheckKind.LMTP]
    server = await asyncio.start_unix_server(Talker(greeting, farewell + b"\r\n"), path)
    spec = check(CheckKind.LMTP)
    result = await run(Target((socket.AF_UNIX, path), "unix:" + path, spec), PROBES)
    server.close()
    assert result.ok


# --------------------------------------------------------------------------- servers of others


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    server = Dovecot({"alice@example.org": "x"})
    yield server.start()
    server.stop()


@pytest.mark.parametrize("kind", [CheckKind.IMAP, CheckKind.POP3, CheckKind.LMTP])
async def test_dovecot_alive_stopped_and_alive_again(kind: CheckKind, dovecot: Dovecot) -> None:
    """A stopped one passes the TCP probe: its kernel goes on accepting."""
    port = {"imap": dovecot.imap, "pop3": dovecot.pop3, "lmtp": dovecot.lmtp}[kind.value]
    result = await probe_once(port, check(kind))
    assert result.ok, result
    with standing_still(dovecot):
        result = await probe_once(port, replace(check(kind), timeout_s=0.5))
        assert (result.ok, result.detail) == (False, "no answer within 0.5 s")
        assert (await probe_once(port, check(CheckKind.TCP))).ok
    assert (await probe_once(port, check(kind))).ok


async def test_postfix() -> None:
    with Postfix() as back:
        result = await probe_once(back.port, check(CheckKind.SMTP))
        assert result.ok, result
        assert result.detail == "220 back.example.org ESMTP Postfix"
