"""Frozen specifications of media: what `media:` of a pool and `rtsp:` of a service say.

As in `model`: seconds end in `_s`, sizes in `_bytes`, and everything compares by value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How RTP and RTCP over UDP find their way; the control connection is the director's."""

    DIRECT = "direct"
    """Straight from the server to the client, the source translated to the VIP on the server."""
    NAT = "nat"
    """Through the director's kernel."""
    RELAY = "relay"
    """Through a process of the director."""
    REDIRECT = "redirect"
    """The client is sent to the server (302) and the director sees no more of it."""


@dataclass(frozen=True, slots=True)
class MediaSpec:
    """Of one pool."""

    modes: tuple[Mode, ...] = (Mode.DIRECT, Mode.NAT, Mode.RELAY)
    """Best first; the first that works for a server and a client is taken. Empty: no UDP."""
    agent_port: int = 7554
    """UDP port of the agents beside the servers, which mode `direct` needs."""


@dataclass(frozen=True, slots=True)
class DirectorMediaSpec:
    """What one director's own processes for media are told."""

    relay_ports: tuple[int, int] = (10000, 19999)
    """First and last UDP port of the process that relays."""
    kernel: str = ""
    """Socket of a media-kernel process that somebody else keeps; empty: the director starts one
    where it may."""
    key: str = ""
    """File of the key that agents have too; empty: no agent is asked."""
    probe_at: tuple[str, ...] = ()
    """Addresses of this director on the clients' side, where agents' probes must arrive."""


@dataclass(frozen=True, slots=True)
class RtspOptions:
    """How one RTSP service treats its clients."""

    vips: tuple[str, ...] = ()
    """Addresses that clients know, for `direct` and `nat`; empty: those that are listened on."""
    interleaved: bool = True
    """Media over the control connection is allowed."""
    head_bytes: int = 16384
    body_bytes: int = 262144
    """A description (SDP) or parameters."""
    pipeline: int = 32
    """Requests of one client that wait for an answer at once."""
    silent_s: float = 10.0
    """A player from which nothing comes so long after PLAY has no way for UDP."""
    tcp_only_s: float = 300.0
    """For so long such a player is told 461 when it asks for UDP, and takes TCP."""
