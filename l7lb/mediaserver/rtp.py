"""RTP packets of one source, and the RTCP that tells whose they are (RFC 3550 §5.1, §6).

Pure: the clock and the dice are the caller's.
"""

from __future__ import annotations

import struct

from l7lb.mediaserver.clip import SAMPLES
from l7lb_protocols.rtcp import Goodbye, SenderReport, Source, SourceDescription, build

VERSION = 2 << 6
MARKER = 0x80
PCMU = 0
"""RFC 3551, table 4."""
HEADER = struct.Struct("!BBHII")
NTP_EPOCH_S = 2_208_988_800
"""From 1900 to 1970."""


class Stream:
    """Counts what it makes: sequence and time go on without a gap whatever is played."""

    def __init__(self, ssrc: int, cname: str, sequence: int, time: int) -> None:
        self.ssrc = ssrc
        self.sequence = sequence & 0xFFFF
        """Of the next packet."""
        self.time = time & 0xFFFFFFFF
        self._cname = cname.encode()
        self._packets = 0
        self._octets = 0

    def packet(self, sound: bytes, *, is_first: bool) -> bytes:
        """`is_first`: after silence."""
        head = HEADER.pack(
            VERSION, PCMU | (MARKER if is_first else 0), self.sequence, self.time, self.ssrc
        )
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.time = (self.time + SAMPLES) & 0xFFFFFFFF
        self._packets += 1
        self._octets += len(sound)
        return head + sound

    def report(self, unix_s: float) -> bytes:
        """Sender report and name."""
        return build([self._sender(unix_s), self._description()])

    def goodbye(self, unix_s: float) -> bytes:
        return build([self._sender(unix_s), self._description(), Goodbye((self.ssrc,))])

    def _sender(self, unix_s: float) -> SenderReport:
        ntp = int((unix_s + NTP_EPOCH_S) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
        counts = (self._packets & 0xFFFFFFFF, self._octets & 0xFFFFFFFF)
        return SenderReport(self.ssrc, ntp, self.time, *counts)

    def _description(self) -> SourceDescription:
        return SourceDescription((Source(self.ssrc, self._cname),))
