"""Byte streams to directory servers: name, TCP, StartTLS, TLS; all in the event loop.

Owns the sockets that libldap is given. TLS ends here, in front of libldap and by Python's own
`ssl`, because libldap's handshake blocks and cannot be told to stop. Between the two lies a socket
pair. Must not know: LDAP, other than the one StartTLS message.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from l7lb.directory.threads import Threads
from l7lb.model_directory import LdapTls
from l7lb_protocols.ldap import start_tls
from l7lb_protocols.ldap.urls import LdapUrl

BUFFER_BYTES = 65536
"""What may wait on either side of the TLS bridge before the other is paused."""
ADDRESSES_LIMIT = 8
_TCP_INFO_BYTES = 136
_RECEIVED = struct.Struct("=Q")
_RECEIVED_OFFSET = 128
"""tcpi_bytes_received in struct tcp_info, <linux/tcp.h>."""

Lookup = Callable[[str, int], list[tuple[int, tuple[str, int]]]]
SockAddress = tuple[str, int] | str


def system_lookup(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    """Family and address of each. Blocks. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(int(each[0]), (str(each[4][0]), port)) for each in found]


class _Legs:
    """All that are connected."""

    def __init__(self) -> None:
        self._open: set[_Leg] = set()
        self.gone = asyncio.Event()
        self.gone.set()

    def add(self, leg: _Leg) -> None:
        self._open.add(leg)
        self.gone.clear()

    def discard(self, leg: _Leg) -> None:
        self._open.discard(leg)
        if not self._open:
            self.gone.set()

    def abort(self) -> None:
        for leg in [*self._open]:
            leg.abort()


class _Leg(asyncio.Protocol):
    """One side of the bridge: what it receives, the other sends."""

    def __init__(self, legs: _Legs) -> None:
        self._legs = legs
        self.other: _Leg | None = None
        self.transport: asyncio.Transport | None = None
        self.received_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is of no such class
        self._legs.add(self)
        self.transport.set_write_buffer_limits(high=BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._legs.discard(self)
        other, self.other = self.other, None
        if other is not None and other.transport is not None:
            other.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


@dataclass(frozen=True, slots=True)
class Dialer:
    """Makes streams to one kind of servers."""

    tls: LdapTls
    context: ssl.SSLContext
    names: Threads
    """In which names are looked up."""
    timeout_s: float
    lookup: Lookup = system_lookup
    legs: _Legs = field(default_factory=_Legs)

    async def dial(self, url: LdapUrl) -> Wire:
        """Raises OSError (TLS failures are such), TimeoutError, DirectoryAway."""
        async with asyncio.timeout(self.timeout_s):
            sock = await self._connected(url)
            try:
                if url.scheme != "ldaps" and not (url.scheme == "ldap" and self.tls.start_tls):
                    return Wire(sock, None)
                if url.scheme == "ldap":
                    await _start_tls(sock)
                return await self._bridged(sock, self.tls.server_name or url.host)
            except BaseException:
                sock.close()
                raise

    async def _connected(self, url: LdapUrl) -> socket.socket:
        targets: list[tuple[int, SockAddress]]
        if url.scheme == "ldapi":
            targets = [(socket.AF_UNIX, url.host)]
        else:
            call = lambda: self.lookup(url.host, url.port)  # noqa: E731 - runs in a thread
            targets = [*(await self.names.run(call, self.timeout_s))[:ADDRESSES_LIMIT]]
        error: OSError = OSError(f"{url.host} has no address")
        for family, address in targets:
            try:
                # One address that swallows packets must leave time for the next.
                async with asyncio.timeout(self.timeout_s / len(targets)):
                    return await _connect(family, address)
            except OSError as failure:
                error = failure
        raise error

    async def _bridged(self, sock: socket.socket, server_name: str) -> Wire:
        loop = asyncio.get_running_loop()
        ours, libldaps = socket.socketpair()
        ours.setblocking(False)
        libldaps.setblocking(False)
        plain, secret = _Leg(self.legs), _Leg(self.legs)
        plain.other, secret.other = secret, plain
        try:
            await loop.create_unix_connection(lambda: plain, sock=ours)
            await loop.create_connection(
                lambda: secret,
                sock=sock,
                ssl=self.context,
                server_hostname=server_name,
                ssl_handshake_timeout=self.timeout_s,
            )
        except BaseException:
            plain.abort()
            ours.close()
            libldaps.close()
            raise
        return Wire(libldaps, secret)

    async def close(self) -> None:
        """Ends all that is still bridged, and waits until the event loop has let go of it."""
        self.legs.abort()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.timeout_s):
                await self.legs.gone.wait()


async def _connect(family: int, address: SockAddress) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


async def _start_tls(sock: socket.socket) -> None:
    """Whatever follows the answer in plain text was put there by somebody else: refused."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, start_tls.REQUEST)
    got, length = b"", None
    while length is None or len(got) < length:
        piece = await loop.sock_recv(sock, start_tls.ANSWER_LIMIT)
        if not piece:
            raise ConnectionResetError("closed before it answered StartTLS")
        got += piece
        try:
            length = start_tls.answer_length(got)
        except start_tls.BerError as error:
            raise ConnectionResetError(f"StartTLS: {error}") from None
    if len(got) > length:
        raise ConnectionResetError("bytes in plain text after the answer to StartTLS")
    try:
        code = start_tls.result_code(got)
    except start_tls.BerError as error:
        raise ConnectionResetError(f"StartTLS: {error}") from None
    if code:
        raise ConnectionRefusedError(f"StartTLS is refused with result {code}")


class Wire:
    """A connected, non-blocking socket for libldap, with what stands behind it."""

    def __init__(self, sock: socket.socket, secret: _Leg | None) -> None:
        self.sock = sock
        self._secret = secret

    @property
    def is_secret(self) -> bool:
        """Whether TLS protects it."""
        return self._secret is not None

    def received_bytes(self) -> int:
        """So far, from the server."""
        if self._secret is not None:
            return self._secret.received_bytes
        if self.sock.family == socket.AF_UNIX:
            return 0
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        return int(_RECEIVED.unpack_from(info, _RECEIVED_OFFSET)[0]) if len(info) >= 136 else 0

    def is_ended(self) -> bool:
        """Whether the other side has closed and nothing is left to read."""
        try:
            return self.sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def close(self) -> None:
        self.sock.close()
        if self._secret is not None:
            self._secret.abort()


def tls_context(tls: LdapTls) -> ssl.SSLContext:
    """Reads the files that `tls` names. Raises OSError."""
    context = ssl.create_default_context(cafile=tls.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate is not None:
        context.load_cert_chain(tls.certificate, tls.key)
    return context
