"""What may be wanted of the kernel, and what is left out with which reason."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.kernel.spec import BadWant, PortRange, Want, address_of, placement

SERVER = {
    "name": "s1",
    "address": "10.0.2.1",
    "port": 554,
    "media_ports": [20000, 20999],
    "modes": ["direct", "nat"],
}
SERVICE = {"name": "video", "vips": ["10.0.1.10", "fd00::10"], "ports": [554], "servers": [SERVER]}


def want(*servers: dict[str, Any], **service: Any) -> Want:
    chosen = [SERVER | each for each in servers] or [SERVER]
    return Want.parse({"services": [SERVICE | {"servers": chosen} | service]})


def left_out(*servers: dict[str, Any], **service: Any) -> list[str]:
    return list(placement(want(*servers, **service)).left_out.values())


def test_json_there_and_back() -> None:
    wanted = want({}, {"name": "s2", "address": "10.0.2.2", "media_ports": [21000, 21000]})
    assert Want.parse(wanted.as_json()) == wanted
    assert len(placement(wanted).placed) == 2
    assert placement(wanted).placed[0].vip == address_of("10.0.1.10", "")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "not an object"),
        ({}, "services is not a list"),
        ({"services": [{}] * 257}, "more than 256"),
        ({"services": [3]}, "a service is not an object"),
        ({"services": [SERVICE, SERVICE]}, "one name"),
        ({"services": [SERVICE | {"name": ""}]}, "not a name"),
        ({"services": [SERVICE | {"vips": ["host"]}]}, "a VIP"),
        ({"services": [SERVICE | {"vips": ["224.0.0.1"]}]}, "not one host's"),
        ({"services": [SERVICE | {"vips": ["0.0.0.0"]}]}, "not one host's"),
        ({"services": [SERVICE | {"vips": ["fe80::1%eth0"]}]}, "not one host's"),
        ({"services": [SERVICE | {"vips": ["::ffff:10.0.0.1"]}]}, "not one host's"),
        ({"services": [SERVICE | {"vips": [167772161]}]}, "not an address"),
        ({"services": [SERVICE | {"ports": [0]}]}, "not a port"),
        ({"services": [SERVICE | {"ports": [True]}]}, "not a port"),
        ({"services": [SERVICE | {"ports": [65536]}]}, "not a port"),
        ({"services": [SERVICE | {"servers": [SERVER | {"media_ports": [2]}]}]}, "first and a"),
        ({"services": [SERVICE | {"servers": [SERVER | {"media_ports": [9, 2]}]}]}, "behind"),
        ({"services": [SERVICE | {"servers": [SERVER | {"media_ports": "2-9"}]}]}, "not a list"),
        ({"services": [SERVICE | {"servers": [SERVER | {"modes": [1]}]}]}, "a word"),
        ({"services": [SERVICE | {"servers": [SERVER | {"address": None}]}]}, "not an address"),
    ],
)
def test_what_cannot_be_is_refused_in_words(value: object, words: str) -> None:
    with pytest.raises(BadWant, match=words):
        Want.parse(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["services", "name", "vips", "ports", "servers", "modes"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_nothing_but_bad_want_is_raised(value: object) -> None:
    with contextlib.suppress(BadWant):
        Want.parse(value)


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ([{"address": "fd00::21"}, {"address": "fd00::21", "name": "b"}], []),
        ([{}, {"name": "b"}], []),
        ([{"modes": ["relay"]}, {"name": "b"}], []),
        ([{"address": "10.0.1.10"}], ["its address is the VIP"]),
        ([{}, {"name": "b", "address": "10.0.2.2"}], ["its media ports meet those of s1"]),
        ([{}, {"name": "b", "media_ports": [20999, 21999]}], ["meet others of the same"]),
        ([{}, {"name": "b", "address": "10.0.2.2", "media_ports": [21000, 21999]}], []),
    ],
)
def test_of_two_that_meet_the_first_is_placed(
    servers: list[dict[str, Any]], words: list[str]
) -> None:
    found = left_out(*servers)
    assert len(found) == len(words)
    assert all(word in each for word, each in zip(words, found, strict=True))


def test_a_family_needs_exactly_one_vip() -> None:
    assert "no VIP of IPv4" in left_out(vips=["fd00::10"])[0]
    assert "2 VIPs of IPv4" in left_out(vips=["10.0.1.10", "10.0.1.11"])[0]


def test_one_server_of_two_services_has_ports_of_one_vip() -> None:
    other = SERVICE | {"name": "other", "vips": ["10.0.1.11"]}
    both = Want.parse({"services": [SERVICE, other]})
    assert placement(both).left_out.keys() == {("other", "s1")}
    assert "at VIP 10.0.1.10" in placement(both).left_out["other", "s1"]


def test_who_is_a_server() -> None:
    here = want()
    assert here.server(address_of("10.0.2.1", ""), 554)
    assert not here.server(address_of("10.0.2.1", ""), 555)


def test_ports_are_written_as_nft_lists_them() -> None:
    assert [str(PortRange(5, 9)), str(PortRange(5, 5))] == ["5-9", "5"]
    assert 9 in PortRange(5, 9)
    assert 10 not in PortRange(5, 9)
