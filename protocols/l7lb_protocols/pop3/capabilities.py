"""What servers can do, what all of them can, and what a client is told (RFC 2449 §5, §6).

Must not know which servers there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Capabilities = tuple[bytes, ...]
"""Lines of the answer to CAPA."""

_OURS = frozenset((b"STLS", b"USER", b"SASL", b"RESP-CODES", b"AUTH-RESP-CODE"))
"""Said of the connection to the director, whatever the servers say."""
_NEVER = frozenset((b"IMPLEMENTATION", b"XCLIENT", b"UTF8", b"LANG"))
"""They say who the server is, or are for use before login, where the director does not know them
(RFC 6856)."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What this connection offers now."""

    mechanisms: tuple[bytes, ...]
    starttls: bool = False
    user: bool = True
    """USER and PASS."""


def tag(line: bytes) -> bytes:
    """The name of a capability, in upper case."""
    return line.partition(b" ")[0].upper()


def has(capabilities: Iterable[bytes], name: bytes) -> bool:
    """Whether `name` (upper case) is among them."""
    return any(tag(line) == name for line in capabilities)


def mechanisms(capabilities: Iterable[bytes]) -> tuple[bytes, ...]:
    """SASL mechanisms announced, in upper case."""
    return tuple(
        word.upper()
        for line in capabilities
        if tag(line) == b"SASL"
        for word in line.split(b" ")[1:]
        if word
    )


def intersect(several: Sequence[Capabilities]) -> Capabilities:
    """What every server can, with the same parameters, in the order of the first."""
    if not several:
        return ()
    common = set.intersection(*({line.upper() for line in lines} for lines in several))
    return tuple(dict.fromkeys(line for line in several[0] if line.upper() in common))


def advertise(common: Capabilities, offer: Offer) -> tuple[bytes, ...]:
    """The lines for a client before login. `common`: the intersection over the servers that it may
    come to; empty if nothing is known yet."""
    lines = [line for line in common if tag(line) not in _OURS | _NEVER]
    lines += [b"RESP-CODES", b"AUTH-RESP-CODE"]
    lines += [b"STLS"] * offer.starttls + [b"USER"] * offer.user
    if offer.mechanisms:
        lines.append(b"SASL " + b" ".join(offer.mechanisms))
    return tuple(lines)
