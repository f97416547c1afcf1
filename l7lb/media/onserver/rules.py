"""A media server's rules and route for `direct` in its kernel: set, looked at, taken back.

Owns the table and one policy rule with its route table for each family. Everything is idempotent,
and stays when this process ends: players go on. Needs CAP_NET_ADMIN.
"""

from __future__ import annotations

from contextlib import suppress

from l7lb.media.netfilter.latching import Latching
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
        self.latching = Latching(self._nft, ruleset.TABLE)

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
