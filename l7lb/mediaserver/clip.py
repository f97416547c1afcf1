"""A clip: a file of bare µ-law sound, 8000 samples a second, one channel, cut into packets.

`ffmpeg -i SOUND -f mulaw -ar 8000 -ac 1 NAME.ulaw` makes one. Must not know RTP or sessions.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

RATE = 8000
SAMPLES = 160
"""Of a packet: 20 ms, RFC 3551 §4.2."""
PACKET_S = SAMPLES / RATE
TRACK = "audio"
PATH = re.compile(rb"/([A-Za-z0-9_-]{1,64})(/audio)?/?")


class Asked(NamedTuple):
    """What a path names."""

    name: str
    is_track: bool


def read_path(path: bytes) -> Asked | None:
    """None: no clip has such a path."""
    match = PATH.fullmatch(path)
    return Asked(match[1].decode(), bool(match[2])) if match else None


class Clip:
    """An open file; `close` it. Raises OSError when it is not there or no file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._fd = os.open(folder / f"{name}.ulaw", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(self._fd)
        self.packets = found.st_size // SAMPLES
        """Whole ones."""
        if not stat.S_ISREG(found.st_mode) or not self.packets:
            self.close()
            raise FileNotFoundError(f"{name}.ulaw is no file of sound")

    @property
    def seconds(self) -> float:
        return self.packets * PACKET_S

    def packet(self, number: int) -> bytes:
        """Its sound; short or empty where the file was cut meanwhile."""
        return os.pread(self._fd, SAMPLES, number * SAMPLES)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def describe(clip: Clip, server: str, address: str) -> bytes:
    """SDP (RFC 4566) with relative controls, so that it holds behind a director too.

    `address`: the server's own, for the origin; media's address is left to SETUP.
    """
    family, nobody = ("IP6", "::") if ":" in address else ("IP4", "0.0.0.0")
    lines = (
        "v=0",
        f"o=- {clip.packets} 1 IN {family} {address}",
        f"s={clip.name} by {server}",
        f"c=IN {family} {nobody}",
        "t=0 0",
        "a=control:*",
        f"a=range:npt=0-{clip.seconds:.2f}",
        "m=audio 0 RTP/AVP 0",
        "a=rtpmap:0 PCMU/8000",
        f"a=control:{TRACK}",
    )
    return "".join(f"{line}\r\n" for line in lines).encode()
