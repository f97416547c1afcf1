"""The client's address from hop to hop, and the end of a ring."""

import pytest

from l7lb_protocols.login.origin import MAX_HOPS, Origin, parse_origin

ORIGIN = Origin("2001:db8::1", 1234, "192.0.2.1", 143, b"abc", 7)


def test_there_and_back() -> None:
    assert parse_origin(ORIGIN.fields()) == ORIGIN
    assert parse_origin({}) == Origin()
    assert parse_origin({"address": b"2001:DB8::1"}).address == "2001:db8::1"


def test_a_ring_ends() -> None:
    origin, hops = Origin(), 0
    while not origin.is_loop:
        origin, hops = parse_origin(origin.next_hop().fields()), hops + 1
    assert hops == MAX_HOPS - 1


def test_hop_count_cannot_be_raised() -> None:
    assert parse_origin({"hops_left": b"9999"}).hops_left == MAX_HOPS
    assert parse_origin({"hops_left": b"0"}).is_loop


@pytest.mark.parametrize(
    "fields",
    [
        {"address": b"localhost"},
        {"address": b"fe80::1%eth0"},
        {"address": b"1.2.3.4\xff"},
        {"port": b"65536"},
        {"port": b"-1"},
        {"local_port": b"\xb2"},
        {"session": b"a b"},
        {"session": b"a" * 65},
        {"hops_left": b"1e3"},
        {"hops_left": b"99999999"},
    ],
)
def test_nonsense(fields: dict[str, bytes]) -> None:
    with pytest.raises(ValueError):
        parse_origin(fields)
