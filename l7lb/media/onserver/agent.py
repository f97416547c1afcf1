"""The agent's ear for directors: signed orders by UDP, each answered once.

Owns one socket. Orders: `probe` (send a datagram to the director in the VIP's name), `latch`,
`unlatch`, `flow` (what one stream has sent), `check`. What is not signed with the cluster's key, is
old or was here before gets no answer.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, cast

from l7lb.media.netfilter.latches import Path
from l7lb.media.netfilter.libnftables import NftError
from l7lb.media.netfilter.netlink import NetlinkError
from l7lb.media.onserver.rules import OnServer
from l7lb.media.onserver.spec import Address, Side
from l7lb.media.signed import BadDatagram, Seal

LOG = logging.getLogger(__name__)
PORT = 7554
TRIES = 32
"""Media ports that are tried for one that is free."""
TIMEOUT_LIMIT_S = 86_400


class Agent(asyncio.DatagramProtocol):
    """`listen` makes one; `close` it. Wrong datagrams are counted in `refused`."""

    def __init__(self, server: OnServer, seal: Seal) -> None:
        self._server = server
        self._seal = seal
        self._transport: asyncio.DatagramTransport | None = None
        self.refused = 0
        self._orders: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "probe": self._probe,
            "latch": self._latch,
            "unlatch": self._unlatch,
            "flow": self._flow,
            "check": self._check,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        try:
            order = self._seal.open(data, time.time())
            answer = self._answer(order)
        except BadDatagram as error:
            self.refused += 1
            LOG.warning("a datagram from %s is refused: %s", addr[0], error)
            return
        reply = {"re": order["id"], **answer}
        if self._transport is not None:
            self._transport.sendto(self._seal.close(reply, _number(), time.time()), addr)

    def _answer(self, order: dict[str, Any]) -> dict[str, Any]:
        run = self._orders.get(str(order.get("kind")))
        if run is None:
            raise BadDatagram("an order that is not known")
        try:
            return run(order)
        except (NftError, NetlinkError, OSError) as error:
            return {"error": str(error)[:400]}
        except (KeyError, TypeError, ValueError) as error:
            raise BadDatagram(f"an order that makes no sense: {error}") from error

    def _probe(self, order: dict[str, Any]) -> dict[str, Any]:
        """From a free media port, so that it takes the very way of media."""
        vip, target = ip_address(order["vip"]), ip_address(order["to"])
        side = self._server.spec.side_of(vip)
        if side is None or target.version != vip.version:
            return {"error": f"this server does not answer in the name of {vip}"}
        with self._free_media_socket(side) as sock:
            told = {"kind": "told", "re": order["id"]}
            datagram = self._seal.close(told, _number(), time.time())
            sock.sendto(datagram, (str(target), _port(order["port"])))
            return {"kind": "sent", "from": sock.getsockname()[1]}

    def _free_media_socket(self, side: Side) -> socket.socket:
        """Raises OSError when none of those tried is free."""
        spec = self._server.spec
        family = socket.AF_INET if side.address.version == 4 else socket.AF_INET6
        for port in range(spec.last_port, max(spec.first_port, spec.last_port - TRIES) - 1, -1):
            sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            with suppress(OSError):
                sock.bind((str(side.address), port))
                return sock
            sock.close()
        raise OSError(f"no free media port near {spec.last_port}")

    def _latch(self, order: dict[str, Any]) -> dict[str, Any]:
        timeout_s = int(order["timeout_s"])
        if not 0 < timeout_s <= TIMEOUT_LIMIT_S:
            raise ValueError("timeout_s")
        heard, port = self._server.latching.latch(self._path(order), timeout_s)
        return {"heard": heard.value, "port": port}

    def _unlatch(self, order: dict[str, Any]) -> dict[str, Any]:
        return {"was": self._server.latching.unlatch(self._path(order))}

    def _flow(self, order: dict[str, Any]) -> dict[str, Any]:
        return dict(self._server.latching.flow(self._path(order)))

    def _check(self, order: dict[str, Any]) -> dict[str, Any]:
        return {"wrong": self._server.check()}

    def _path(self, order: dict[str, Any]) -> Path:
        client = ip_address(order["client"])
        server = self._own_address(client.version)
        return Path(client, _port(order["client_port"]), server, _port(order["server_port"]))

    def _own_address(self, version: int) -> Address:
        for side in self._server.spec.sides:
            if side.address.version == version:
                return side.address
        raise ValueError(f"this server has no side of IPv{version}")

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _port(value: Any) -> int:
    if not isinstance(value, int) or not 0 < value < 65536:
        raise ValueError("a port")
    return value


def _number() -> str:
    return secrets.token_hex(16)


async def listen(server: OnServer, seal: Seal, at: tuple[str, int]) -> Agent:
    """Raises OSError."""
    loop = asyncio.get_running_loop()
    _, agent = await loop.create_datagram_endpoint(lambda: Agent(server, seal), local_addr=at)
    return agent
