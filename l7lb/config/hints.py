"""Hints for a person who wrote a name that is not known."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

LIST_LIMIT = 40

LATER_KEYS = {
    "Cluster": frozenset({"balancer", "monitor", "alerts"}),
    "Server": frozenset({"media_ports"}),
    "Check": frozenset({"rtsp"}),
}
"""Keys of the rules file that other versions know, by section."""
LATER_PROTOCOLS = frozenset({"rtsp", "lmtp"})


def nearest(name: str, known: Collection[str], what: str = "known") -> str:
    """`did you mean 'x'?` when one is close, and the list of what is known when it is not long."""
    parts = []
    close = get_close_matches(name[:64].lower(), known, n=1, cutoff=0.6)
    if close:
        parts.append(f"did you mean '{close[0]}'?")
    if known and len(known) <= LIST_LIMIT:
        parts.append(f"{what}: {', '.join(known)}")
    elif not known:
        parts.append(f"{what}: none")
    return "; ".join(parts)
