"""Chunked bodies, whole and in parts, with trailing bytes; what is dropped and what is refused."""

import pytest

from l7lb_protocols.http.chunked import ChunkScanner
from l7lb_protocols.http.errors import HttpRefusal

END = b"0\r\n\r\n"


def passed(pieces: list[bytes], **options: object) -> tuple[bytes, int, ChunkScanner]:
    """Output over all pieces, bytes consumed, and the scanner."""
    scanner = ChunkScanner(**options)
    output = b""
    consumed = 0
    for piece in pieces:
        end = scanner.scan(piece)
        assert end == len(piece) or scanner.done
        output += scanner.output
        consumed += end
    return output, consumed, scanner


def ways(data: bytes) -> list[list[bytes]]:
    single = [data[k : k + 1] for k in range(len(data))]
    return [[data], single, *([data[:k], data[k:]] for k in range(1, len(data)))]


@pytest.mark.parametrize(
    ("data", "output", "body"),
    [
        (END, None, b""),
        (b"5\r\nhello\r\n" + END, None, b"hello"),
        (b"5\r\nhello\r\n1\r\n!\r\n" + END, None, b"hello!"),
        (b"00a\r\n0123456789\r\n000\r\n\r\n", None, b"0123456789"),
        (b"A\r\n\r\n\r\n0\r\n\r\n\x00\r\n" + END, None, b"\r\n\r\n0\r\n\r\n\x00"),
        (b"5;a=b\r\nhello\r\n0;x\r\n\r\n", b"5\r\nhello\r\n" + END, b"hello"),
        (b'5;a="\xc3;\t " \r\nhello\r\n' + END, b"5\r\nhello\r\n" + END, b"hello"),
        (b"5;\r\nhello\r\n" + END, b"5\r\nhello\r\n" + END, b"hello"),
        (b"0\r\nDigest: x\r\n\r\n", None, b""),
        (b"0\r\nA: 1\r\nHost: b\r\nB:2\r\n\r\n", b"0\r\nA: 1\r\nB:2\r\n\r\n", b""),
        (b"0\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n", END, b""),
        (b"0\r\nauthorization: x\r\nSET-COOKIE: a\r\nx_y: 1\r\nConnection: A\r\n\r\n", END, b""),
        (b"1;e\r\nx\r\n0;e\r\nTe: x\r\nA: \r\n\r\n", b"1\r\nx\r\n0\r\nA: \r\n\r\n", b"x"),
    ],
)
def test_body(data, output, body):
    for pieces in ways(data):
        for tail in (b"", b"GET / HTTP/1.1\r\n", b"\r\n", b"\x00"):
            parts = [*pieces[:-1], pieces[-1] + tail]
            result, consumed, scanner = passed(parts)
            assert scanner.done
            assert (result, consumed) == (output or data, len(data))
            result, consumed, scanner = passed(parts, decode=True)
            assert scanner.done
            assert (result, consumed) == (body, len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"g\r\n",
        b";a\r\n",
        b" 5\r\nhello\r\n",
        b"5 \r\nhello\r\n",
        b"5\t\r\nhello\r\n",
        b"5 ;a\r\nhello\r\n",
        b"0x5\r\nhello\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"5_0\r\n",
        b"\xb2\r\n",
        b"\xd9\xa5\r\n",
        b"5\nhello\n",
        b"5\rhello\r\n",
        b"5\r\r\nhello",
        b"5\n\rhello",
        b"5;a\nb\r\nhello\r\n",
        b"5;a\rb\r\nhello\r\n",
        b"5;a\x00\r\nhello\r\n",
        b"5;a\x0b\r\nhello\r\n",
        b"5\r\nhello" + END,
        b"5\r\nhello\n" + END,
        b"5\r\nhello\r" + END,
        b"5\r\nhello!\r\n" + END,
        b"5\r\nhello\r\n\r\n" + END,
        b"10000000000000000\r\n",
        b"00000000000000005\r\n",
        b"ffffffffffffffff\r\n",
        b"1000000000000000\r\n",
        b"0\n\n",
        b"0\r\n\n",
        b"0\r\n\rX",
        b"0\r\nA\r\n",
        b"0\r\nA : b\r\n",
        b"0\r\n: b\r\n",
        b"0\r\n folded\r\n",
        b"0\r\nA: b\r\n c\r\n",
        b"0\r\nA: b\nB: c\r\n",
        b"0\r\nA: b\rc\r\n",
        b"0\r\nA: \x00\r\n",
        b"0\r\nA\xe9: b\r\n",
        b"0\r\nHost : b\r\n",
    ],
)
def test_refused(data):
    for pieces in ways(data):
        for decode in (False, True):
            with pytest.raises(HttpRefusal) as refusal:
                passed(pieces, decode=decode)
            assert refusal.value.status == 400
            assert refusal.value.clause


