"""What a worker knows of the ways for UDP: the supervisor's findings, and its own relay.

Gives RTSP sessions their `Modes` and `Kernel`. Must not know how things were found out.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from l7lb.errors import MediaRefused
from l7lb.media.kernel.client import MediaKernel
from l7lb.media.modes import Known, choose
from l7lb.media.ports import Choice, FlowPath
from l7lb.model import PoolSpec, ServerSpec
from l7lb.model_media import Mode

Spot = tuple[str, str, str]
NOT_ASKED = Known(kernel="the kernel has no part in this server")
NO_RELAY = "the relay is not there"


class Ways:
    """`l7lb.media.ports.Modes`: the findings are put into `found`."""

    def __init__(self, has_relay: Callable[[], bool]) -> None:
        self.found: Mapping[Spot, Known] = {}
        self._has_relay = has_relay

    def choose(self, service: str, pool: PoolSpec, server: ServerSpec, client: str) -> Choice:
        known = self.found.get((service, pool.name, server.name), NOT_ASKED)
        obstacle = _obstacle(client)
        if obstacle:
            known = replace(known, kernel=obstacle)
        known = replace(known, relay="" if self._has_relay() else NO_RELAY)
        chosen = choose([mode.value for mode in pool.media.modes], known)
        mode = Mode(chosen.mode) if chosen.mode is not None else None
        return Choice(mode, chosen.words())


def _obstacle(client: str) -> str:
    """Why the kernel can do nothing for this client."""
    try:
        address = ip_address(client)
    except ValueError:
        return "the client has no IP address"
    return "the client is this host" if address.is_loopback else ""


class KernelWay:
    """`l7lb.media.ports.Kernel`."""

    def __init__(self, path: Path) -> None:
        self._client = MediaKernel(path)

    async def transparent_socket(self, source: str) -> socket.socket:
        return await self._client.transparent_socket(_address(source))

    async def latch(self, path: FlowPath, timeout_s: int) -> str:
        said = await self._client.latch(_path(path), timeout_s)
        return str(said.get("heard", ""))

    async def unlatch(self, path: FlowPath) -> None:
        await self._client.unlatch(_path(path))

    def close(self) -> None:
        self._client.close()


def _path(path: FlowPath) -> dict[str, object]:
    return {
        "client": path.client,
        "client_port": path.client_port,
        "server": path.server,
        "server_port": path.server_port,
        **({"agent": path.agent} if path.agent else {}),
    }


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError as error:
        raise MediaRefused(str(error)) from None
