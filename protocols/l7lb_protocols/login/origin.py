"""Whose connection it is, handed from director to director and to the server.

Owns the record and the hop count. Must not know the command that carries it, nor who is believed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

MAX_HOPS = 10
"""A connection that passed so many directors goes round in a ring."""

_SESSION = re.compile(rb"[!-~]{1,64}")


@dataclass(frozen=True, slots=True)
class Origin:
    """The client as the first director saw it. Addresses as text, empty if unknown; `hops_left`:
    how many more directors may take part, this one included."""

    address: str = ""
    port: int = 0
    local_address: str = ""
    local_port: int = 0
    session: bytes = b""
    hops_left: int = MAX_HOPS

    @property
    def is_loop(self) -> bool:
        """Nobody may pass this connection on."""
        return self.hops_left <= 1

    def next_hop(self) -> Origin:
        """As the next one must be told it."""
        return self.with_hops(self.hops_left - 1)

    def with_hops(self, hops_left: int) -> Origin:
        """The same client with another count."""
        if hops_left == self.hops_left:
            return self
        here = (self.address, self.port, self.local_address, self.local_port)
        return Origin(*here, self.session, hops_left)

    def fields(self) -> dict[str, bytes]:
        """As text, by the names of the attributes; what is unknown is empty."""
        return {
            "address": self.address.encode("ascii"),
            "port": b"%d" % self.port if self.port else b"",
            "local_address": self.local_address.encode("ascii"),
            "local_port": b"%d" % self.local_port if self.local_port else b"",
            "session": self.session,
            "hops_left": b"%d" % self.hops_left,
        }


NOBODY = Origin()
"""Nothing is known."""


def parse_origin(fields: dict[str, bytes]) -> Origin:
    """From text, by the names of the attributes; empty is unknown. Raises ValueError for nonsense.

    A hop count above MAX_HOPS counts as MAX_HOPS.
    """
    fields = {name: value for name, value in fields.items() if value}
    session = fields.get("session", b"")
    if session and not _SESSION.fullmatch(session):
        raise ValueError("session id is not printable or too long")
    return Origin(
        _address(fields.get("address", b"")),
        _number(fields.get("port", b"0"), 65535),
        _address(fields.get("local_address", b"")),
        _number(fields.get("local_port", b"0"), 65535),
        session,
        min(_number(fields.get("hops_left", b"%d" % MAX_HOPS), 10**6), MAX_HOPS),
    )


def _address(text: bytes) -> str:
    if not text:
        return ""
    if b"%" in text:
        raise ValueError("address with a zone")
    return str(ip_address(text.decode("ascii")))


def _number(text: bytes, largest: int) -> int:
    if not text.isdigit() or len(text) > 7 or int(text) > largest:
        raise ValueError("no number, or too large")
    return int(text)
