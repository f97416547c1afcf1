"""ClientHello: real ones from OpenSSL, cut and spread in every way, and every refusal."""

import ssl
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.client_hello import (
    DECODE_ERROR,
    ILLEGAL_PARAMETER,
    UNEXPECTED_MESSAGE,
    ClientHello,
    ClientHelloRefusal,
    alert,
    parse,
)

TLS12, TLS13 = 0x0303, 0x0304


def from_openssl(
    name: str | None = "www.Example.org",
    alpn: tuple[str, ...] = (),
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.maximum_version = newest
    if alpn:
        context.set_alpn_protocols(list(alpn))
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()


def message_of(data: bytes) -> bytes:
    return data[5:]


def records(message: bytes, *sizes: int) -> bytes:
    """The message cut into records of these sizes; the rest in one more."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(message[at : at + size])
        at += size
    pieces.append(message[at:])
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(p)) + p for p in pieces if p)


@pytest.mark.parametrize(
    ("data", "hello"),
    [
        (from_openssl(), ClientHello(b"www.example.org", (), (TLS13, TLS12))),
        (
            from_openssl(alpn=("h2", "http/1.1")),
            ClientHello(b"www.example.org", (b"h2", b"http/1.1"), (TLS13, TLS12)),
        ),
        (from_openssl(None), ClientHello(b"", (), (TLS13, TLS12))),
        (
            from_openssl(newest=ssl.TLSVersion.TLSv1_2),
            ClientHello(b"www.example.org", (), (TLS12,)),
        ),
    ],
)
def test_a_real_one_whole_byte_by_byte_and_with_bytes_after_it(
    data: bytes, hello: ClientHello
) -> None:
    for size in range(len(data)):
        assert parse(data[:size]) is None
    assert parse(data) == hello
    assert parse(data + b"\x17\x03\x03\x00\x05early") == hello
    assert parse(data + b"anything") == hello


@pytest.mark.parametrize("sizes", [(1,), (1, 1, 1, 1), (3,), (4,), (5, 100), (200,), (7,) * 20])
def test_spread_over_records(sizes: tuple[int, ...]) -> None:
    data = records(message_of(from_openssl()), *sizes)
    for size in range(len(data)):
        assert parse(data[:size]) is None
    assert parse(data) == ClientHello(b"www.example.org", (), (TLS13, TLS12))


# --------------------------------------------------------------------------- made by hand


def sized(width: int, data: bytes) -> bytes:
    return len(data).to_bytes(width, "big") + data


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!H", kind) + sized(2, data)


def sni(name: bytes) -> bytes:
    return extension(0, sized(2, b"\x00" + sized(2, name)))


def alpn(*names: bytes) -> bytes:
    return extension(16, sized(2, b"".join(sized(1, n) for n in names)))


def hello(
    extensions: bytes | None = b"",
    version: bytes = b"\x03\x03",
    session: bytes = b"",
    ciphers: bytes = b"\x13\x01",
    compression: bytes = b"\x00",
) -> bytes:
    body = version + bytes(32) + sized(1, session) + sized(2, ciphers) + sized(1, compression)
    body += b"" if extensions is None else sized(2, extensions)
    return records(b"\x01" + sized(3, body))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (hello(None), ClientHello(b"", (), (TLS12,))),
        (hello(), ClientHello(b"", (), (TLS12,))),
        (hello(sni(b"A-b.c_d")), ClientHello(b"a-b.c_d", (), (TLS12,))),
        (
            hello(
                extension(0x0A0A, b"")
                + extension(43, sized(1, b"\xfa\xfa\x03\x04\x03\x03"))
                + alpn(b"\x1a\x1a", b"h2")
                + extension(0xDADA, b"\x00"),
                ciphers=b"\x3a\x3a\x13\x01",
                session=bytes(32),
            ),
            ClientHello(b"", (b"h2",), (TLS13, TLS12)),
        ),
        (hello(version=b"\x03\x01"), ClientHello(b"", (), (0x0301,))),
        (hello(sni(b"a" * 254)), ClientHello(b"a" * 254, (), (TLS12,))),
    ],
)
def test_what_can_stand_in_one(data: bytes, found: ClientHello) -> None:
    assert parse(data) == found


def grow(data: bytes) -> None:
    """Parses every beginning of the data, shortest first."""
    for size in range(len(data) + 1):
        assert parse(data[:size]) is None


BAD = {
    "HTTP": (b"GET / HTTP/1.1\r\n", UNEXPECTED_MESSAGE),
    "SSLv2": (b"\x80\x2e\x01\x00\x02", UNEXPECTED_MESSAGE),
    "alert": (b"\x15\x03\x01", UNEXPECTED_MESSAGE),
    "record version": (b"\x16\x02", DECODE_ERROR),
    "empty record": (b"\x16\x03\x01\x00\x00", DECODE_ERROR),
    "record too large": (b"\x16\x03\x01\x40\x01", DECODE_ERROR),
    "ServerHello": (b"\x16\x03\x01\x00\x04\x02", UNEXPECTED_MESSAGE),
    "message too large": (b"\x16\x03\x01\x40\x00\x01\x00\x40\x01", DECODE_ERROR),
    "another record between": (
        records(b"\x01\x00\x00\x40") + b"\x14\x03\x01\x00\x01\x01",
        UNEXPECTED_MESSAGE,
    ),
    "many records": (records(message_of(hello(sni(b"a" * 99))), *[1] * 64), DECODE_ERROR),
    "bytes after it in its record": (records(message_of(hello()) + b"x"), DECODE_ERROR),
    "too short": (records(b"\x01" + sized(3, bytes(10))), DECODE_ERROR),
    "version 2": (hello(version=b"\x02\x00"), DECODE_ERROR),
    "session id": (hello(session=bytes(33)), DECODE_ERROR),
    "no ciphers": (hello(ciphers=b""), DECODE_ERROR),
    "odd ciphers": (hello(ciphers=b"abc"), DECODE_ERROR),
    "no compression": (hello(compression=b""), DECODE_ERROR),
    "after the extensions": (records(b"\x01" + sized(3, message_of(hello())[4:] + b"x")), 50),
    "extension cut": (hello(b"\x00\x00\x00"), DECODE_ERROR),
    "extension too long": (hello(b"\x00\x00\x00\x09x"), DECODE_ERROR),
    "extension twice": (hello(sni(b"a") + sni(b"a")), ILLEGAL_PARAMETER),
    "empty name list": (hello(extension(0, b"\x00\x00")), DECODE_ERROR),
    "empty name": (hello(sni(b"")), DECODE_ERROR),
    "two names": (hello(extension(0, sized(2, (b"\x00" + sized(2, b"a")) * 2))), 47),
    "other name type": (hello(extension(0, sized(2, b"\x01" + sized(2, b"a")))), 47),
    "after the name list": (hello(extension(0, sized(2, b"\x00" + sized(2, b"a")) + b"x")), 50),
    "final dot": (hello(sni(b"a.")), ILLEGAL_PARAMETER),
    "NUL in the name": (hello(sni(b"a\x00b")), ILLEGAL_PARAMETER),
    "line end in the name": (hello(sni(b"a\r\nb")), ILLEGAL_PARAMETER),
    "IPv6 as a name": (hello(sni(b"::1")), ILLEGAL_PARAMETER),
    "long name": (hello(sni(b"a" * 255)), ILLEGAL_PARAMETER),
    "empty protocol": (hello(alpn(b"")), DECODE_ERROR),
    "no protocols": (hello(extension(16, b"\x00\x00")), DECODE_ERROR),
    "no versions": (hello(extension(43, b"\x00")), DECODE_ERROR),
    "odd versions": (hello(extension(43, b"\x03\x03\x04\x03")), DECODE_ERROR),
}


@pytest.mark.parametrize(("data", "description"), BAD.values(), ids=BAD)
def test_refused_whole_and_in_pieces(data: bytes, description: int) -> None:
    with pytest.raises(ClientHelloRefusal) as whole:
        parse(data)
    assert whole.value.alert == description
    with pytest.raises(ClientHelloRefusal) as pieces:
        grow(data)
    assert pieces.value.alert == description


def test_limits_are_exact() -> None:
    data = hello(sni(b"a"))
    size = len(message_of(data))
    assert parse(data, max_bytes=size) is not None
    with pytest.raises(ClientHelloRefusal, match="limit"):
        parse(data, max_bytes=size - 1)
    cut = records(message_of(data), 1, 1)
    assert parse(cut, max_records=3) is not None
    with pytest.raises(ClientHelloRefusal, match="2 records"):
        parse(cut, max_records=2)


def test_an_alert_is_understood_by_openssl() -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(incoming, outgoing, server_hostname="a")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    incoming.write(alert(112))
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        client.do_handshake()


REAL = from_openssl(alpn=("h2",))


@given(
    st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(lambda tail: hello()[:9] + tail),
        st.binary(max_size=100).map(hello),
        st.binary(max_size=60).map(lambda data: hello(extension(0, data))),
        st.binary(max_size=60).map(lambda data: hello(extension(16, data) + extension(43, data))),
        st.tuples(st.integers(0, len(REAL) - 1), st.integers(0, 255)).map(
            lambda at: REAL[: at[0]] + bytes((at[1],)) + REAL[at[0] + 1 :]
        ),
    )
)
def test_garbage_is_refused_or_waits(data: bytes) -> None:
    try:
        found = parse(data)
    except ClientHelloRefusal:
        return
    assert found is None or found.server_name == found.server_name.lower()
