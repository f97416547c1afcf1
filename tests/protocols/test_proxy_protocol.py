"""PROXY protocol both ways: whole, byte by byte, with trailing bytes, and every refusal."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.proxy_protocol import (
    MAX_BINARY_BYTES,
    SIGNATURE,
    ProxyHeader,
    ProxyRefusal,
    build_binary,
    build_text,
    crc32c,
    parse,
)

FROM_HAPROXY = bytes.fromhex(
    "0d0a0d0a000d0a515549540a211100487f0000017f000001caa8480b0300047e8ead0c010008687474702f312e31"
    "02000f7777772e6578616d706c652e6f72672000150700000000210007544c5376312e332200036a6f65"
)
"""Sent by HAProxy 2.6 with send-proxy-v2-ssl-cn, crc32c and authority, for a client with mTLS."""

V4 = (("192.0.2.1", 1234), ("192.0.2.2", 80))
V6 = (("2001:db8::1", 65535), ("2001:db8::2", 0))


def binary(command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(body)) + body


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


ADDRESSES = bytes((192, 0, 2, 1, 192, 0, 2, 2)) + struct.pack("!HH", 1234, 80)

GOOD = {
    "TCP4": (b"PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n", ProxyHeader(1, *V4)),
    "TCP6": (b"PROXY TCP6 2001:DB8::1 2001:db8::2 65535 0\r\n", ProxyHeader(1, *V6)),
    "TCP6 mapped": (
        b"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1234 80\r\n",
        ProxyHeader(1, *V4),
    ),
    "longest line": (
        b"PROXY UNKNOWN " + b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff " * 2 + b"65535 65535\r\n",
        ProxyHeader(1),
    ),
    "UNKNOWN": (b"PROXY UNKNOWN\r\n", ProxyHeader(1)),
    "v2 IPv4": (binary(0x21, 0x11, ADDRESSES), ProxyHeader(2, *V4)),
    "v2 IPv6": (
        binary(
            0x21,
            0x21,
            b"\x20\x01\x0d\xb8"
            + bytes(11)
            + b"\x01"
            + b"\x20\x01\x0d\xb8"
            + bytes(11)
            + b"\x02"
            + b"\xff\xff\x00\x00",
        ),
        ProxyHeader(2, *V6),
    ),
    "v2 unspecified": (binary(0x21, 0x00, b""), ProxyHeader(2)),
    "v2 LOCAL": (binary(0x20, 0x00, b""), ProxyHeader(2)),
    "v2 LOCAL with what is to be ignored": (binary(0x20, 0x31, b"x" * 99), ProxyHeader(2)),
    "v2 unknown TLVs": (
        binary(0x21, 0x11, ADDRESSES + tlv(0x04, b"") + tlv(0xEA, b"vpce") + tlv(0xEA, b"")),
        ProxyHeader(2, *V4),
    ),
    "v2 TLS not verified": (
        binary(0x21, 0x11, ADDRESSES + tlv(0x20, b"\x07\x00\x00\x00\x01" + tlv(0x22, b"joe"))),
        ProxyHeader(2, *V4, tls=True),
    ),
    "v2 largest": (
        binary(0x21, 0x11, ADDRESSES + tlv(0x04, bytes(MAX_BINARY_BYTES - 16 - 12 - 3))),
        ProxyHeader(2, *V4),
    ),
    "HAProxy": (
        FROM_HAPROXY,
        ProxyHeader(
            2,
            ("127.0.0.1", 51880),
            ("127.0.0.1", 18443),
            alpn=b"http/1.1",
            authority=b"www.example.org",
            tls=True,
            tls_name=b"joe",
        ),
    ),
}


@pytest.mark.parametrize(("data", "header"), GOOD.values(), ids=GOOD)
def test_whole_in_pieces_and_with_bytes_after_it(data: bytes, header: ProxyHeader) -> None:
    for size in range(len(data)):
        assert parse(data[:size]) is None
    assert parse(data) == (header, len(data))
    assert parse(data + b"GET / HTTP/1.1\r\n") == (header, len(data))


def grow(data: bytes) -> None:
    """Parses every beginning of the data, shortest first."""
    for size in range(len(data) + 1):
        assert parse(data[:size]) is None


BAD = {
    "not PROXY": b"GET / HTTP/1.1\r\n",
    "lower case": b"proxy TCP4",
    "PROXX": b"PROXX",
    "other signature": SIGNATURE[:-1] + b"X",
    "no CRLF in 107 bytes": b"PROXY UNKNOWN ".ljust(107, b"x"),
    "CRLF one byte late": b"PROXY UNKNOWN ".ljust(106, b"x") + b"\r\n",
    "bare LF": b"PROXY UNKNOWN\n",
    "no protocol": b"PROXY \r\n",
    "UDP": b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
    "few words": b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
    "many words": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
    "two spaces": b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n",
    "tab": b"PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n",
    "IPv6 as TCP4": b"PROXY TCP4 ::1 ::1 1 2\r\n",
    "IPv4 as TCP6": b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
    "zone": b"PROXY TCP6 fe80::1%lo ::1 1 2\r\n",
    "leading zero": b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
    "no address": b"PROXY TCP4 localhost 192.0.2.2 1 2\r\n",
    "not ASCII": b"PROXY TCP4 \xd9\xa1.0.2.1 192.0.2.2 1 2\r\n",
    "port too large": b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n",
    "port with zero": b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
    "signed port": b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
    "empty port": b"PROXY TCP4 192.0.2.1 192.0.2.2  2\r\n",
    "CR inside": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n",
    "v2 version 1": binary(0x11, 0x11, ADDRESSES),
    "v2 command 2": binary(0x22, 0x11, ADDRESSES),
    "v2 unix": binary(0x21, 0x31, bytes(216)),
    "v2 UDP": binary(0x21, 0x12, ADDRESSES),
    "v2 family 4": binary(0x21, 0x41, bytes(40)),
    "v2 short": binary(0x21, 0x11, ADDRESSES[:-1]),
    "v2 short IPv6": binary(0x21, 0x21, bytes(35)),
    "v2 too large": binary(0x20, 0x00, bytes(MAX_BINARY_BYTES - 15)),
    "v2 TLV head cut": binary(0x21, 0x11, ADDRESSES + b"\x04\x00"),
    "v2 TLV too long": binary(0x21, 0x11, ADDRESSES + b"\x04\x00\x02x"),
    "v2 two authorities": binary(0x21, 0x11, ADDRESSES + tlv(2, b"a") + tlv(2, b"b")),
    "v2 checksum size": binary(0x21, 0x11, ADDRESSES + tlv(3, bytes(3))),
    "v2 checksum wrong": FROM_HAPROXY[:-1] + b"f",
    "v2 TLS short": binary(0x21, 0x11, ADDRESSES + tlv(0x20, bytes(4))),
    "v2 TLS part cut": binary(0x21, 0x11, ADDRESSES + tlv(0x20, bytes(7))),
    "v2 TLS part too long": binary(0x21, 0x11, ADDRESSES + tlv(0x20, bytes(5) + b"\x22\x00\x01")),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_refused_whole_and_in_pieces(data: bytes) -> None:
    with pytest.raises(ProxyRefusal):
        parse(data)
    with pytest.raises(ProxyRefusal):
        grow(data)


def test_what_shows_early_is_refused_early() -> None:
    for early in (b"G", b"\r\n\r\nG", SIGNATURE + b"\x31", SIGNATURE + b"\x21\x31\x00\xd8"):
        with pytest.raises(ProxyRefusal):
            parse(early)
    with pytest.raises(ProxyRefusal, match="limit"):
        parse(SIGNATURE + b"\x21\x11\xff\xff")
    with pytest.raises(ProxyRefusal, match="536"):
        parse(binary(0x20, 0, bytes(521)), max_bytes=536)
    assert parse(binary(0x20, 0, bytes(520)), max_bytes=536) == (ProxyHeader(2), 536)


@pytest.mark.parametrize("ends", [V4, V6, (None, None), (V4[0], None)])
def test_what_is_built_is_read_back(ends: tuple[tuple[str, int] | None, ...]) -> None:
    source, destination = ends if all(ends) else (None, None)
    text = build_text(*ends)
    assert parse(text) == (ProxyHeader(1, source, destination), len(text))
    data = build_binary(*ends, checksum=True)
    assert parse(data) == (ProxyHeader(2, source, destination), len(data))


def test_build_names_and_mixed_families() -> None:
    data = build_binary(*V4, authority=b"www.example.org", alpn=b"h2", checksum=True)
    header = ProxyHeader(2, *V4, alpn=b"h2", authority=b"www.example.org")
    assert parse(data) == (header, len(data))
    mixed = build_text(V4[0], V6[1])
    assert mixed.startswith(b"PROXY TCP6 ::ffff:")
    assert parse(mixed) == (ProxyHeader(1, V4[0], V6[1]), len(mixed))
    assert build_text(("::ffff:192.0.2.1", 1), V4[1]).startswith(b"PROXY TCP4 192.0.2.1 ")
    assert build_text(("fe80::1%eth0", 1), V6[1]).startswith(b"PROXY TCP6 fe80::1 ")
    with pytest.raises(ValueError, match="localhost"):
        build_binary(("localhost", 1), V4[1])


def test_checksum_of_the_known_text() -> None:
    assert crc32c(b"123456789") == 0xE3069283


@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=120).map(lambda tail: b"PROXY TCP4 " + tail),
        st.binary(max_size=200).map(lambda tail: SIGNATURE + tail),
        st.builds(
            binary,
            st.sampled_from([0x20, 0x21]),
            st.sampled_from([0, 0x11, 0x21]),
            st.binary(max_size=100).map(lambda tail: ADDRESSES + tail),
        ),
    )
)
def test_garbage_is_refused_or_waits(data: bytes) -> None:
    try:
        found = parse(data)
    except ProxyRefusal:
        return
    assert found is None or 0 < found[1] <= len(data)
