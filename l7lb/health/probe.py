"""One probe of one server: what it is given, what it finds, and the words for what went wrong.

Knows nothing of verdicts, intervals or pools. One deadline covers all steps of a probe.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import h11

from l7lb.model import CheckKind, CheckSpec, Endpoint

REPLY_BYTES = 512
"""How much of the last reply is kept for display."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where and how to probe. `host` is the server's name or address as written."""

    endpoint: Endpoint
    host: str
    check: CheckSpec

    @property
    def dial(self) -> Endpoint:
        """The endpoint with the check's own port, where it has one."""
        family, sockaddr = self.endpoint
        if self.check.port is None or isinstance(sockaddr, str):
            return self.endpoint
        if len(sockaddr) == 4:
            return family, (sockaddr[0], self.check.port, sockaddr[2], sockaddr[3])
        return family, (sockaddr[0], self.check.port)


@dataclass(frozen=True, slots=True)
class Result:
    """What one probe found."""

    ok: bool
    detail: str
    """One line for people: `200 OK`, `connection refused`, `no answer within 2 s`."""
    elapsed_s: float = 0.0
    reply: bytes = b""
    """The first bytes that the server sent, at most `REPLY_BYTES`."""


class ProbeFailed(Exception):
    """The server answered, but not as it should; the text is the detail."""


class Reply:
    """Keeps the first bytes of what a server sent, also when the probe does not end well."""

    def __init__(self) -> None:
        self.data = b""

    def add(self, data: bytes) -> None:
        self.data += data[: REPLY_BYTES - len(self.data)]


Probe = Callable[[Target, Reply], Awaitable[str]]
"""Returns the detail of a good probe; raises ProbeFailed, OSError or h11.RemoteProtocolError."""


async def run(target: Target, probes: Mapping[CheckKind, Probe]) -> Result:
    """Probe once by the kind of the check; whatever the server does becomes a Result."""
    limit_s = target.check.timeout_s
    start = time.monotonic()
    reply = Reply()
    ok = False
    try:
        async with asyncio.timeout(limit_s) as deadline:
            detail = await probes[target.check.kind](target, reply)
            ok = True
    except (OSError, ProbeFailed, h11.RemoteProtocolError) as error:
        if deadline.expired():
            detail = f"{'answer not whole' if reply.data else 'no answer'} within {limit_s:g} s"
        else:
            detail = words(error)
    return Result(ok, detail, time.monotonic() - start, reply.data)


def words(error: Exception) -> str:
    """What went wrong, in one line, without Python's names for it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or str(error)).replace('_', ' ').lower()}"
    if isinstance(error, ConnectionResetError):
        return "connection reset"
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__


async def connect(endpoint: Endpoint) -> socket.socket:
    """A connected non-blocking stream socket; the caller closes it. Raises OSError."""
    family, sockaddr = endpoint
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock
