"""PROXY protocol, versions 1 (text) and 2 (binary): who really connects, said by a proxy before us.

After haproxy.org's proxy-protocol.txt (2020-03-05); section numbers below are its own. Owns the
bytes of the header both ways. Must not know who may be believed: the listener asks only peers that
it trusts, and then the header is a must.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

MAX_TEXT_BYTES = 107
"""§2.1: the longest line of version 1, with its CRLF."""
MAX_BINARY_BYTES = 4096
"""Version 2 with its TLVs. §2.2 promises 536 only; clouds add more, 64 KiB is nobody's need."""

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TEXT_START = b"PROXY "

Endpoint = tuple[str, int]
"""IP address as text, port."""

_IP = IPv4Address | IPv6Address
_LOCAL, _PROXY = 0x20, 0x21
_ADDRESS_BYTES = {0x00: 0, 0x11: 12, 0x21: 36}
"""Family and transport that we take: unspecified, TCP over IPv4, TCP over IPv6."""
_ALPN, _AUTHORITY, _CRC32C, _NOOP, _SSL = 0x01, 0x02, 0x03, 0x04, 0x20
_SSL_NAME = 0x22
_ONCE = frozenset({_ALPN, _AUTHORITY, _CRC32C, _SSL})


class ProxyRefusal(Exception):
    """Not a PROXY header, a malformed one, or one over a limit: close the connection."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """What the proxy said. `source` and `destination` are None when the real ones of the connection
    count: LOCAL (the proxy's own health check), UNKNOWN, or an unspecified family.
    """

    version: int
    source: Endpoint | None = None
    destination: Endpoint | None = None
    alpn: bytes = b""
    authority: bytes = b""
    """SNI as the proxy saw it; the client's own words, not checked."""
    tls: bool = False
    """The client spoke TLS to the proxy."""
    tls_name: bytes = b""
    """Common name of a client certificate that the proxy verified."""


# --------------------------------------------------------------------------- reading


def parse(data: bytes, max_bytes: int = MAX_BINARY_BYTES) -> tuple[ProxyHeader, int] | None:
    """The header at the start of `data` and its size; None when more bytes are needed.

    Never asks for more than `max_bytes` (version 1: 107). Raises ProxyRefusal, at the first byte
    that differs when there is no header at all.
    """
    if data.startswith(TEXT_START):
        return _parse_text(data)
    if data.startswith(SIGNATURE):
        return _parse_binary(data, max_bytes)
    if TEXT_START.startswith(data) or SIGNATURE.startswith(data):
        return None
    raise ProxyRefusal("no PROXY header")


def _parse_text(data: bytes) -> tuple[ProxyHeader, int] | None:
    line = data[:MAX_TEXT_BYTES]
    end = line.find(b"\n")
    if end < 0:
        if len(line) == MAX_TEXT_BYTES:
            raise ProxyRefusal("line over 107 bytes")
        return None
    if line[end - 1 : end] != b"\r":
        raise ProxyRefusal("line ends in a bare LF")
    words = line[: end - 1].split(b" ")
    if words[1] == b"UNKNOWN":
        return ProxyHeader(1), end + 1
    if len(words) != 6 or words[1] not in {b"TCP4", b"TCP6"}:
        raise ProxyRefusal("line is not PROXY TCP4|TCP6 SOURCE DESTINATION PORT PORT")
    version = 4 if words[1] == b"TCP4" else 6
    source = _text_endpoint(words[2], words[4], version)
    destination = _text_endpoint(words[3], words[5], version)
    return ProxyHeader(1, source, destination), end + 1


def _text_endpoint(host: bytes, port: bytes, version: int) -> Endpoint:
    try:
        address = ip_address(host.decode("ascii"))
    except ValueError:
        raise ProxyRefusal(f"{host!r} is no IP address") from None
    if address.version != version or b"%" in host:
        raise ProxyRefusal(f"{host!r} is no IPv{version} address")
    if not port.isdigit() or (port[:1] == b"0" and port != b"0") or len(port) > 5:
        raise ProxyRefusal(f"{port!r} is no port")
    number = int(port)
    if number > 65535:
        raise ProxyRefusal(f"{port!r} is no port")
    return _address_text(address), number


def _address_text(address: _IP) -> str:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _parse_binary(data: bytes, max_bytes: int) -> tuple[ProxyHeader, int] | None:
    if len(data) > 12 and data[12] not in {_LOCAL, _PROXY}:
        raise ProxyRefusal(f"version and command {data[12]:#04x} are unknown")
    if len(data) < 16:
        return None
    command, family, length = struct.unpack_from("!BBH", data, 12)
    size = 16 + length
    if size > max_bytes:
        raise ProxyRefusal(f"header of {size} bytes, the limit is {max_bytes}")
    if command == _PROXY:
        _check_family(family, length)
    if len(data) < size:
        return None
    header = data[:size]
    if command == _LOCAL:
        return ProxyHeader(2), size
    source, destination = _binary_endpoints(header, family)
    found = _read_tlvs(header, 16 + _ADDRESS_BYTES[family])
    return _with_tlvs(source, destination, found), size


def _check_family(family: int, length: int) -> None:
    needed = _ADDRESS_BYTES.get(family)
    if needed is None:
        raise ProxyRefusal(f"address family and transport {family:#04x} are not TCP over IP")
    if length < needed:
        raise ProxyRefusal("addresses are cut short")


def _binary_endpoints(header: bytes, family: int) -> tuple[Endpoint | None, Endpoint | None]:
    if family == 0x11:
        source, destination, *ports = struct.unpack_from("!4s4sHH", header, 16)
    elif family == 0x21:
        source, destination, *ports = struct.unpack_from("!16s16sHH", header, 16)
    else:
        return None, None
    return (
        (_address_text(ip_address(source)), ports[0]),
        (_address_text(ip_address(destination)), ports[1]),
    )


def _read_tlvs(header: bytes, start: int) -> dict[int, bytes]:
    """§2.2.1 to 2.2.7: type → value, those that we know; the checksum is verified."""
    found: dict[int, bytes] = {}
    at = start
    while at < len(header):
        if at + 3 > len(header):
            raise ProxyRefusal("a TLV is cut short")
        kind, length = struct.unpack_from("!BH", header, at)
        value_at, at = at + 3, at + 3 + length
        if at > len(header):
            raise ProxyRefusal("a TLV is longer than the header")
        if kind not in _ONCE:
            continue
        if kind in found:
            raise ProxyRefusal(f"TLV {kind:#04x} comes twice")
        found[kind] = header[value_at:at]
        if kind == _CRC32C:
            _check_sum(header, value_at, length)
    return found


def _check_sum(header: bytes, at: int, length: int) -> None:
    if length != 4:
        raise ProxyRefusal("the checksum has not four bytes")
    blank = header[:at] + bytes(4) + header[at + 4 :]
    if crc32c(blank) != int.from_bytes(header[at : at + 4], "big"):
        raise ProxyRefusal("the checksum is wrong")


def _with_tlvs(
    source: Endpoint | None, destination: Endpoint | None, found: dict[int, bytes]
) -> ProxyHeader:
    tls, name = _read_ssl(found[_SSL]) if _SSL in found else (False, b"")
    return ProxyHeader(
        2, source, destination, found.get(_ALPN, b""), found.get(_AUTHORITY, b""), tls, name
    )


def _read_ssl(value: bytes) -> tuple[bool, bytes]:
    """§2.2.6: whether the client spoke TLS, and the name in its certificate if verified."""
    if len(value) < 5:
        raise ProxyRefusal("the TLS information is cut short")
    client, verify = struct.unpack_from("!BI", value)
    name, at = b"", 5
    while at < len(value):
        if at + 3 > len(value):
            raise ProxyRefusal("the TLS information is cut short")
        kind, length = struct.unpack_from("!BH", value, at)
        if at + 3 + length > len(value):
            raise ProxyRefusal("the TLS information is cut short")
        if kind == _SSL_NAME:
            name = value[at + 3 : at + 3 + length]
        at += 3 + length
    verified = bool(client & 0x06) and verify == 0
    return bool(client & 0x01), name if verified else b""


# --------------------------------------------------------------------------- writing


def build_text(source: Endpoint | None, destination: Endpoint | None) -> bytes:
    """Version 1; UNKNOWN when an endpoint is None. Raises ValueError for what is no IP address."""
    if source is None or destination is None:
        return b"PROXY UNKNOWN\r\n"
    one, other = _same_family(source[0], destination[0])
    line = f"PROXY TCP{one.version} {one} {other} {source[1]} {destination[1]}\r\n"
    return line.encode("ascii")


def build_binary(
    source: Endpoint | None,
    destination: Endpoint | None,
    *,
    authority: bytes = b"",
    alpn: bytes = b"",
    checksum: bool = False,
) -> bytes:
    """Version 2; LOCAL when an endpoint is None. Raises ValueError for what is no IP address."""
    if source is None or destination is None:
        return SIGNATURE + struct.pack("!BBH", _LOCAL, 0, 0)
    one, other = _same_family(source[0], destination[0])
    addresses = one.packed + other.packed + struct.pack("!HH", source[1], destination[1])
    tlvs = b"".join(
        struct.pack("!BH", kind, len(value)) + value
        for kind, value in ((_ALPN, alpn), (_AUTHORITY, authority))
        if value
    )
    if checksum:
        tlvs += struct.pack("!BHI", _CRC32C, 4, 0)
    family = 0x11 if one.version == 4 else 0x21
    length = len(addresses) + len(tlvs)
    header = SIGNATURE + struct.pack("!BBH", _PROXY, family, length) + addresses + tlvs
    return header[:-4] + crc32c(header).to_bytes(4, "big") if checksum else header


def _same_family(source: str, destination: str) -> tuple[_IP, _IP]:
    """Both as IPv4 where that can be, else both as IPv6 (RFC 4291 §2.5.5.2)."""
    plain = [
        ip_address(_address_text(ip_address(t.partition("%")[0]))) for t in (source, destination)
    ]
    if plain[0].version != plain[1].version:
        plain = [IPv6Address(f"::ffff:{ip}") if ip.version == 4 else ip for ip in plain]
    return plain[0], plain[1]


# --------------------------------------------------------------------------- checksum


def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)  # noqa: PLW2901
        table.append(byte)
    return tuple(table)


_CRC_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli), RFC 4960 appendix B."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
