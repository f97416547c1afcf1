"""What of a SETUP's Transport may be used, and how both sides are told of the ports between them.

Pure: a refusal, or the field to send on (RFC 2326 §10.4, §12.39).
"""

from __future__ import annotations

from dataclasses import dataclass

from l7lb.media.ports import RelayStream
from l7lb.model_media import Mode
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.transport import Transport, same_host


@dataclass(frozen=True, slots=True)
class Terms:
    """What one client may use on one server now."""

    client: str
    """Its address."""
    mode: Mode | None
    """How UDP goes; None: not at all."""
    interleaved: bool
    reason: str = ""
    """Why UDP goes so, or not."""


def usable(offered: list[Transport], terms: Terms) -> list[Transport]:
    """The alternatives that work, in the client's order. Raises RtspRefusal: 403 for media to a
    third party, 461 when nothing is left, 400 for ports that are none."""
    kept = [each for each in offered if _is_usable(each, terms)]
    if not kept:
        why = f" ({terms.reason})" if terms.reason else ""
        raise RtspRefusal(461, f"no transport that works{why}", "RFC 2326 §11.3.9")
    return kept


def _is_usable(transport: Transport, terms: Terms) -> bool:
    if transport.is_tcp:
        transport.channels()
        return terms.interleaved
    if transport.is_multicast:
        return True
    target = transport.address(b"destination")
    if target is not None and not same_host(target[0], terms.client):
        raise RtspRefusal(403, "media to a third party", "RFC 2326 §16")
    ports = transport.ports(b"client_port")
    return terms.mode is not None and (ports is not None or terms.mode is not Mode.RELAY)


def towards_server(kept: list[Transport], relay: RelayStream | None) -> list[Transport]:
    """With the relay's ports in place of the client's."""
    if relay is None:
        return kept
    ports = b"%d-%d" % relay.server_ports
    return [
        each.edited({b"client_port": ports, b"destination": None}) if each.is_udp else each
        for each in kept
    ]


def pair_of(kept: list[Transport]) -> tuple[int, int] | None:
    """The client's ports for UDP, of the first alternative that has some."""
    for each in kept:
        if each.is_udp and (ports := each.ports(b"client_port")) is not None:
            return ports
    return None


def from_relay(
    said: Transport, relay: RelayStream, client_ports: tuple[int, int], local: str
) -> Transport:
    """The server's answer as the client shall see it: the relay is its peer."""
    edits: dict[bytes, bytes | None] = {
        b"client_port": b"%d-%d" % client_ports,
        b"server_port": b"%d-%d" % relay.client_ports,
        b"destination": None,
    }
    if said.has(b"source"):
        edits[b"source"] = local.encode()
    return said.edited(edits)


def hidden(said: Transport, own: frozenset[str], local: str) -> Transport:
    """The server's answer where it answers the client itself: its own address becomes the VIP."""
    source = said.address(b"source")
    if source is None or source[0] not in own:
        return said
    return said.edited({b"source": local.encode()})
