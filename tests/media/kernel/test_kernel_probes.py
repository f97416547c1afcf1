"""The way back and the spoof probe, in networks where they hold and where they do not."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from l7lb.media.kernel import spoof, way_back
from l7lb.media.kernel.rules import KernelRules
from l7lb.media.kernel.spec import MediaServer
from l7lb.media.kernel.spoof import AgentAway, Asker
from l7lb.media.kernel.way_back import Way
from l7lb.media.onserver.agent import PORT
from l7lb.media.signed import Seal
from support.media_director import KEY, RTSP, start_direct, wanted
from support.media_lab import VIP, MediaLab, back, front, media_lab

pytestmark = pytest.mark.timeout(300)

DROP_VIP = """
table inet provider {
  chain pass {
    type filter hook forward priority 0;
    iifname "back" ip saddr != 10.71.2.0/24 drop
    iifname "back" ip6 saddr != fd71:2::/64 drop
  }
}
"""
"""A router that lets out only what bears an address of the network that it comes from (BCP 38)."""


@pytest.fixture(scope="module")
def lab() -> Iterator[MediaLab]:
    with media_lab() as lab, ExitStack() as stack:
        for version in (4, 6):
            family = socket.AF_INET if version == 4 else socket.AF_INET6
            with lab["s1"].inside():
                address = (back("s1", version), RTSP)
                stack.enter_context(socket.create_server(address, family=family))
        yield lab


def server(version: int) -> MediaServer:
    return wanted(version, ["direct", "nat"]).services[0].servers[0]


@contextmanager
def director(lab: MediaLab, version: int) -> Iterator[None]:
    with lab["d1"].inside():
        rules = KernelRules()
        try:
            rules.apply(wanted(version, ["direct", "nat"]))
            yield
            rules.remove()
        finally:
            rules.close()


@pytest.mark.parametrize("version", [4, 6])
def test_the_way_back(lab: MediaLab, version: int) -> None:
    with director(lab, version):
        lab.way_back("director")
        found = asyncio.run(way_back.ask(server(version)))
        assert (found.control, found.media) == (Way.COMES_BACK, Way.COMES_BACK), found.reason
        lab.way_back("router")
        found = asyncio.run(way_back.ask(server(version)))
        assert (found.control, found.media) == (Way.LOST, Way.UNKNOWN)
        assert "does not come back this way" in found.reason


def test_a_server_that_refuses_is_no_lost_way(lab: MediaLab) -> None:
    with director(lab, 4):
        lab.way_back("director")
        s2 = wanted(4, ["nat"]).services[0].servers[1]
        found = asyncio.run(way_back.ask(s2))
        assert found.control is Way.FAILED
        assert "refused" in found.reason


@pytest.mark.parametrize("version", [4, 6])
def test_the_spoof_probe(
    lab: MediaLab, version: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passes where the network lets it; a strange key and a strict router make it fail."""
    lab.way_back("router")
    agent = (ip_address(back("s1", version)), PORT)
    vip, at = ip_address(VIP[version]), ip_address(front("d1", version))
    asker = Asker(Seal(KEY))
    with director(lab, version):
        found = asyncio.run(asker.probe(agent, vip, at))
        assert "agent" in found.reason
        process = start_direct(lab, "s1", version, tmp_path)
        assert asyncio.run(asker.probe(agent, vip, at)).passes
        assert asyncio.run(way_back.ask(server(version))).control is Way.COMES_BACK
        assert asyncio.run(asker.order(agent, {"kind": "check"}))["wrong"] == []
        monkeypatch.setattr(spoof, "TRIES", 2)
        with pytest.raises(AgentAway, match="does not answer"):
            asyncio.run(Asker(Seal(b"f" * 16)).order(agent, {"kind": "check"}))
        other = {"kind": "probe", "vip": str(at), "to": str(at), "port": 9}
        with pytest.raises(AgentAway, match="in the name of"):
            asyncio.run(asker.order(agent, other))
        lab["router"].run("nft", "-f", "-", text=DROP_VIP)
        found = asyncio.run(asker.probe(agent, vip, at))
        lab["router"].run("nft", "delete", "table", "inet", "provider")
        assert not found.passes
        assert "does not reach" in found.reason
        lab["s1"].run("nft", "flush", "table", "inet", "l7lb_onserver")
        found = asyncio.run(asker.probe(agent, vip, at))
        assert not found.passes
        assert "not from the VIP" in found.reason
        end(process, lab, version)


def end(process: subprocess.Popen[bytes], lab: MediaLab, version: int) -> None:
    process.terminate()
    process.wait(20)
    lab["s1"].run("nft", "delete", "table", "inet", "l7lb_onserver")
    lab["s1"].run("ip", f"-{version}", "rule", "del", "priority", "7555")


def test_an_address_that_is_not_here_is_told() -> None:
    agent, elsewhere = (ip_address("127.0.0.1"), PORT), ip_address("192.0.2.9")
    found = asyncio.run(Asker(Seal(KEY)).probe(agent, elsewhere, elsewhere))
    assert "cannot listen at 192.0.2.9" in found.reason


@pytest.mark.parametrize(
    "packet", [b"", b"\x45" + b"\0" * 20, b"\x60" + b"\0" * 30, b"\x4f" + b"\0" * 40, b"\x20" * 60]
)
def test_packets_that_are_cut_are_none(packet: bytes) -> None:
    assert spoof._udp(packet) is None
