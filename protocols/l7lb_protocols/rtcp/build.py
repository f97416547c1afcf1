"""RTCP packets → the bytes of one datagram. RFC 3550 §6.

Owns writing: what it writes, `parse` reads as the same.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from l7lb_protocols.rtcp.packets import (
    BYE,
    CNAME,
    DESCRIPTION,
    RECEIVER,
    SENDER,
    VERSION,
    Goodbye,
    Other,
    Packet,
    ReceiverReport,
    ReportBlock,
    SenderReport,
    SourceDescription,
)


def build(packets: Sequence[Packet]) -> bytes:
    """One datagram. Raises ValueError for what has no room in its field."""
    try:
        return b"".join(map(_one, packets))
    except struct.error as error:
        raise ValueError(str(error)) from None


def _one(packet: Packet) -> bytes:
    if isinstance(packet, SenderReport):
        info = struct.pack(
            "!IQIII", packet.ssrc, packet.ntp, packet.rtp, packet.packets, packet.octets
        )
        return _framed(SENDER, len(packet.blocks), info + _blocks(packet.blocks))
    if isinstance(packet, ReceiverReport):
        body = struct.pack("!I", packet.ssrc) + _blocks(packet.blocks)
        return _framed(RECEIVER, len(packet.blocks), body)
    if isinstance(packet, SourceDescription):
        return _framed(DESCRIPTION, len(packet.sources), _sources(packet))
    if isinstance(packet, Goodbye):
        return _framed(BYE, len(packet.ssrcs), _goodbye(packet))
    assert isinstance(packet, Other)
    return _framed(packet.kind, packet.count, packet.body)


def _framed(kind: int, count: int, body: bytes) -> bytes:
    if count > 31 or len(body) % 4:
        raise ValueError("more than 31 parts, or no whole words")
    return struct.pack("!BBH", VERSION << 6 | count, kind, len(body) // 4) + body


def _blocks(blocks: Sequence[ReportBlock]) -> bytes:
    return b"".join(map(_block, blocks))


def _block(block: ReportBlock) -> bytes:
    if not -(1 << 23) <= block.lost < 1 << 23:
        raise ValueError(f"{block.lost} lost packets do not fit 24 bits")
    losses = block.fraction_lost << 24 | (block.lost & 0xFFFFFF)
    return struct.pack(
        "!IIIIII",
        block.ssrc,
        losses,
        block.highest,
        block.jitter,
        block.last_report,
        block.delay,
    )


def _sources(packet: SourceDescription) -> bytes:
    chunks = []
    for source in packet.sources:
        item = struct.pack("!BB", CNAME, len(source.cname)) + source.cname if source.cname else b""
        chunk = struct.pack("!I", source.ssrc) + item
        chunks.append(chunk + bytes(4 - len(chunk) % 4))
    return b"".join(chunks)


def _goodbye(packet: Goodbye) -> bytes:
    text = struct.pack("!B", len(packet.reason)) + packet.reason if packet.reason else b""
    ssrcs = b"".join(struct.pack("!I", ssrc) for ssrc in packet.ssrcs)
    return ssrcs + text + bytes(-len(text) % 4)
