"""Latches: what was heard decides; commands that the kernel takes, again and again."""

from __future__ import annotations

from ipaddress import ip_address

from l7lb.media.netfilter import latches
from l7lb.media.netfilter.latches import Heard, Path

PATH = Path(ip_address("10.0.0.1"), 5000, ip_address("10.0.2.1"), 20000)


def heard(*ports: tuple[int, float], client: str = "10.0.0.1") -> list[dict[str, object]]:
    elements = [
        {"elem": {"val": {"concat": [client, port, "10.0.2.1", 20000]}, "expires": expires}}
        for port, expires in ports
    ]
    return [{"table": {}}, {"set": {"name": "heard4", "elem": elements}}]


def test_nothing_heard() -> None:
    assert latches.judge([], PATH) == (Heard.SILENT, 0)
    assert latches.judge(heard((6000, 9.0), client="10.0.0.2"), PATH) == (Heard.SILENT, 0)


def test_the_first_that_came_decides() -> None:
    assert latches.judge(heard((7000, 30.0), (6000, 20.0)), PATH) == (Heard.ELSEWHERE, 6000)


def test_the_named_port_excels_all() -> None:
    assert latches.judge(heard((6000, 1.0), (5000, 50.0)), PATH) == (Heard.AS_NAMED, 5000)


def test_flows_from_a_listing() -> None:
    body = {"val": {"concat": ["10.0.0.1", 5000, "10.0.2.1", 20000]}}
    counted = body | {"counter": {"packets": 3, "bytes": 400}}
    found = latches.flows([{"set": {"elem": [{"elem": counted}, {"elem": body}]}}])
    assert [(each["packets"], each["octets"]) for each in found] == [(3, 400), (0, 0)]
    assert found[0]["client_port"] == 5000
