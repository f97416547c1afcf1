"""RTCP both ways: whole, cut anywhere, with trailing bytes, and every refusal."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.rtcp import (
    MAX_PACKETS,
    Goodbye,
    Other,
    ReceiverReport,
    ReportBlock,
    RtcpRefusal,
    SenderReport,
    Source,
    SourceDescription,
    build,
    parse,
)
from support.rtcp_seeds import COMPOUNDS, DATAGRAMS

BY_HAND = bytes.fromhex(
    "81c90007"
    "7a1b2c3d"
    "11223344"
    "00000000"
    "000012ab"
    "00000010"
    "8d5e9f00"
    "00018000"
    "81ca0006"
    "7a1b2c3d"
    "010f757365723132333440686f73742d30"
    "00"
    "0000"
)
"""A receiver report with a description, laid out by hand after the drawings of §6.4.2 and §6.5."""


def header(count: int, kind: int, words: int, version: int = 2, padding: bool = False) -> bytes:
    return struct.pack("!BBH", version << 6 | padding << 5 | count, kind, words)


@pytest.mark.parametrize("name", COMPOUNDS)
def test_what_is_built_is_read_as_the_same(name: str) -> None:
    assert parse(DATAGRAMS[name]) == list(COMPOUNDS[name])


@pytest.mark.parametrize("name", COMPOUNDS)
def test_cut_anywhere_it_is_refused_or_a_whole_number_of_packets(name: str) -> None:
    whole = parse(DATAGRAMS[name])
    for size in range(len(DATAGRAMS[name])):
        try:
            found = parse(DATAGRAMS[name][:size])
        except RtcpRefusal:
            continue
        assert found == whole[: len(found)]


@pytest.mark.parametrize("name", COMPOUNDS)
def test_trailing_bytes_are_refused(name: str) -> None:
    with pytest.raises(RtcpRefusal):
        parse(DATAGRAMS[name] + b"\x80")


def test_bytes_that_our_own_writer_did_not_make() -> None:
    report, description = parse(BY_HAND)
    assert report == ReceiverReport(
        0x7A1B2C3D, (ReportBlock(0x11223344, 0, 0, 0x12AB, 16, 0x8D5E9F00, 98304),)
    )
    assert description == SourceDescription((Source(0x7A1B2C3D, b"user1234@host-0"),))


def test_padding_of_the_last_packet_is_cut_off() -> None:
    padded = header(0, 204, 3, padding=True) + b"\0\0\0\1" + bytes(7) + b"\x08"
    assert parse(padded) == [Other(204, 0, b"\0\0\0\1")]


def test_items_that_nobody_asked_for_are_passed_over() -> None:
    items = b"\x02\x03Bob" + b"\x01\x02me" + b"\x06\x00" + b"\0"
    body = b"\0\0\0\7" + items + bytes(-len(items) % 4)
    assert parse(header(1, 202, len(body) // 4) + body) == [SourceDescription((Source(7, b"me"),))]


REFUSED = {
    "nothing": b"",
    "three octets": b"\x80\xc9\x00",
    "version 1": header(0, 201, 1, version=1) + bytes(4),
    "rtp": b"\x80\x60\x00\x01" + bytes(8),
    "longer than the datagram": header(0, 201, 2) + bytes(4),
    "report without a source": header(0, 201, 0),
    "sender report of three words": header(0, 200, 3) + bytes(12),
    "fewer blocks than said": header(2, 201, 7) + bytes(28),
    "more padding than packet": header(0, 204, 1, padding=True) + b"\0\0\0\x08",
    "no padding in the padding": header(0, 204, 1, padding=True) + bytes(4),
    "padding of half a word": header(0, 204, 1, padding=True) + b"\0\0\0\x02",
    "padding without a body": header(0, 204, 0, padding=True),
    "padding before the last": header(0, 204, 1, padding=True) + b"\0\0\0\x04" + header(0, 204, 0),
    "description without an end": header(1, 202, 2) + b"\0\0\0\1\x01\x02me",
    "item beyond the packet": header(1, 202, 2) + b"\0\0\0\1\x01\x09me",
    "item without a length": header(1, 202, 2) + b"\0\0\0\1\x06\x01a\x01",
    "chunk without a source": header(1, 202, 0),
    "fewer leavers than said": header(2, 203, 1) + bytes(4),
    "reason beyond the packet": header(1, 203, 2) + bytes(4) + b"\x04bye",
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(RtcpRefusal):
        parse(REFUSED[name])


def test_more_packets_than_the_limit() -> None:
    one = build([Goodbye(())])
    assert len(parse(one * MAX_PACKETS)) == MAX_PACKETS
    with pytest.raises(RtcpRefusal, match="more than"):
        parse(one * (MAX_PACKETS + 1))


def test_what_does_not_fit_is_not_built() -> None:
    block = ReportBlock(1, 0, 1 << 23, 0, 0)
    for packet in (
        ReceiverReport(1, (block,)),
        ReceiverReport(1 << 32),
        Goodbye(tuple(range(32))),
        Goodbye((1,), bytes(256)),
        Other(206, 0, b"abc"),
        SourceDescription((Source(1, bytes(256)),)),
        SenderReport(1, 1 << 64, 0, 0, 0),
    ):
        with pytest.raises(ValueError):
            build([packet])


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        found = parse(data)
    except RtcpRefusal:
        return
    assert parse(build(found)) == found
