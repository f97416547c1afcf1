"""The probes of mail servers: they greet as they should, and answer when they are told goodbye.

A process that is stopped still accepts connections, by its kernel; a greeting needs it alive.
Must not know accounts: it logs in nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from l7lb.health.probe import ProbeFailed, Reply, Target, connect
from l7lb.health.probe_http import client_context
from l7lb.model import CheckKind
from l7lb_protocols.proxy_protocol import build_binary, build_text

LINE_BYTES = 4096
LINES = 100
"""Of one answer."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How a protocol begins and ends: RFC 9051 §7.1, RFC 1939 §4, RFC 5321 §4.2."""

    greeting: bytes
    goodbye: bytes
    farewell: bytes
    """How the answer to `goodbye` begins."""


SMTP = Manners(b"220", b"QUIT\r\n", b"221")
MANNERS: Mapping[CheckKind, Manners] = {
    CheckKind.IMAP: Manners(b"* OK", b"l7lb LOGOUT\r\n", b"* BYE"),
    CheckKind.POP3: Manners(b"+OK", b"QUIT\r\n", b"+OK"),
    CheckKind.SMTP: SMTP,
    CheckKind.LMTP: SMTP,
}


async def probe_greeting(target: Target, reply: Reply) -> str:
    """Once, on a new connection. Raises OSError, ProbeFailed."""
    manners = MANNERS[target.check.kind]
    reader, writer = await _opened(target)
    try:
        greeting = await _answer(reader, reply)
        if not _begins(greeting, manners.greeting):
            raise ProbeFailed(_words(greeting))
        writer.write(manners.goodbye)
        farewell = await _answer(reader, reply)
        if not _begins(farewell, manners.farewell):
            raise ProbeFailed(f"said goodbye, it answers {_words(farewell)}")
        return _words(greeting)
    finally:
        writer.transport.abort()


async def _opened(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """With the PROXY header that the pool's servers wait for, then TLS from the start if asked."""
    check = target.check
    sock = await connect(target.dial)
    try:
        reader, writer = await asyncio.open_connection(sock=sock, limit=LINE_BYTES)
    except BaseException:
        sock.close()
        raise
    try:
        if check.send_proxy:
            build = build_text if check.send_proxy == 1 else build_binary
            writer.write(build(_endpoint(sock.getsockname()), _endpoint(sock.getpeername())))
        if check.tls is not None:
            name = check.tls.server_name or target.host
            await writer.start_tls(client_context(check.tls, ()), server_hostname=name)
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


def _endpoint(address: object) -> tuple[str, int] | None:
    return (str(address[0]), int(address[1])) if isinstance(address, tuple) else None


async def _answer(reader: asyncio.StreamReader, reply: Reply) -> bytes:
    """The last line of an answer: SMTP's may have several."""
    for _ in range(LINES):
        try:
            line = await reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise ProbeFailed("the line is too long") from None
        except asyncio.IncompleteReadError as error:
            reply.add(error.partial)
            raise ProbeFailed("closed without an answer") from None
        reply.add(line)
        if not (line[:3].isdigit() and line[3:4] == b"-"):
            return line
    raise ProbeFailed("the answer has too many lines")


def _begins(line: bytes, word: bytes) -> bool:
    """The word stands alone: `* OKAY` is no `* OK`."""
    rest = line[len(word) :]
    return line[: len(word)].upper() == word and rest[:1] in (b" ", b"\r", b"\n")


def _words(line: bytes) -> str:
    text = line.decode("ascii", "backslashreplace").strip()
    return "".join(c if c.isprintable() else "?" for c in text)[:120] or "nothing"
