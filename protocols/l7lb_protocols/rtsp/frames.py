"""Where a run of interleaved frames ends (RFC 2326 §10.12). Hot: compiled by Cython.

The only look at media that comes over a control connection: four bytes of each packet.
"""

from __future__ import annotations

MARK = 0x24
"""`$`, which begins a frame; then channel, and length of 16 bits."""
HEAD_BYTES = 4


def run_end(data: bytes, at: int) -> int:
    """Of the run that begins at `at`: beyond the data when the last frame goes on there.

    Whatever of a frame's own four bytes is missing stays for later.
    """
    p = data
    last = len(data) - HEAD_BYTES
    while at <= last and p[at] == MARK:
        at += HEAD_BYTES + (p[at + 2] << 8 | p[at + 3])
    return at