def test_the_very_same_bytes_when_nothing_is_dropped():
    data = b"5\r\nhello\r\n0\r\n\r\n"
    scanner = ChunkScanner()
    assert scanner.scan(data) == len(data)
    assert scanner.output is data
    scanner.reset()
    scanner.scan(data[:7])
    assert scanner.output == data[:7]
    assert not scanner.done


def test_scan_from_an_offset():
    scanner = ChunkScanner()
    assert scanner.scan(b"xyz1;a\r\n", 3) == 8
    assert scanner.output == b"1\r\n"
    assert scanner.scan(b"xyz!\r\n0\r\n\r\nGET", 3) == 11
    assert scanner.output == b"!\r\n0\r\n\r\n"
    assert scanner.scan(b"GET") == 0
    assert scanner.output == b""
    assert scanner.done


def test_no_bytes():
    scanner = ChunkScanner()
    assert scanner.scan(b"") == 0
    assert (scanner.output, scanner.done, scanner.left) == (b"", False, 0)


def test_largest_size():
    scanner = ChunkScanner()
    scanner.scan(b"5\r\nhello\r\n0FFFFFFFFFFFFFFF\r\n")
    assert scanner.left == 2**60 - 1
    assert scanner.size == 2**60 + 4


def test_size_is_that_of_the_data():
    scanner = ChunkScanner()
    scanner.scan(b"5;a=b\r\nhello\r\n10\r\n")
    assert scanner.size == 21
    scanner.reset()
    assert scanner.size == 0


@pytest.mark.parametrize("decode", [False, True])
def test_data_that_is_relayed_unseen(decode):
    scanner = ChunkScanner(decode=decode)
    scanner.scan(b"a\r\n123")
    assert scanner.left == 7
    assert scanner.output == (b"123" if decode else b"a\r\n123")
    scanner.skip(0)
    scanner.skip(6)
    assert scanner.left == 1
    scanner.skip(1)
    assert scanner.left == 0
    assert scanner.scan(b"\r\n0\r\n\r\nGET") == 7
    assert scanner.output == (b"" if decode else b"\r\n0\r\n\r\n")
    assert scanner.done


def test_no_more_is_skipped_than_is_left():
    scanner = ChunkScanner()
    scanner.scan(b"a\r\n123")
    for count in (8, -1):
        with pytest.raises(ValueError, match="more bytes"):
            scanner.skip(count)
    assert scanner.left == 7


def test_reset():
    scanner = ChunkScanner()
    with pytest.raises(HttpRefusal):
        scanner.scan(b"5;x\r\nhell\n!")
    scanner.reset()
    assert scanner.scan(b"0\r\nA: 1") == 7
    scanner.reset()
    assert scanner.scan(END) == 5
    assert scanner.done
    assert scanner.output == END


@pytest.mark.parametrize("single", [True, False])
def test_limit_of_an_extension(single):
    for size, lawful in ((20, True), (21, False)):
        data = b"1;" + b"x" * (size - 1) + b"\r\n!\r\n" + END
        pieces = ways(data)[single]
        if lawful:
            assert passed(pieces, max_line=20)[0] == b"1\r\n!\r\n" + END
        else:
            with pytest.raises(HttpRefusal):
                passed(pieces, max_line=20)


def test_endless_extension():
    with pytest.raises(HttpRefusal):
        passed([b"1;", *([b"x"] * 5000)])


def test_extensions_may_not_outweigh_the_data():
    small = b"1;" + b"x" * 19 + b"\r\n!\r\n"
    passed([small * 4], max_line=20)
    with pytest.raises(HttpRefusal):
        passed([small * 5], max_line=20)
    large = b"14;" + b"x" * 19 + b"\r\n" + b"!" * 20 + b"\r\n"
    passed([large * 50], max_line=20)


@pytest.mark.parametrize("single", [True, False])
def test_limit_of_trailers(single):
    line = b"A: " + b"x" * 95 + b"\r\n"
    for count, lawful in ((5, True), (6, False)):
        data = b"0\r\n" + line * count + b"\r\n"
        pieces = ways(data)[single]
        if lawful:
            assert passed(pieces, max_trailers=500)[0] == data
        else:
            with pytest.raises(HttpRefusal):
                passed(pieces, max_trailers=500)
    with pytest.raises(HttpRefusal):
        passed([b"0\r\n", *([b"x"] * 501)], max_trailers=500)
