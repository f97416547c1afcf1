"""What a proxy tells the server about the client: X-Forwarded-*, Forwarded (RFC 7239), Via, and
the request's name.

Pure. Claims of clients that are not trusted proxies are dropped and replaced; those of trusted
ones are kept and added to.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from l7lb_protocols.http.scanner import (
    DROP_CLIENT_NAME,
    DROP_FORWARDED,
    DROP_REQUEST_ID,
    DROP_XFF,
    DROP_XFH,
    DROP_XFP,
    RequestScanner,
)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ALL = frozenset(
    {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "via", "x-request-id"}
)
PAIRS = [b"%02x" % number for number in range(256)]
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._~+/=:@-]{1,128}\Z")


class ClientInfo:
    """What the listener knows of a client before its first byte: its address as text, and the
    verified name of its certificate (empty: none)."""

    def __init__(
        self, source: str, tls: bool = False, sni: bytes = b"", tls_name: bytes = b""
    ) -> None:
        self.source = source
        self.tls = tls
        self.sni = sni
        self.tls_name = tls_name


class RequestIds:
    """Names for requests: unique as long as each worker's `prefix` is."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix + b"-"
        self._count = -1
        self._leading = b""

    def new(self) -> bytes:
        self._count += 1
        low = self._count & 255
        if low == 0:
            self._leading = self._prefix + b"%x" % (self._count >> 8)
        return self._leading + PAIRS[low]


@dataclass(slots=True)
class ForwardPolicy:
    """Which fields one service adds, and whom it believes."""

    fields: frozenset[str] = ALL
    trusted: tuple[Network, ...] = ()
    client_name: bytes = b"X-Client-Name"
    request_ids: RequestIds = field(default_factory=lambda: RequestIds(b""))

    def is_trusted(self, source: str) -> bool:
        if not self.trusted:
            return False
        try:
            address = ipaddress.ip_address(source)
        except ValueError:
            return False
        return any(address in network for network in self.trusted)


class Forwarding:
    """The policy applied to one client connection; what stays the same is made once."""

    def __init__(self, policy: ForwardPolicy, client: ClientInfo) -> None:
        self.policy = policy
        self.client = client
        self.request_id = b""
        self._ids = policy.request_ids
        self.trusted = policy.is_trusted(client.source)
        fields = policy.fields
        self._host = "x-forwarded-host" in fields
        self._id = "x-request-id" in fields
        self._forwarded = b""
        proto = b"https" if client.tls else b"http"
        address = client.source.encode()
        fixed = b""
        self.drop = DROP_CLIENT_NAME
        if "x-forwarded-for" in fields:
            fixed += b"X-Forwarded-For: " + address + b"\r\n"
            self.drop |= DROP_XFF
        if "x-forwarded-proto" in fields:
            fixed += b"X-Forwarded-Proto: " + proto + b"\r\n"
            self.drop |= DROP_XFP
        if self._host:
            self.drop |= DROP_XFH
        if self._id:
            self.drop |= DROP_REQUEST_ID
        if "via" in fields:
            fixed += b"Via: 1.1 l7lb\r\n"
        if client.tls_name:
            fixed += policy.client_name + b": " + client.tls_name + b"\r\n"
        if "forwarded" in fields:
            self.drop |= DROP_FORWARDED
            node = b'"[' + address + b']"' if b":" in address else address
            self._forwarded = b"Forwarded: for=" + node + b";proto=" + proto
        self._fixed = fixed

    def source(self, head: RequestScanner) -> str:
        """The client's own address: behind trusted proxies the last one they do not vouch for."""
        if not self.trusted:
            return self.client.source
        chain = (head.header(b"x-forwarded-for") or b"").decode("latin-1").split(",")
        for entry in reversed([part.strip() for part in chain if part.strip()]):
            if not _is_address(entry):
                break
            if not self.policy.is_trusted(entry):
                return entry
        return self.client.source

    def lines(self, head: RequestScanner) -> bytes:
        """Whole header lines to add to the forwarded head; sets `request_id`."""
        if self.trusted:
            return self._trusted_lines(head)
        parts = [self._fixed]
        if self._host and head.authority:
            parts += (b"X-Forwarded-Host: ", head.authority, b"\r\n")
        if self._forwarded:
            parts.append(self._forwarded)
            if head.authority:
                parts += (b';host="', head.authority, b'"')
            parts.append(b"\r\n")
        if self._id:
            self.request_id = self._ids.new()
            parts += (b"X-Request-ID: ", self.request_id, b"\r\n")
        return b"".join(parts)

    def _trusted_lines(self, head: RequestScanner) -> bytes:
        """Their claims stand; ours about the proxy itself are added behind them."""
        lines = dict(_split(line) for line in self._fixed.split(b"\r\n") if line)
        chain = head.header(b"x-forwarded-for")
        if chain and b"X-Forwarded-For" in lines:
            lines[b"X-Forwarded-For"] = chain + b", " + lines[b"X-Forwarded-For"]
        proto = head.header(b"x-forwarded-proto")
        if proto and b"X-Forwarded-Proto" in lines:
            lines[b"X-Forwarded-Proto"] = proto
        if self._host:
            lines[b"X-Forwarded-Host"] = head.header(b"x-forwarded-host") or head.authority
        if self._forwarded:
            ours = self._forwarded.partition(b": ")[2]
            theirs = head.header(b"forwarded")
            lines[b"Forwarded"] = theirs + b", " + ours if theirs else ours
        if self._id:
            given = head.header(b"x-request-id") or b""
            self.request_id = given if _REQUEST_ID.match(given) else self._ids.new()
            lines[b"X-Request-ID"] = self.request_id
        return b"".join(name + b": " + value + b"\r\n" for name, value in lines.items() if value)


def _split(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b": ")
    return name, value


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
