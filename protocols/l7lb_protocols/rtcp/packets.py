"""The packets that a compound of RTCP holds, as plain values. RFC 3550 §6.4 to 6.7.

Owns the shapes; `parse` and `build` turn them from and into bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

SENDER, RECEIVER, DESCRIPTION, BYE = 200, 201, 202, 203
"""Packet types, §12.1."""
TYPES = range(192, 224)
"""Reserved for RTCP where it shares a port with RTP, RFC 5761 §4."""
VERSION = 2
CNAME = 1
"""The one SDES item that must be there, §6.5.1."""


class RtcpRefusal(Exception):
    """Not RTCP, or cut short, or over a limit; nothing of it is to be believed."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver has seen of one sender. §6.4.1."""

    ssrc: int
    """The sender that is reported on."""
    fraction_lost: int
    """Of the packets since the report before, in 1/256."""
    lost: int
    """Packets since the beginning; below zero when duplicates came."""
    highest: int
    """Extended highest sequence number."""
    jitter: int
    """In units of the RTP clock."""
    last_report: int = 0
    """Middle 32 bits of the NTP time in the last sender report; 0: none came."""
    delay: int = 0
    """Since that report, in 1/65536 s."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    ssrc: int
    ntp: int
    """64 bits: seconds since 1900 in 1/2^32 s."""
    rtp: int
    packets: int
    """RTP packets sent since the beginning."""
    octets: int
    """Their payload."""
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """Head of an SDES chunk: whose it is and the lasting name; other items are passed over."""

    ssrc: int
    cname: bytes = b""


@dataclass(frozen=True, slots=True)
class SourceDescription:
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Goodbye:
    ssrcs: tuple[int, ...]
    reason: bytes = b""


@dataclass(frozen=True, slots=True)
class Other:
    """APP, feedback, extended reports: not looked into."""

    kind: int
    count: int
    """The five bits beside the padding bit: a subtype, a format."""
    body: bytes


Packet = SenderReport | ReceiverReport | SourceDescription | Goodbye | Other
