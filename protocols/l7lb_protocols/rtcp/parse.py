"""Bytes of one UDP datagram → the RTCP packets in it. RFC 3550 §6.1, appendix A.2.

Owns reading and its limits.
"""

from __future__ import annotations

import struct

from l7lb_protocols.rtcp.packets import (
    BYE,
    CNAME,
    DESCRIPTION,
    RECEIVER,
    SENDER,
    TYPES,
    VERSION,
    Goodbye,
    Other,
    Packet,
    ReceiverReport,
    ReportBlock,
    RtcpRefusal,
    SenderReport,
    Source,
    SourceDescription,
)

MAX_PACKETS = 64
"""In one datagram; a conference's mixer sends a handful."""

_BLOCK = struct.Struct("!IIIIII")
_SENDER_INFO = struct.Struct("!QIII")


def parse(data: bytes, max_packets: int = MAX_PACKETS) -> list[Packet]:
    """All packets of a datagram, at least one.

    A compound need not begin with a report (RFC 5506 allows less, and players send less).
    Raises RtcpRefusal.
    """
    found: list[Packet] = []
    at = 0
    while at < len(data):
        if len(found) == max_packets:
            raise RtcpRefusal(f"more than {max_packets} packets")
        count, kind, body, at = _cut(data, at)
        found.append(_read(count, kind, body))
    if not found:
        raise RtcpRefusal("empty")
    return found


def _cut(data: bytes, at: int) -> tuple[int, int, bytes, int]:
    """(count, type, body without padding, where the next begins) of the packet at `at`."""
    if len(data) - at < 4:
        raise RtcpRefusal("header is cut short")
    first, kind, words = struct.unpack_from("!BBH", data, at)
    end = at + 4 * (words + 1)
    if first >> 6 != VERSION:
        raise RtcpRefusal(f"version {first >> 6}")
    if kind not in TYPES:
        raise RtcpRefusal(f"packet type {kind} is not RTCP's")
    if end > len(data):
        raise RtcpRefusal("packet is longer than the datagram")
    body = data[at + 4 : end]
    if first & 0x20:
        body = _without_padding(body, is_last=end == len(data))
    return first & 0x1F, kind, body, end


def _without_padding(body: bytes, *, is_last: bool) -> bytes:
    """§6.4.1: only the last packet may be padded; the last octet says by how much."""
    size = body[-1] if body else 0
    if not is_last or not 0 < size <= len(body) or size % 4:
        raise RtcpRefusal("impossible padding")
    return body[:-size]


def _read(count: int, kind: int, body: bytes) -> Packet:
    if kind == SENDER:
        return _sender(count, body)
    if kind == RECEIVER:
        return ReceiverReport(_ssrc(body), _blocks(count, body, 4))
    if kind == DESCRIPTION:
        return SourceDescription(_sources(count, body))
    if kind == BYE:
        return _goodbye(count, body)
    return Other(kind, count, body)


def _sender(count: int, body: bytes) -> SenderReport:
    if len(body) < 24:
        raise RtcpRefusal("sender report is cut short")
    ntp, rtp, packets, octets = _SENDER_INFO.unpack_from(body, 4)
    return SenderReport(_ssrc(body), ntp, rtp, packets, octets, _blocks(count, body, 24))


def _ssrc(body: bytes, at: int = 0) -> int:
    if len(body) < at + 4:
        raise RtcpRefusal("source is cut short")
    return int.from_bytes(body[at : at + 4], "big")


def _blocks(count: int, body: bytes, at: int) -> tuple[ReportBlock, ...]:
    if len(body) < at + count * _BLOCK.size:
        raise RtcpRefusal("report blocks are cut short")
    return tuple(_block(body, at + number * _BLOCK.size) for number in range(count))


def _block(body: bytes, at: int) -> ReportBlock:
    ssrc, losses, highest, jitter, last, delay = _BLOCK.unpack_from(body, at)
    lost = losses & 0xFFFFFF
    if lost & 0x800000:
        lost -= 1 << 24
    return ReportBlock(ssrc, losses >> 24, lost, highest, jitter, last, delay)


def _sources(count: int, body: bytes) -> tuple[Source, ...]:
    found = []
    at = 0
    for _ in range(count):
        source, at = _source(body, at)
        found.append(source)
    return tuple(found)


def _source(body: bytes, at: int) -> tuple[Source, int]:
    """§6.5: items until a null octet, then padded to a whole word."""
    ssrc, cname = _ssrc(body, at), b""
    at += 4
    while True:
        if at >= len(body):
            raise RtcpRefusal("description has no end")
        if body[at] == 0:
            return Source(ssrc, cname), (at // 4 + 1) * 4
        text, end = _counted(body, at + 1)
        if body[at] == CNAME:
            cname = text
        at = end


def _goodbye(count: int, body: bytes) -> Goodbye:
    ssrcs = tuple(_ssrc(body, 4 * number) for number in range(count))
    reason = _counted(body, 4 * count)[0] if len(body) > 4 * count else b""
    return Goodbye(ssrcs, reason)


def _counted(body: bytes, at: int) -> tuple[bytes, int]:
    """Text behind an octet that says its length, and where it ends."""
    end = at + 1 + body[at] if at < len(body) else len(body) + 1
    if end > len(body):
        raise RtcpRefusal("text is cut short")
    return body[at + 1 : end], end
