"""A media cluster in namespaces: clients and directors on one network, servers on another.

```
client  home ─ nat        d1    d2        router         front 10.71.1.0/24, fd71:1::/64
   └──────┴─────┴─────────┴─────┴───────────┤
                          └─────┴───────────┴── s1  s2   back  10.71.2.0/24, fd71:2::/64
```

The VIP and the servers' way back through a director are addresses that a director holds and that
can move to the other one. Servers answer by the router (direct) or by the director (nat).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from support.namespaces import Namespace, namespaces, wire

HOSTS = ("wire", "client", "nat", "home", "d1", "d2", "router", "s1", "s2")
VIP = {4: "10.71.1.10", 6: "fd71:1::10"}
GATEWAY = {4: "10.71.2.10", 6: "fd71:2::10"}
"""The servers' way back through whichever director has it."""
ROUTER_BACK = {4: "10.71.2.1", 6: "fd71:2::1"}
FRONT = {"router": 1, "d1": 11, "d2": 12, "nat": 50, "client": 100}
BACK = {"router": 1, "d1": 11, "d2": 12, "s1": 21, "s2": 22}
NAT_RULES = """
table ip nat {
  chain out {
    type nat hook postrouting priority srcnat;
    oifname "front" meta l4proto udp masquerade to :40000-40999
    oifname "front" masquerade
  }
}
"""


def front(name: str, version: int = 4) -> str:
    return address(1, FRONT[name], version)


def back(name: str, version: int = 4) -> str:
    return address(2, BACK[name], version)


def address(network: int, host: int, version: int) -> str:
    """fd71:1::100 and 10.71.1.100 are one host's."""
    return f"10.71.{network}.{host}" if version == 4 else f"fd71:{network}::{host}"


@dataclass(slots=True)
class MediaLab:
    hosts: dict[str, Namespace]

    def __getitem__(self, name: str) -> Namespace:
        return self.hosts[name]

    def give_vip(self, name: str) -> None:
        """This director has the VIP and the way back from now on; neighbours are told."""
        host = self[name]
        host.ip(
            f"addr replace {VIP[4]}/32 dev front",
            f"addr replace {VIP[6]}/128 dev front nodad",
            f"addr replace {GATEWAY[4]}/32 dev back",
            f"addr replace {GATEWAY[6]}/128 dev back nodad",
        )
        self._tell_neighbours(name, "front", VIP)
        self._tell_neighbours(name, "back", GATEWAY)

    def take_vip(self, name: str) -> None:
        """From a director whose machine lives."""
        self[name].ip(
            f"addr del {VIP[4]}/32 dev front",
            f"addr del {VIP[6]}/128 dev front",
            f"addr del {GATEWAY[4]}/32 dev back",
            f"addr del {GATEWAY[6]}/128 dev back",
        )

    def _tell_neighbours(self, owner: str, device: str, table: dict[int, str]) -> None:
        """What gratuitous ARP and unsolicited neighbour advertisements do."""
        link = json.loads(self[owner].run("ip", "-j", "link", "show", "dev", device))[0]
        way = f"lladdr {link['address']} dev {device} nud stale"
        for name in FRONT if device == "front" else BACK:
            if name != owner:
                self[name].ip(*(f"neigh replace {each} {way}" for each in table.values()))

    def way_back(self, via: str) -> None:
        """The servers' default route: `router`, or `director`."""
        target = ROUTER_BACK if via == "router" else GATEWAY
        for name in ("s1", "s2"):
            self[name].ip(
                f"route replace default via {target[4]} dev back",
                f"-6 route replace default via {target[6]} dev back",
            )

    def cut(self, name: str) -> None:
        """A director that died with its machine: it says nothing any more, to nobody."""
        self[name].ip("link set front down", "link set back down")


@contextmanager
def media_lab() -> Iterator[MediaLab]:
    """Addresses and routes are there; the VIP is d1's, and servers answer by the router."""
    with namespaces(*HOSTS) as hosts:
        lab = MediaLab(hosts)
        wire([(hosts[name], "front") for name in FRONT], hosts["wire"], "brf")
        wire([(hosts[name], "back") for name in BACK], hosts["wire"], "brb")
        for device, names in (("front", FRONT), ("back", BACK)):
            network = 1 if device == "front" else 2
            for name, number in names.items():
                hosts[name].ip(
                    f"addr add {address(network, number, 4)}/24 dev {device}",
                    f"addr add {address(network, number, 6)}/64 dev {device} nodad",
                )
        for name in ("d1", "d2", "router", "nat"):
            hosts[name].sysctl("ipv4/ip_forward", 1)
            hosts[name].sysctl("ipv6/conf/all/forwarding", 1)
        for name in ("client", "nat", "d1", "d2"):
            hosts[name].ip(
                f"route add default via {front('router')}",
                f"-6 route add default via {front('router', 6)}",
            )
        _home(hosts)
        lab.way_back("router")
        lab.give_vip("d1")
        yield lab


def _home(hosts: dict[str, Namespace]) -> None:
    """A player behind a router that changes ports."""
    home, nat = hosts["home"], hosts["nat"]
    nat.ip(f"link add inner type veth peer name inner netns {home.name}", "link set inner up")
    nat.ip("addr add 192.168.71.1/24 dev inner")
    home.ip("link set inner up", "addr add 192.168.71.2/24 dev inner")
    home.ip("route add default via 192.168.71.1")
    nat.run("nft", "-f", "-", text=NAT_RULES)
