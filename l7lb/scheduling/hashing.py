"""The one hash of this folder: 64 bits, the same in every process and on every machine."""

from __future__ import annotations

from hashlib import blake2b


def hash64(data: bytes) -> int:
    """Unsigned 64-bit BLAKE2b of `data`."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")
