"""The way to a server: connect, PROXY header if the pool wants one, TLS if it speaks TLS."""

from __future__ import annotations

import socket
from typing import NamedTuple

from l7lb.model import Endpoint, PoolSpec, ServerSpec
from l7lb.net.certificates import client_wrap
from l7lb.net.dial import Dialing
from l7lb.net.host import Dialer
from l7lb.net.poller import Poller
from l7lb.net.stream import ByteStream, Stream
from l7lb.net.tls import Negotiated, TlsStream, Wrap
from l7lb.pool.server import Server
from l7lb_protocols.proxy_protocol import build_binary, build_text


class Way(NamedTuple):
    """How to connect, where it is not as usual."""

    port: int = 0
    """Instead of the address's; 0: that one."""
    sock: socket.socket | None = None
    """To connect with; closed with the attempt."""


USUAL = Way()


class Upstream:
    """One attempt. Answers once by `dialer.dialed` unless cancelled; the dialer has a deadline."""

    def __init__(
        self, poller: Poller, spec: PoolSpec, server: Server, dialer: Dialer, way: Way = USUAL
    ) -> None:
        self._spec = spec
        self._server = server
        self._dialer = dialer
        self._stream: Stream | None = None
        self._dialing: Dialing | None = None
        if server.endpoint is None:
            if way.sock is not None:
                way.sock.close()
            error = OSError(f"the name {server.spec.address.host} has no address yet")
            poller.loop.call_soon(self._failed, error)
        else:
            endpoint = at_port(server.endpoint, way.port) if way.port else server.endpoint
            self._dialing = Dialing(poller, endpoint, dialer, self._connected, way.sock)

    def cancel(self) -> None:
        self._dialer = _NOBODY
        if self._dialing is not None:
            self._dialing.cancel()
        if self._stream is not None:
            self._stream.close()

    def _connected(self, stream: Stream | None, error: OSError | None) -> None:
        self._dialing = None
        if stream is None:
            self._failed(error)
            return
        if self._spec.send_proxy:
            stream.write(self._proxy_header())
        if self._spec.tls is None or self._spec.tls.starttls:
            self._dialer.dialed(stream, None)
            return
        try:
            wrap = server_wrap(self._spec, self._server.spec)
            self._stream = TlsStream(stream, self, wrap, on_ready=self._ready)
        except (OSError, ValueError) as problem:  # a certificate or a CA that cannot be used
            stream.close()
            self._failed(OSError(f"TLS: {problem}"))

    def _proxy_header(self) -> bytes:
        source = (self._dialer.source, self._dialer.source_port)
        _, address = self._server.endpoint or (socket.AF_UNSPEC, "")
        target = address[:2] if isinstance(address, tuple) else None
        build = build_text if self._spec.send_proxy == 1 else build_binary
        return build(source, target)

    def _ready(self, tls: TlsStream, negotiated: Negotiated) -> None:
        stream, self._stream = self._stream, None
        assert stream is not None
        stream.handler = self._dialer
        self._dialer.dialed(stream, None)

    def _failed(self, error: OSError | None) -> None:
        self._dialer.dialed(None, error)

    # StreamHandler while TLS is being settled

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        """Cannot come before the handshake has ended."""

    def stream_eof(self, stream: ByteStream) -> None:
        stream.close()
        self._failed(OSError("closed during the TLS handshake"))

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        self._stream = None
        self._failed(error)

    def stream_drained(self, stream: ByteStream) -> None:
        """Nothing to do before the handshake has ended."""


def server_wrap(pool: PoolSpec, server: ServerSpec) -> Wrap:
    """TLS towards this server. Raises OSError or ValueError: a file cannot be used."""
    assert pool.tls is not None
    return client_wrap(pool.tls, server.address.host)


def at_port(endpoint: Endpoint, port: int) -> Endpoint:
    """The same host; a unix socket has no ports."""
    family, address = endpoint
    if isinstance(address, str):
        return endpoint
    return family, (address[0], port, *address[2:])


class _Nobody:
    """Takes the answer of a cancelled attempt."""

    source = ""
    source_port = 0

    def dialed(self, stream: ByteStream | None, error: OSError | None) -> None:
        if stream is not None:
            stream.close()

    def stream_data(self, stream: ByteStream, data: bytes) -> None: ...
    def stream_eof(self, stream: ByteStream) -> None: ...
    def stream_lost(self, stream: ByteStream, error: OSError) -> None: ...
    def stream_drained(self, stream: ByteStream) -> None: ...


_NOBODY = _Nobody()
