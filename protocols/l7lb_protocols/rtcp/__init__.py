"""RTCP (RFC 3550 §6): what senders and receivers of RTP report. Reads compound packets, makes them.

Owns the bytes. Must not know sockets, sessions, or what a report is good for.
"""

from l7lb_protocols.rtcp.build import build
from l7lb_protocols.rtcp.packets import (
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
from l7lb_protocols.rtcp.parse import MAX_PACKETS, parse

__all__ = [
    "MAX_PACKETS",
    "Goodbye",
    "Other",
    "Packet",
    "ReceiverReport",
    "ReportBlock",
    "RtcpRefusal",
    "SenderReport",
    "Source",
    "SourceDescription",
    "build",
    "parse",
]
