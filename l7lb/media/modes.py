"""Which way a server's media takes, and why. Pure.

`direct`: the server answers straight to the player in the VIP's name. `nat`: the kernel of the
director translates. `relay`: user space. `redirect`: the player is sent to the server, which only
the rules can choose. The first mode of the rules that works is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

DIRECT, NAT, RELAY, REDIRECT = "direct", "nat", "relay", "redirect"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a server; each empty string means that it is well, a word why it is not."""

    kernel: str = ""
    """The director's rules are in its kernel, and this server is in them."""
    agent: str = ""
    """The server's agent answers, and its rules are as they should be."""
    spoof: str = ""
    """What the server sends in the VIP's name reaches the clients' side."""
    control: str = ""
    """The server's answers to a client's address come back through the director."""
    media: str = ""
    """So does its UDP. Unknown counts as well: a player without media falls back to TCP."""
    relay: str = ""
    """The relay process answers."""


@dataclass(frozen=True, slots=True)
class Choice:
    """`mode` is None where nothing works; `reason` is for an administrator."""

    mode: str | None
    reason: str
    rejected: tuple[tuple[str, str], ...] = ()

    def words(self) -> str:
        """All of it on one line."""
        rejected = (f"not {mode}: {why}" for mode, why in self.rejected)
        return "; ".join((f"{self.mode or 'none'}: {self.reason}", *rejected))


def _direct(known: Known) -> str:
    return known.kernel or known.agent or known.spoof or known.control


def _nat(known: Known) -> str:
    return known.kernel or known.control or known.media


def _relay(known: Known) -> str:
    return known.relay


OBSTACLE: dict[str, Callable[[Known], str]] = {
    DIRECT: _direct,
    NAT: _nat,
    RELAY: _relay,
    REDIRECT: lambda _: "",
}
REASON = {
    DIRECT: "the server's media reaches players in the VIP's name, past the director",
    NAT: "the server's way back leads through this director, whose kernel translates",
    RELAY: "packets go through user space on this director",
    REDIRECT: "players are sent to the server itself",
}


def choose(modes: Sequence[str], known: Known) -> Choice:
    """The first of these that works, in the order of the rules."""
    rejected: list[tuple[str, str]] = []
    for mode in modes:
        obstacle = OBSTACLE[mode](known)
        if not obstacle:
            return Choice(mode, REASON[mode], tuple(rejected))
        rejected.append((mode, obstacle))
    return Choice(None, "no mode of the rules works", tuple(rejected))
