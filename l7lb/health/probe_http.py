"""The HTTP probe: one request by h11, judged by status and, if asked for, by the body.

h11 is strict (RFC 9112), so a server that only lenient clients understand is not called good.
"""

from __future__ import annotations

import asyncio
import functools
import http
import ssl
from pathlib import Path

import h11

from l7lb.health.probe import ProbeFailed, Reply, Target, connect
from l7lb.model import CheckSpec, ServerTls

HEAD_LIMIT_BYTES = 65536
"""For one head."""
INTERIM_LIMIT = 32
"""Interim (1xx) answers before the real one."""
READ_BYTES = 65536


async def probe_http(target: Target, reply: Reply) -> str:
    """Ask once on a new connection. Raises OSError, h11.RemoteProtocolError, ProbeFailed."""
    sock = await connect(target.dial)
    tls = target.check.tls
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock,
            ssl=client_context(tls) if tls else None,
            server_hostname=(tls.server_name or target.host) if tls else None,
            limit=READ_BYTES,
        )
    except BaseException:
        sock.close()
        raise
    try:
        exchange = Exchange(reader, target.check, reply)
        writer.write(exchange.request(host_field(target)))
        return await exchange.judge()
    finally:
        writer.transport.abort()


def client_context(tls: ServerTls, alpn: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
    """A context by the specification, read again when a file changes. Raises OSError."""
    files = (tls.ca, tls.certificate, tls.key)
    return _context(tls, alpn, tuple(Path(name).stat().st_mtime_ns for name in files if name))


@functools.lru_cache(maxsize=64)
def _context(tls: ServerTls, alpn: tuple[str, ...], _changed_ns: tuple[int, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def host_field(target: Target) -> str:
    """The Host to send: the check's, else the server's, with the port unless it is the default."""
    if target.check.host is not None:
        return target.check.host
    sockaddr = target.dial[1]
    if isinstance(sockaddr, str):
        return "localhost"
    host = f"[{target.host}]" if ":" in target.host else target.host
    default = 443 if target.check.tls else 80
    return host if sockaddr[1] == default else f"{host}:{sockaddr[1]}"


class Exchange:
    """One request and its answer."""

    def __init__(self, reader: asyncio.StreamReader, check: CheckSpec, reply: Reply) -> None:
        self._reader = reader
        self._check = check
        self._reply = reply
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT_BYTES)

    def request(self, host: str) -> bytes:
        """The bytes to send."""
        fields = [
            ("Host", host),
            ("User-Agent", "l7lb"),
            ("Accept", "*/*"),
            ("Connection", "close"),
        ]
        head = h11.Request(method=self._check.method, target=self._check.path, headers=fields)
        return (self._h11.send(head) or b"") + (self._h11.send(h11.EndOfMessage()) or b"")

    async def judge(self) -> str:
        """Read the answer as far as it matters; the status in words, or ProbeFailed."""
        head = await self._head()
        status = status_words(head)
        if not any(low <= head.status_code <= high for low, high in self._check.statuses):
            raise ProbeFailed(status)
        pattern = self._check.body
        if pattern is not None and not pattern.search(await self._body()):
            raise ProbeFailed(f"{status}, but the body does not match {pattern.pattern!r}")
        return status

    async def _head(self) -> h11.Response:
        for _ in range(INTERIM_LIMIT):
            event = await self._event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise ProbeFailed("closed without an answer")
        raise ProbeFailed("too many interim answers")

    async def _body(self) -> bytes:
        """The body, or as much of it as the limit lets in."""
        body = b""
        while len(body) < self._check.body_limit_bytes:
            event = await self._event()
            if not isinstance(event, h11.Data):
                break
            body += event.data
        return body[: self._check.body_limit_bytes]

    async def _event(self) -> h11.Event:
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Event):
                return event
            data = await self._reader.read(READ_BYTES)
            self._reply.add(data)
            if not data and not self._reply.data:
                raise ProbeFailed("closed without an answer")
            self._h11.receive_data(data)


def status_words(head: h11.Response) -> str:
    """`503 Service Unavailable`: the server's own reason, else the registered one."""
    reason = head.reason.decode("latin-1").strip()
    if not reason:
        known = {status.value: status.phrase for status in http.HTTPStatus}
        reason = known.get(head.status_code, "")
    return f"{head.status_code} {reason}".strip()
