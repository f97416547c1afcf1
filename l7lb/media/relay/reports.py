"""What RTCP told of one stream: losses and jitter as its receiver sees them, and who has left.

Owns the reading of reports for accounts. Bad RTCP is counted and passed on all the same: it is the
peers' own affair. Pure.
"""

from __future__ import annotations

from l7lb_protocols.rtcp import (
    Goodbye,
    Packet,
    ReceiverReport,
    ReportBlock,
    RtcpRefusal,
    SenderReport,
    parse,
)


class Reports:
    """Of one end: what it says of what it receives."""

    def __init__(self) -> None:
        self.ssrc: int | None = None
        """The sender whose losses are asked for; None: the first that a report names."""
        self.block: ReportBlock | None = None
        self.block_s = 0.0
        """When it came."""
        self.sent: tuple[int, int] | None = None
        """Packets and octets that this end says to have sent."""
        self.has_left = False
        self.unreadable = 0

    def read(self, data: bytes, now_s: float) -> bool:
        """True when this is the first goodbye."""
        try:
            packets = parse(data)
        except RtcpRefusal:
            self.unreadable += 1
            return False
        had_left = self.has_left
        for packet in packets:
            self._take(packet, now_s)
        return self.has_left and not had_left

    def _take(self, packet: Packet, now_s: float) -> None:
        if isinstance(packet, Goodbye):
            self.has_left = True
        elif isinstance(packet, SenderReport):
            self.sent = (packet.packets, packet.octets)
        if isinstance(packet, SenderReport | ReceiverReport):
            for block in packet.blocks:
                if self.ssrc is None or block.ssrc == self.ssrc:
                    self.block, self.block_s = block, now_s
                    return

    def figures(self, now_s: float) -> dict[str, object]:
        """JSON."""
        found: dict[str, object] = {"unreadable": self.unreadable, "has_left": self.has_left}
        if self.sent is not None:
            found["sent_packets"], found["sent_octets"] = self.sent
        if self.block is not None:
            found["lost"] = self.block.lost
            found["lost_share"] = round(self.block.fraction_lost / 256, 4)
            found["jitter"] = self.block.jitter
            found["age_s"] = round(now_s - self.block_s, 3)
        return found
