"""What stands before the protocol on an accepted connection: PROXY header, then ClientHello.

Reads no more than it needs to know where the client is and which name it asks for. Knows neither
what is decided by it nor deadlines: the owner closes the stream when it takes too long.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import NamedTuple

from l7lb.net.stream import ByteStream, Stream
from l7lb_protocols import client_hello, proxy_protocol
from l7lb_protocols.client_hello import ClientHello, ClientHelloRefusal
from l7lb_protocols.proxy_protocol import ProxyHeader, ProxyRefusal

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Arrived(NamedTuple):
    """What the preface said."""

    rest: bytes
    """Read, but not part of a PROXY header; starts with the ClientHello if there is one."""
    header: ProxyHeader | None = None
    hello: ClientHello | None = None

    @property
    def source(self) -> str:
        """The client's address; empty: that of the connection counts."""
        return self.header.source[0] if self.header and self.header.source else ""

    @property
    def source_port(self) -> int:
        return self.header.source[1] if self.header and self.header.source else 0

    @property
    def sni(self) -> bytes:
        """The name that the client asked for, lower case; empty: none."""
        return self.hello.server_name if self.hello else b""


def networks(texts: Sequence[str]) -> tuple[Network, ...]:
    """From CIDR form, which the rules file has checked."""
    return tuple(ipaddress.ip_network(text) for text in texts)


def is_trusted(source: str, networks: Sequence[Network]) -> bool:
    """Whether `source` must send a PROXY header; a header of others is never believed."""
    if not networks:
        return False
    address = ipaddress.ip_address(source)
    return any(address in network for network in networks)


class Preface:
    """Set it as the stream's handler. Calls `done` or `failed` once, and never from within the
    constructor; with `failed` it leaves the stream to be closed by the owner."""

    def __init__(
        self,
        stream: Stream,
        source: str,
        proxy_from: Sequence[Network],
        wants_hello: bool,
        done: Callable[[Arrived], None],
        failed: Callable[[str], None],
    ) -> None:
        self._wants_header = is_trusted(source, proxy_from)
        self._wants_hello = wants_hello
        self._done = done
        self._failed = failed
        self._data = b""
        self._header: ProxyHeader | None = None
        self._is_over = False
        if not self._wants_header and not wants_hello:
            stream.poller.loop.call_soon(self._nothing_wanted, stream)

    def _nothing_wanted(self, stream: Stream) -> None:
        if not stream.closed:
            self._finish(None)

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        if self._is_over:
            return
        self._data += data
        try:
            self._advance()
        except ProxyRefusal as refusal:
            self._refuse(f"PROXY header: {refusal}")
        except ClientHelloRefusal as refusal:
            stream.write(client_hello.alert(refusal.alert))
            self._refuse(f"ClientHello: {refusal.reason}")

    def _advance(self) -> None:
        if self._wants_header:
            found = proxy_protocol.parse(self._data)
            if found is None:
                return
            self._header, size = found
            self._data = self._data[size:]
            self._wants_header = False
        if not self._wants_hello:
            self._finish(None)
        elif self._data:
            hello = client_hello.parse(self._data)
            if hello is not None:
                self._finish(hello)

    def _finish(self, hello: ClientHello | None) -> None:
        if not self._is_over:
            self._is_over = True
            self._done(Arrived(self._data, self._header, hello))

    def _refuse(self, reason: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._failed(reason)

    def stream_eof(self, stream: ByteStream) -> None:
        missing = "PROXY header" if self._wants_header else "ClientHello"
        self._refuse(f"client left before its {missing} was whole")

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        self._refuse(str(error))

    def stream_drained(self, stream: ByteStream) -> None:
        """Nothing of ours waits."""
