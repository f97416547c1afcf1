"""The RTSP probe: OPTIONS, or DESCRIBE of a path, judged by its status (RFC 2326 §10.1, §10.2)."""

from __future__ import annotations

import asyncio

from l7lb.health.probe import ProbeFailed, Reply, Target, connect
from l7lb.health.probe_http import client_context
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.message import Response, request
from l7lb_protocols.rtsp.reader import Limits, Reader

READ_BYTES = 65536
CSEQ = 1
LIMITS = Limits(body_bytes=1 << 20)


async def probe_rtsp(target: Target, reply: Reply) -> str:
    """Ask once on a new connection. Raises OSError, ProbeFailed."""
    sock = await connect(target.dial)
    tls = target.check.tls
    try:
        stream, writer = await asyncio.open_connection(
            sock=sock,
            ssl=client_context(tls) if tls else None,
            server_hostname=(tls.server_name or target.host) if tls else None,
        )
    except BaseException:
        sock.close()
        raise
    try:
        writer.write(question(target))
        return judged(await _answer(stream, reply), target)
    finally:
        writer.transport.abort()


def question(target: Target) -> bytes:
    path = target.check.path
    fields = [(b"User-Agent", b"l7lb")]
    if path == "*":
        return request(b"OPTIONS", b"*", CSEQ, fields)
    fields.append((b"Accept", b"application/sdp"))
    return request(b"DESCRIBE", _url(target, path).encode(), CSEQ, fields)


def _url(target: Target, path: str) -> str:
    scheme = "rtsps" if target.check.tls else "rtsp"
    sockaddr = target.dial[1]
    host = target.check.host
    if host is None:
        name = f"[{target.host}]" if ":" in target.host else target.host
        host = "localhost" if isinstance(sockaddr, str) else f"{name}:{sockaddr[1]}"
    return f"{scheme}://{host}{path}"


async def _answer(stream: asyncio.StreamReader, reply: Reply) -> Response:
    reader = Reader(LIMITS)
    try:
        while True:
            event = reader.next()
            if isinstance(event, Response) and event.status >= 200:
                return event
            if event is not None:
                continue
            data = await stream.read(READ_BYTES)
            if not data:
                raise ProbeFailed("closed without an answer")
            reply.add(data)
            reader.feed(data)
    except RtspRefusal as refusal:
        raise ProbeFailed(f"no RTSP: {refusal.reason}") from None


def judged(said: Response, target: Target) -> str:
    """Raises ProbeFailed."""
    line = said.head.partition(b"\r\n")[0].decode("latin-1")
    words = line.partition(" ")[2].strip()
    if any(low <= said.status <= high for low, high in target.check.statuses):
        return words
    raise ProbeFailed(words)
