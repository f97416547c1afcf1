"""What the kernel is to do for media: services, their VIPs, their servers. Pure.

`Want.parse` takes it from JSON and refuses what cannot be; `placed` leaves out, with the reason in
words, what would stand against something else. What is left can be put into the kernel as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

Address = IPv4Address | IPv6Address

SERVICES_LIMIT = 256
VIPS_LIMIT = 64
PORTS_LIMIT = 64
SERVERS_LIMIT = 4096
NAME_LIMIT = 200
DIRECT, NAT = "direct", "nat"
KERNEL_MODES = (DIRECT, NAT)
"""Modes in which the kernel has a part; the others are not spoken of here."""


class BadWant(ValueError):
    """The message says which part of it, and what is wrong."""


@dataclass(frozen=True, slots=True)
class PortRange:
    """UDP ports, both ends included."""

    first: int
    last: int

    def meets(self, other: PortRange) -> bool:
        return self.first <= other.last and other.first <= self.last

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}" if self.first != self.last else f"{self.first}"


@dataclass(frozen=True, slots=True)
class MediaServer:
    """`port` is where it takes RTSP; `media_ports` are its own UDP ports, of no other server."""

    name: str
    address: Address
    port: int
    media_ports: PortRange
    modes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MediaService:
    """`ports` are those of RTSP on the VIPs."""

    name: str
    vips: tuple[Address, ...]
    ports: tuple[int, ...]
    servers: tuple[MediaServer, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A server that the kernel can serve: its media is that of one VIP."""

    service: str
    server: MediaServer
    vip: Address


@dataclass(frozen=True, slots=True)
class Want:
    services: tuple[MediaService, ...] = ()

    @classmethod
    def parse(cls, value: object) -> Want:
        """Raises BadWant."""
        services = _list(_map(value, "want").get("services"), "services", SERVICES_LIMIT)
        found = tuple(_service(each) for each in services)
        if sum(len(service.servers) for service in found) > SERVERS_LIMIT:
            raise BadWant(f"more than {SERVERS_LIMIT} servers")
        names = [service.name for service in found]
        if len(set(names)) != len(names):
            raise BadWant("two services have one name")
        return cls(found)

    def as_json(self) -> dict[str, Any]:
        return {"services": [_service_json(service) for service in self.services]}

    def server(self, address: Address, port: int) -> bool:
        """Is there one that takes RTSP here?"""
        return any(
            each.address == address and each.port == port
            for service in self.services
            for each in service.servers
        )


@dataclass(frozen=True, slots=True)
class Placement:
    placed: tuple[Placed, ...]
    left_out: Mapping[tuple[str, str], str]
    """Service and server, to the reason in words."""


def placement(want: Want) -> Placement:
    """In the order of the file: of two that stand against each other the first is placed."""
    placed: list[Placed] = []
    left_out: dict[tuple[str, str], str] = {}
    for service in want.services:
        for server in service.servers:
            if not set(server.modes) & set(KERNEL_MODES):
                continue
            found = _place(service, server, placed)
            if isinstance(found, str):
                left_out[service.name, server.name] = found
            else:
                placed.append(found)
    return Placement(tuple(placed), left_out)


def _place(service: MediaService, server: MediaServer, before: list[Placed]) -> Placed | str:
    version = server.address.version
    vips = [vip for vip in service.vips if vip.version == version]
    if len(vips) != 1:
        how_many = "no VIP" if not vips else f"{len(vips)} VIPs"
        return f"the service has {how_many} of IPv{version}: media needs exactly one"
    if server.address == vips[0]:
        return "its address is the VIP"
    for other in before:
        if not other.server.media_ports.meets(server.media_ports):
            continue
        if other.server.address == server.address and other.vip != vips[0]:
            return f"its media ports are those of {other.server.name} at VIP {other.vip}"
        if other.vip == vips[0] and other.server.address != server.address:
            ports = other.server.media_ports
            return f"its media ports meet those of {other.server.name} ({ports}) at VIP {vips[0]}"
        if other.vip == vips[0] and other.server.media_ports != server.media_ports:
            return f"its media ports meet others of the same address ({other.server.media_ports})"
    return Placed(service.name, server, vips[0])


# ------------------------------------------------------------------ JSON


def _service(value: object) -> MediaService:
    found = _map(value, "a service")
    name = _name(found.get("name"), "a service's name")
    vips = _list(found.get("vips"), f"{name}: vips", VIPS_LIMIT)
    ports = _list(found.get("ports"), f"{name}: ports", PORTS_LIMIT)
    servers = _list(found.get("servers"), f"{name}: servers", SERVERS_LIMIT)
    return MediaService(
        name,
        tuple(address_of(each, f"{name}: a VIP") for each in vips),
        tuple(port_of(each, f"{name}: a port") for each in ports),
        tuple(_server(each, name) for each in servers),
    )


def _server(value: object, service: str) -> MediaServer:
    found = _map(value, f"{service}: a server")
    name = _name(found.get("name"), f"{service}: a server's name")
    where = f"{service}/{name}"
    first, last = _pair(found.get("media_ports"), f"{where}: media_ports")
    modes = _list(found.get("modes"), f"{where}: modes", 8)
    if not all(isinstance(mode, str) and len(mode) < NAME_LIMIT for mode in modes):
        raise BadWant(f"{where}: a mode is a word")
    return MediaServer(
        name,
        address_of(found.get("address"), f"{where}: address"),
        port_of(found.get("port"), f"{where}: port"),
        PortRange(first, last),
        tuple(map(str, modes)),
    )


def _service_json(service: MediaService) -> dict[str, Any]:
    return {
        "name": service.name,
        "vips": [str(vip) for vip in service.vips],
        "ports": list(service.ports),
        "servers": [
            {
                "name": server.name,
                "address": str(server.address),
                "port": server.port,
                "media_ports": [server.media_ports.first, server.media_ports.last],
                "modes": list(server.modes),
            }
            for server in service.servers
        ],
    }


def address_of(value: object, what: str) -> Address:
    """One host's address that packets can have. Raises BadWant."""
    if not isinstance(value, str):
        raise BadWant(f"{what} is not an address")
    try:
        address = ip_address(value)
    except ValueError as error:
        raise BadWant(f"{what}: {error}") from None
    scoped = getattr(address, "scope_id", None) or getattr(address, "ipv4_mapped", None)
    if address.is_multicast or address.is_unspecified or scoped:
        raise BadWant(f"{what}: {address} is not one host's address")
    return address


def port_of(value: object, what: str) -> int:
    """Raises BadWant."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 65536:
        raise BadWant(f"{what} is not a port")
    return value


def _pair(value: object, what: str) -> tuple[int, int]:
    found = _list(value, what, 2)
    if len(found) != 2:
        raise BadWant(f"{what} is not a first and a last port")
    first, last = port_of(found[0], what), port_of(found[1], what)
    if first > last:
        raise BadWant(f"{what}: {first} is behind {last}")
    return first, last


def _name(value: object, what: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LIMIT:
        raise BadWant(f"{what} is not a name")
    return value


def _map(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadWant(f"{what} is not an object")
    return value


def _list(value: object, what: str, limit: int) -> list[object]:
    if not isinstance(value, list):
        raise BadWant(f"{what} is not a list")
    if len(value) > limit:
        raise BadWant(f"{what}: more than {limit}")
    return value
