"""The director's rules for media in its kernel: what is wanted, made so; counters; latches.

Owns the table, the policy rules that bring answers to sockets with a client's address, and those
sockets' making. Everything is idempotent and one transaction; what is in the kernel stays there
when this process ends, and the next one reconciles. Needs CAP_NET_ADMIN. Blocks for milliseconds.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from pathlib import Path as File
from typing import Any

from l7lb.media.kernel import ruleset
from l7lb.media.kernel.spec import Address, BadWant, Want, placement
from l7lb.media.netfilter import elements
from l7lb.media.netfilter.latching import Latching
from l7lb.media.netfilter.libnftables import Nft, NftError
from l7lb.media.netfilter.netlink import LOCAL, DefaultRoute, PolicyRule, Routing

ROUTE_TABLE = 7554
PRIORITY = 7554
_IP_TRANSPARENT, _IPV6_TRANSPARENT, _BIND_NO_PORT = 19, 75, 24
_FORWARDING = {
    4: File("/proc/sys/net/ipv4/ip_forward"),
    6: File("/proc/sys/net/ipv6/conf/all/forwarding"),
}


class KernelRules:
    """Of this network namespace. Raises NftError and NetlinkError throughout."""

    def __init__(self) -> None:
        self._nft = Nft()
        self._routing = Routing()
        self.want = Want()
        self.wanted_at_s: float | None = None
        self.latching = Latching(self._nft, ruleset.TABLE)
        """Players behind routers, and the pairs of ports of mode `nat`."""

    def close(self) -> None:
        """Lets go of the kernel; the rules stay."""
        self._nft.close()
        self._routing.close()

    def apply(self, want: Want) -> dict[str, Any]:
        """Makes it so. Says for each server whether the kernel can serve it, or why not."""
        objects = self._nft.table("inet", ruleset.NAME)
        is_new = ruleset.VERSION not in {
            each["chain"]["name"] for each in objects if "chain" in each
        }
        before = {} if is_new else elements.found(objects, ruleset.MANAGED)
        text = elements.changes(ruleset.TABLE, before, ruleset.elements(want))
        if is_new:
            text = ruleset.skeleton() + text
        if text:
            self._nft.run(text)
        for version in (4, 6):
            self._routing.put_route(_local_route(version))
            self._routing.add_rule(_mark_rule(version))
        self.want, self.wanted_at_s = want, time.time()
        return {"changed": bool(text), "servers": self._servers(want), "warnings": warnings(want)}

    def _servers(self, want: Want) -> list[dict[str, Any]]:
        left_out = placement(want).left_out
        return [
            {
                "service": service.name,
                "server": server.name,
                "placed": (service.name, server.name) not in left_out,
                "reason": left_out.get((service.name, server.name), ""),
            }
            for service in want.services
            for server in service.servers
        ]

    def remove(self) -> None:
        """Everything of ours."""
        with suppress(NftError):
            self._nft.run(ruleset.removal())
        for version in (4, 6):
            self._routing.delete_rule(_mark_rule(version))
            self._routing.delete_route(_local_route(version))
        self.want, self.wanted_at_s = Want(), None

    def transparent_socket(self, source: Address, port: int) -> socket.socket:
        """A TCP socket that is to be connected to a server, with a client's address as its own.

        Port 0: any. Raises BadWant, OSError.
        """
        if source.is_loopback or source.is_link_local or _is_own(source):
            raise BadWant(f"{source} is no client's address")
        version = source.version
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            make_transparent(sock)
            if port == 0:
                sock.setsockopt(socket.IPPROTO_IP, _BIND_NO_PORT, 1)
            sock.bind((str(source), port))
        except BaseException:
            sock.close()
            raise
        return sock

    # ------------------------------------------------------------------ counters

    def counters(self) -> dict[str, Any]:
        """Packets and octets since each server is there, and what was dropped."""
        objects = self._nft.table("inet", ruleset.NAME)
        found = {each["map"]["name"]: each["map"] for each in objects if "map" in each}
        dropped = {
            each["counter"]["name"]: each["counter"]["packets"]
            for each in objects
            if "counter" in each
        }
        counted = {name: _counted(found.get(name, {})) for name in ("in4", "in6", "out4", "out6")}
        servers = []
        for each in placement(self.want).placed:
            version, ports = each.vip.version, each.server.media_ports
            into = counted[f"in{version}"].get(f"{each.vip} . {ports}", (0, 0))
            out = counted[f"out{version}"].get(f"{each.server.address} . {ports}", (0, 0))
            servers.append(
                {
                    "service": each.service,
                    "server": each.server.name,
                    "from_clients": {"packets": into[0], "octets": into[1]},
                    "to_clients": {"packets": out[0], "octets": out[1]},
                }
            )
        return {"servers": servers, "dropped": dropped}


def make_transparent(sock: socket.socket) -> None:
    """It may have an address that is none of this host's. Raises PermissionError."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)


def warnings(want: Want) -> list[str]:
    """What of the host stands against it, in words."""
    versions = {each.vip.version for each in placement(want).placed}
    return [
        f"{path} is 0: no packet of IPv{version} is passed on"
        for version, path in _FORWARDING.items()
        if version in versions and path.read_text().strip() == "0"
    ]


def _counted(body: dict[str, Any]) -> dict[str, tuple[int, int]]:
    found = {}
    for key, _ in body.get("elem", ()):
        counter = key["elem"].get("counter", {})
        found[elements.text(key)] = counter.get("packets", 0), counter.get("bytes", 0)
    return found


def _is_own(address: Address) -> bool:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
        return True


def _local_route(version: int) -> DefaultRoute:
    return DefaultRoute(version, ROUTE_TABLE, LOCAL, device=socket.if_nametoindex("lo"))


def _mark_rule(version: int) -> PolicyRule:
    return PolicyRule(version, ROUTE_TABLE, PRIORITY, mark=ruleset.MARK, mask=ruleset.MARK)
