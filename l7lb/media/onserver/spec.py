"""What a media server needs to know to answer straight to the players. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Side:
    """One family of addresses of the server: where its media comes from, and whose it becomes."""

    address: Address
    vip: Address
    way_back: Address | None = None
    """Gateway for what RTSP answers: the address that the directors hold in turn. None: answers
    find their way by themselves (servers that are told the client's address by PROXY)."""
    relays: tuple[Address, ...] = ()
    """Addresses from which directors relay in user space: what goes there keeps its source."""

    def __post_init__(self) -> None:
        """Raises ValueError."""
        version = self.address.version
        others = (self.vip, *self.relays, *((self.way_back,) if self.way_back else ()))
        if any(other.version != version for other in others):
            raise ValueError(f"all addresses of one side must be of IPv{version}")
        if self.vip == self.address:
            raise ValueError("the VIP is the server's own address")


@dataclass(frozen=True, slots=True)
class OnServerSpec:
    """One media server: at most one side of each family."""

    sides: tuple[Side, ...]
    first_port: int
    last_port: int
    """Of its media, UDP."""
    rtsp_port: int = 554
    guard: bool = True
    """Drop UDP to media ports from addresses that have neither a control connection to this server
    nor get media from it. Not with PROXY: control comes from the directors there."""

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not 0 < self.first_port <= self.last_port < 65536 or not 0 < self.rtsp_port < 65536:
            raise ValueError("ports are 1 to 65535, the first before the last")
        if not self.sides or len({side.address.version for side in self.sides}) < len(self.sides):
            raise ValueError("one side of IPv4, one of IPv6, or both")

    def side_of(self, vip: Address) -> Side | None:
        return next((side for side in self.sides if side.vip == vip), None)
