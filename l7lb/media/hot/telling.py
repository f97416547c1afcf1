"""What an agent says next: the changes since its last datagram, as many datagrams as they need.

Owns the sequence and what has been announced. It must not know sockets or clocks.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from l7lb_protocols.announce.datagram import Announcement, build, room_for
from l7lb_protocols.announce.digest import combined
from l7lb_protocols.announce.listing import Listing

DATAGRAMS_MOST = 8
"""In one go. With more changes than they carry the listeners fetch the list: it is shorter."""


@dataclass(frozen=True, slots=True)
class State:
    """How the server is just now."""

    sessions: int = 0
    load_permille: int = 0
    rate_bits_s: int = 0
    free_bytes: int = 0


class Teller:
    """`epoch` is greater than that of any earlier life of this node."""

    def __init__(self, node: str, epoch: int, secret: bytes, list_port: int = 0) -> None:
        self._node = node
        self._epoch = epoch
        self.list_port = list_port
        self._secret = secret
        self._sequence = 0
        self._announced: set[int] = set()
        self._contents = 0

    def datagrams(self, held: Collection[int], state: State) -> list[bytes]:
        """At least one, also when nothing changed: silence means that the node is gone."""
        now = set(held)
        added, evicted = sorted(now - self._announced), sorted(self._announced - now)
        room = room_for(self._node)
        if len(added) + len(evicted) > room * DATAGRAMS_MOST:
            self._announced, self._contents = now, combined(now)
            return [self._datagram((), (), state)]
        found: list[bytes] = []
        while added or evicted or not found:
            gone = evicted[:room]
            come = added[: room - len(gone)]
            del evicted[: len(gone)], added[: len(come)]
            self._announced.difference_update(gone)
            self._announced.update(come)
            self._contents ^= combined(gone) ^ combined(come)
            found.append(self._datagram(tuple(come), tuple(gone), state))
        return found

    def listing(self) -> Listing:
        """As after the last datagram."""
        return Listing(self._node, self._epoch, self._sequence, tuple(sorted(self._announced)))

    def _datagram(self, added: tuple[int, ...], evicted: tuple[int, ...], state: State) -> bytes:
        self._sequence += 1
        said = Announcement(
            self._node,
            self._epoch,
            self._sequence,
            state.sessions,
            state.load_permille,
            state.rate_bits_s,
            state.free_bytes,
            len(self._announced),
            self._contents,
            self.list_port,
            added,
            evicted,
        )
        return build(said, self._secret)
