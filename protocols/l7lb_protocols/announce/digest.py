"""Files as 64-bit numbers: what an announcement carries of a path.

100,000 files are 800 kB once and eight bytes for each change. That two of a million files share
a number has a chance of 1 to 37 million, and costs a copy that is looked for in vain.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from urllib.parse import unquote_to_bytes


def path_digest(path: bytes) -> int:
    """Of a path as clients ask for it, percent-encoded or not, with or without slashes around."""
    plain = unquote_to_bytes(path).strip(b"/")
    return int.from_bytes(blake2b(plain, digest_size=8, person=b"l7lb path").digest(), "big")


def combined(digests: Iterable[int]) -> int:
    """One number for a set, whatever its order; it tells whether two sets are the same."""
    found = 0
    for each in digests:
        found ^= each
    return found
