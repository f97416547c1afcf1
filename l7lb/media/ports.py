"""What RTSP sessions ask of others: how media may go, relays, sockets, who holds a file.

Protocols and plain values only. Whoever wires a worker gives the parts; what is not there is None.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from l7lb.model import PoolSpec, ServerSpec
from l7lb.model_media import Mode

Pair = tuple[int, int]
"""RTP and RTCP port; 0: not known."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How UDP goes between one client and one server."""

    mode: Mode | None
    """None: not at all."""
    reason: str


class Modes(Protocol):
    def choose(self, service: str, pool: PoolSpec, server: ServerSpec, client: str) -> Choice:
        """The first of the pool's modes that works now. Answers at once."""


@dataclass(frozen=True, slots=True)
class RelayAsk:
    """One more stream; addresses are IP addresses as text."""

    client: str
    server: str
    client_local: str
    """Ours, as the client dialled it."""
    server_local: str
    """Ours, towards the server."""
    session: str = ""
    """Of the relay, or its alias; empty: a new one."""
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class RelayStream:
    session: str
    stream: int
    client_ports: Pair
    """Ours towards the client."""
    server_ports: Pair
    """Ours towards the server."""


@dataclass(frozen=True, slots=True)
class RelayPeers:
    """What a SETUP and its answer told."""

    client_ports: Pair
    server_ports: Pair
    alias: str


class Relays(Protocol):
    """All raise L7lbError; one with `status` says how RTSP answers it."""

    @property
    def is_there(self) -> bool: ...
    async def open(self, ask: RelayAsk) -> RelayStream: ...
    async def peers(self, stream: RelayStream, told: RelayPeers) -> None: ...
    async def touch(self, session: str, *, silent_s: float = 0.0, timeout_s: float = 0.0) -> None:
        """A request of the session came. `silent_s`: it was PLAY; tell if the client is silent.
        `timeout_s`: the session's own, 0: as it is."""

    async def close(self, session: str, stream: int = -1) -> None:
        """One stream; -1: all."""


@dataclass(frozen=True, slots=True)
class FlowPath:
    """One way of one stream, by the ports that SETUP and its answer named."""

    client: str
    client_port: int
    server: str
    server_port: int
    agent: int = 0
    """UDP port of the agent beside the server, which has the rules in mode `direct`; 0: we do."""


class Kernel(Protocol):
    """What the privileged process does for a session. All raise L7lbError."""

    async def transparent_socket(self, source: str) -> socket.socket:
        """A TCP socket that has a client's address as its own, to connect to a server with."""

    async def latch(self, path: FlowPath, timeout_s: int) -> str:
        """Whence the client is heard: `silent`, `as-named`, or `elsewhere`, which is mapped for so
        long."""

    async def unlatch(self, path: FlowPath) -> None:
        """It plays no more."""


class Holdings(Protocol):
    def choose(self, pool: str, path: bytes, servers: Sequence[str]) -> str | None:
        """The server that shall serve this file; None: the pool's scheduler says."""
