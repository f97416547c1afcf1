"""Reads a TLS ClientHello without taking part in the handshake: SNI, ALPN and versions.

RFC 8446 §4.1.2 and §5.1 for the layout, RFC 6066 §3 for SNI, RFC 7301 §3.1 for ALPN. With
Encrypted ClientHello it sees the outer one. Must not know what is decided by it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_BYTES = 16384
"""Of the ClientHello message; real ones with post-quantum keys have about 2 KiB."""
MAX_RECORDS = 64
"""Pieces into which the message may be cut."""
MAX_RECORD_BYTES = 16384
"""RFC 8446 §5.1."""

UNEXPECTED_MESSAGE = 10
ILLEGAL_PARAMETER = 47
DECODE_ERROR = 50
UNRECOGNIZED_NAME = 112

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43
_NAME = re.compile(rb"[0-9A-Za-z_](?:[0-9A-Za-z_.-]{0,252}[0-9A-Za-z_])?")


class ClientHelloRefusal(Exception):
    """Not TLS, malformed, or over a limit. `alert` is the description to send (RFC 8446 §6.2)."""

    def __init__(self, reason: str, alert: int = DECODE_ERROR) -> None:
        super().__init__(reason)
        self.reason = reason
        self.alert = alert


@dataclass(frozen=True, slots=True)
class ClientHello:
    server_name: bytes
    """Lower case; b"" when the client named none."""
    alpn: tuple[bytes, ...]
    """In the client's order; empty when it offered none."""
    versions: tuple[int, ...]
    """0x0303 for TLS 1.2, 0x0304 for 1.3; in the client's order, without GREASE (RFC 8701)."""


def parse(
    data: bytes, max_bytes: int = MAX_BYTES, max_records: int = MAX_RECORDS
) -> ClientHello | None:
    """The ClientHello at the start of `data`; None when more bytes are needed.

    What comes after its last record is not looked at. Raises ClientHelloRefusal as early as the
    bytes show that no good one can come.
    """
    message = b""
    at = 0
    for _ in range(max_records):
        length = _record_bytes(data, at)
        if length is None:
            return None
        at += 5
        message += data[at : at + length]
        needed = _message_bytes(message, max_bytes)
        at += length
        if len(data) < at:
            return None
        if needed is not None and len(message) >= needed:
            if len(message) > needed:
                raise ClientHelloRefusal("bytes after the ClientHello in its record")
            return _client_hello(message[4:])
    raise ClientHelloRefusal(f"ClientHello in more than {max_records} records")


def alert(description: int) -> bytes:
    """A fatal alert in a record of its own, to be sent before the connection is closed."""
    return bytes((21, 3, 1, 0, 2, 2, description))


# --------------------------------------------------------------------------- records


def _record_bytes(data: bytes, at: int) -> int | None:
    """Size of the content of the handshake record at `at`; None when its header is not whole."""
    header = data[at : at + 5]
    if header[:1] and header[0] != _HANDSHAKE:
        raise ClientHelloRefusal("no TLS handshake record", UNEXPECTED_MESSAGE)
    if header[1:2] and header[1] != 3:
        raise ClientHelloRefusal("no TLS record version")
    if len(header) < 5:
        return None
    length = int.from_bytes(header[3:5], "big")
    if not 1 <= length <= MAX_RECORD_BYTES:
        raise ClientHelloRefusal(f"record of {length} bytes")
    return length


def _message_bytes(message: bytes, max_bytes: int) -> int | None:
    """Size of the ClientHello with its header; None when that is not there yet."""
    if message and message[0] != _CLIENT_HELLO:
        raise ClientHelloRefusal("handshake does not start with a ClientHello", UNEXPECTED_MESSAGE)
    if len(message) < 4:
        return None
    size = 4 + int.from_bytes(message[1:4], "big")
    if size > max_bytes:
        raise ClientHelloRefusal(f"ClientHello of {size} bytes, the limit is {max_bytes}")
    return size


# --------------------------------------------------------------------------- the message


class _Reader:
    """Takes lengths and vectors from bytes; whatever is cut short is refused."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left():
            raise ClientHelloRefusal("a field is cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int, least: int, most: int = 65535) -> bytes:
        length = self.number(width)
        if not least <= length <= most:
            raise ClientHelloRefusal(f"a vector of {length} bytes")
        return self.take(length)


def _client_hello(body: bytes) -> ClientHello:
    reader = _Reader(body)
    version = reader.number(2)
    if version >> 8 != 3:
        raise ClientHelloRefusal("no TLS version")
    reader.take(32)
    reader.vector(1, 0, 32)
    if len(reader.vector(2, 2)) % 2:
        raise ClientHelloRefusal("an odd list of cipher suites")
    reader.vector(1, 1, 255)
    extensions = _extensions(reader) if reader.left() else {}
    return ClientHello(
        _server_name(extensions.get(_SERVER_NAME)),
        _alpn(extensions.get(_ALPN)),
        _versions(extensions.get(_SUPPORTED_VERSIONS), version),
    )


def _extensions(reader: _Reader) -> dict[int, bytes]:
    block = _Reader(reader.vector(2, 0))
    if reader.left():
        raise ClientHelloRefusal("bytes after the extensions")
    found: dict[int, bytes] = {}
    while block.left():
        kind = block.number(2)
        if kind in found:
            raise ClientHelloRefusal(f"extension {kind} comes twice", ILLEGAL_PARAMETER)
        found[kind] = block.vector(2, 0)
    return found


def _whole_list(data: bytes, width: int, least: int) -> _Reader:
    reader = _Reader(data)
    inner = reader.vector(width, least)
    if reader.left():
        raise ClientHelloRefusal("bytes after a list")
    return _Reader(inner)


def _server_name(data: bytes | None) -> bytes:
    if data is None:
        return b""
    names = _whole_list(data, 2, 1)
    if names.number(1) != 0:
        raise ClientHelloRefusal("a name that is no host name", ILLEGAL_PARAMETER)
    name = names.vector(2, 1)
    if names.left():
        raise ClientHelloRefusal("more than one server name", ILLEGAL_PARAMETER)
    if not _NAME.fullmatch(name):
        raise ClientHelloRefusal("the server name is no DNS name", ILLEGAL_PARAMETER)
    return name.lower()


def _alpn(data: bytes | None) -> tuple[bytes, ...]:
    if data is None:
        return ()
    names = _whole_list(data, 2, 2)
    found = []
    while names.left():
        found.append(names.vector(1, 1))
    return tuple(name for name in found if not _is_grease(name))


def _versions(data: bytes | None, legacy: int) -> tuple[int, ...]:
    if data is None:
        return (legacy,)
    listed = _whole_list(data, 1, 2)
    if listed.left() % 2:
        raise ClientHelloRefusal("an odd list of versions")
    found = []
    while listed.left():
        found.append(listed.take(2))
    return tuple(int.from_bytes(pair, "big") for pair in found if not _is_grease(pair))


def _is_grease(value: bytes) -> bool:
    """0x0A0A, 0x1A1A, … 0xFAFA (RFC 8701 §2)."""
    return len(value) == 2 and value[0] == value[1] and value[0] & 0x0F == 0x0A
