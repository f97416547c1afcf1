"""Every form of the Transport field that the field study found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.transport import encode, parse, same_host
from support.rtsp_rules import check_transport
from support.rtsp_seeds import TRANSPORTS

PORTS = {
    b"RTP/AVP;unicast;client_port=4588-4589": (4588, 4589),
    b"RTP/AVP/UDP;unicast;client_port=4588": (4588, 4589),
    b"RTP/AVP;client_port=4588/4600": (4588, 4600),
    b"RTP/SAVP;Client_Port = 1-2": (1, 2),
    b"RAW/RAW/UDP;unicast;client_port=65535-1": (65535, 1),
    b"RTP/AVP;unicast": None,
}
BAD_PORTS = (b"0-1", b"65536", b"65535", b"1-0", b"a-b", b"", b"-1", b"1-2-3", b"1-70000")
BAD = (
    b"",
    b",",
    b"RTP",
    b"RTP/AVP/UDP/X",
    b"RTP/AVP;a b",
    b"RTP/AVP;=1",
    b"RTP/AVP;client_port=1-2;CLIENT_PORT=3-4",
    b'RTP/AVP;mode="PLAY',
    b"RTP/AVP;x=\x01",
    b"RTP/AVP," * 17,
    b"RTP/AVP;" + b";".join(b"a%d" % number for number in range(33)),
    b"RTP/AVP;a=" + b"b" * 5000,
)


@pytest.mark.parametrize("field", TRANSPORTS)
def test_written_as_read(field: bytes) -> None:
    assert encode(parse(field)) == field.rstrip(b"; ")


@pytest.mark.parametrize("field", PORTS)
def test_ports(field: bytes) -> None:
    assert parse(field)[0].ports(b"client_port") == PORTS[field]


@pytest.mark.parametrize("text", BAD_PORTS)
def test_bad_ports(text: bytes) -> None:
    [one] = parse(b"RTP/AVP;unicast;client_port=" + text)
    with pytest.raises(RtspRefusal) as caught:
        one.ports(b"client_port")
    assert caught.value.status == 400


@pytest.mark.parametrize("field", BAD)
def test_bad(field: bytes) -> None:
    with pytest.raises(RtspRefusal):
        parse(field)


def test_alternatives() -> None:
    first, second = parse(b'RTP/AVP/TCP;interleaved=0-1;mode="PLAY, x",RTP/AVP;client_port=6-7')
    assert (first.is_tcp, first.is_udp, first.channels()) == (True, False, (0, 1))
    assert first.get(b"mode") == b"PLAY, x"
    assert (second.is_tcp, second.is_udp, second.is_multicast) == (False, True, False)


KINDS = {
    b"RTP/AVP": "udp",
    b"RTP/AVP/UDP;unicast": "udp",
    b"MP2T/H2221/UDP;client_port=5": "udp",
    b"RTP/AVP/TCP": "tcp",
    b"RTP/AVP;interleaved=0-1": "tcp",
    b"rtp/avp/tcp": "tcp",
    b"RTP/AVP;multicast;port=5-6;ttl=3": "multicast",
    b"RTP/AVP/TCP;multicast": "tcp",
}


@pytest.mark.parametrize("field", KINDS)
def test_kinds(field: bytes) -> None:
    [one] = parse(field)
    found = {"tcp": one.is_tcp, "udp": one.is_udp, "multicast": one.is_multicast}
    assert [name for name, holds in found.items() if holds] == [KINDS[field]]


@pytest.mark.parametrize(
    ("text", "pair"), [(b"0-1", (0, 1)), (b"2", (2, 3)), (b"255", (255, 256)), (b"4-9", (4, 9))]
)
def test_channels(text: bytes, pair: tuple[int, int]) -> None:
    assert parse(b"RTP/AVP/TCP;interleaved=" + text)[0].channels() == pair


@pytest.mark.parametrize("text", [b"256", b"1-257", b"x", b"", b"1-"])
def test_bad_channels(text: bytes) -> None:
    with pytest.raises(RtspRefusal):
        parse(b"RTP/AVP/TCP;interleaved=" + text)[0].channels()


@pytest.mark.parametrize("text", [b"record", b'"RECORD"', b"receive"])
def test_record(text: bytes) -> None:
    assert parse(b"RTP/AVP;mode=" + text)[0].is_record
    assert not parse(b"RTP/AVP;mode=play")[0].is_record


ADDRESSES = {
    b"192.0.2.1": ("192.0.2.1", 0),
    b"192.0.2.1:5000": ("192.0.2.1", 5000),
    b"2001:db8::1": ("2001:db8::1", 0),
    b"[2001:db8::1]:5": ("2001:db8::1", 5),
    b'"h.example"': ("h.example", 0),
    b"": None,
}


@pytest.mark.parametrize("text", ADDRESSES)
def test_addresses(text: bytes) -> None:
    assert parse(b"RTP/AVP;destination=" + text)[0].address(b"destination") == ADDRESSES[text]


def test_absent_address() -> None:
    assert parse(b"RTP/AVP;unicast")[0].address(b"source") is None


def test_edits_keep_the_order() -> None:
    [one] = parse(b"RTP/AVP;unicast;Client_port=1-2;mode=play")
    edited = one.edited({b"client_port": b"3-4", b"mode": None, b"source": b"x"})
    assert edited.encode() == b"RTP/AVP;unicast;Client_port=3-4;source=x"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:DB8::1", "2001:db8:0::1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("h.example", "h.example", False),
    ],
)
def test_same_host(one: str, other: str, same: bool) -> None:
    assert same_host(one, other) is same


@given(st.sampled_from(TRANSPORTS), st.integers(0, 90), st.binary(max_size=3))
def test_damaged(field: bytes, at: int, put: bytes) -> None:
    check_transport(field[:at] + put + field[at + len(put) :])


@given(st.binary(max_size=100))
def test_anything(field: bytes) -> None:
    check_transport(field)
