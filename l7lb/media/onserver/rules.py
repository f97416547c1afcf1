"""A media server's rules and route for `direct` in its kernel: set, looked at, taken back.

Owns the table and one policy rule with its route table for each family. Everything is idempotent,
and stays when this process ends: players go on. Needs CAP_NET_ADMIN.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from l7lb.media.netfilter import latches
from l7lb.media.netfilter.latches import Heard, Path
from l7lb.media.netfilter.libnftables import Nft, NftError
from l7lb.media.netfilter.netlink import TCP, DefaultRoute, PolicyRule, Routing
from l7lb.media.onserver import ruleset
from l7lb.media.onserver.spec import OnServerSpec, Side

ROUTE_TABLE = 7555
PRIORITY = 7555
"""Of the policy rule: before the main table's."""


class OnServer:
    """One media server. Raises NftError and NetlinkError throughout."""

    def __init__(self, spec: OnServerSpec) -> None:
        self.spec = spec
        self._nft = Nft()
        self._routing = Routing()

    def close(self) -> None:
        """Lets go of the kernel; the rules stay."""
        self._nft.close()
        self._routing.close()

    def apply(self) -> None:
        """Nothing is touched where all is as it should be, so counters and latches stay."""
        if not self._is_current():
            self._nft.run(ruleset.skeleton(self.spec))
        for side in self.spec.sides:
            if side.way_back is not None:
                self._routing.put_route(_route(side))
                self._routing.add_rule(_rule(self.spec, side))

    def undo(self) -> None:
        """Also what an earlier process of ours left, with other addresses."""
        with suppress(NftError):
            self._nft.run(ruleset.removal())
        for version in (4, 6):
            for rule in self._routing.rules(version):
                if rule.table == ROUTE_TABLE and rule.priority == PRIORITY:
                    self._routing.delete_rule(rule)
            for route in self._routing.default_routes(version):
                if route.table == ROUTE_TABLE:
                    self._routing.delete_route(route)

    def check(self) -> list[str]:
        """What is not as it should be, in words; empty: all is well."""
        found = []
        if not self._is_current():
            found.append(f"table {ruleset.TABLE} is not there or is not what it should be")
        for side in self.spec.sides:
            if side.way_back is None:
                continue
            version = side.address.version
            if _rule(self.spec, side) not in self._routing.rules(version):
                port = self.spec.rtsp_port
                found.append(f"no policy rule sends what {side.address}:{port} answers back")
            routes = self._routing.default_routes(version)
            ours = [route.gateway for route in routes if route.table == ROUTE_TABLE]
            if ours != [side.way_back]:
                found.append(f"route table {ROUTE_TABLE} of IPv{version} is not by {side.way_back}")
        return found

    def latch(self, path: Path, timeout_s: int) -> tuple[Heard, int]:
        """Looks whence the client is heard, and latches where that is another port."""
        listed = self._nft.objects(f"list set {ruleset.TABLE} heard{path.version}")
        heard, port = latches.judge(listed, path)
        if heard is Heard.ELSEWHERE:
            self._nft.run(latches.latch(ruleset.TABLE, path, port, timeout_s))
        return heard, port

    def unlatch(self, path: Path) -> bool:
        """False: there was none."""
        listed = self._nft.objects(f"list map {ruleset.TABLE} latch{path.version}")
        port = latches.latched_port(listed, path)
        if port:
            self._nft.run(latches.unlatch(ruleset.TABLE, path, port))
        return port != 0

    def flows(self, version: int) -> list[dict[str, Any]]:
        """Packets and octets of each pair of ports that had any lately, RTCP of the other
        direction included."""
        return latches.flows(self._nft.objects(f"list set {ruleset.TABLE} flows{version}"))

    def _is_current(self) -> bool:
        objects = self._nft.table("inet", ruleset.NAME)
        chains = {each["chain"]["name"] for each in objects if "chain" in each}
        return ruleset.version_of(self.spec) in chains


def _rule(spec: OnServerSpec, side: Side) -> PolicyRule:
    return PolicyRule(
        side.address.version,
        ROUTE_TABLE,
        PRIORITY,
        protocol=TCP,
        source=side.address,
        source_port=spec.rtsp_port,
    )


def _route(side: Side) -> DefaultRoute:
    return DefaultRoute(side.address.version, ROUTE_TABLE, gateway=side.way_back)
