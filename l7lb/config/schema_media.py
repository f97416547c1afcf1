"""What may stand below `media` of a pool and `rtsp` of a service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from l7lb.config import addresses, shorthand
from l7lb.config.fields import (
    TEXT,
    Duration,
    Number,
    OneOrMany,
    Parsed,
    Period,
    Section,
    Short,
    Size,
)
from l7lb.config.schema_secret import FileName
from l7lb.model_media import DirectorMediaSpec, MediaSpec, RtspOptions

_RTSP = RtspOptions()
_MEDIA = MediaSpec()
_DIRECTOR = DirectorMediaSpec()

PortRange = Annotated[
    tuple[int, int],
    Parsed(
        shorthand.port_range,
        {"type": "string", "pattern": "^[0-9]{1,5}-[0-9]{1,5}$", "x-unit": "range of ports"},
    ),
]
Vip = Annotated[str, Parsed(addresses.ip, TEXT)]
ModeName = Literal["direct", "nat", "relay", "redirect"]


class Media(Section):
    """How RTP and RTCP over UDP go between clients and the servers of a pool.

    Short form: the modes.
    """

    modes: Annotated[list[ModeName], Short(shorthand.listed_or_none, (TEXT,))] = Field(
        default=["direct", "nat", "relay"]
    )
    """Best first; the first that works for a server and a client is taken. `direct`: straight from
    the server; `nat`: through the director's kernel; `relay`: through a process of the director;
    `redirect`: the client is sent to the server; `none`: media over TCP only."""

    agent_port: Annotated[int, Field(ge=1, le=65535)] = _MEDIA.agent_port
    """UDP port of the agents beside the servers (`l7lb media-direct`), for `direct`."""


class DirectorMedia(Section):
    """This director's own processes for media."""

    relay_ports: PortRange = _DIRECTOR.relay_ports
    """UDP ports of the process that relays."""
    kernel: FileName | None = None
    """Socket of a media-kernel process that somebody else keeps; without it, the director starts
    one where it has the rights."""
    key: FileName | None = None
    """File of the key that the agents beside the servers have too; without it, none is asked."""
    probe_at: OneOrMany[Vip] = Field(default=[])
    """Addresses of this director, not VIPs, on the clients' side: agents' probes must arrive."""


class Rtsp(Section):
    """How an RTSP service treats its clients."""

    vip: OneOrMany[Vip] = Field(default=[])
    """Addresses that clients know, for `direct` and `nat`; without it, those of `listen`."""
    interleaved: bool = _RTSP.interleaved
    """Allow media over the control connection."""
    head: Annotated[int, Parsed(shorthand.head_size, {**TEXT, "x-unit": "size"})] = _RTSP.head_bytes
    """Head of a message, from 1KiB to 1MiB."""
    body: Size = _RTSP.body_bytes
    """Body of a message: a description, or parameters."""
    pipeline: Number = _RTSP.pipeline
    """Requests of one client that wait for an answer at once."""
    silent: Period = _RTSP.silent_s
    """A player from which nothing comes so long after PLAY has no way for UDP."""
    tcp_only: Duration = _RTSP.tcp_only_s
    """For so long such a player is told 461 when it asks for UDP, so that it takes TCP."""
