"""What a director knows of its media servers: who holds which file, how busy, and since when.

Fed with announcements and lists whose signatures were looked at; asked for the view of one file.
A word that is too old counts for nothing, and a node counts from its first list on: a recording of
its datagrams cannot give one. It must not know sockets, secrets or clocks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from l7lb.media.hot.choice import Candidate
from l7lb_protocols.announce.datagram import Announcement
from l7lb_protocols.announce.digest import combined
from l7lb_protocols.announce.listing import Listing

NODES_MOST = 1024
PENDING = 64
"""Datagrams of one node that are kept while its list is fetched."""
FRESH_S = 5.0
"""Ten announcements that did not come: the word is no longer used."""
NOTED_S = 1.5
"""A choice made here counts so long, until the server's own figures have it."""
BUSY_PERMILLE = 1000


class Heard(StrEnum):
    GOOD = "good"
    OLD = "old"
    """Said before, or out of its order: ignored."""
    LIST = "list"
    """The node's list must be fetched: it is new, or something was missed."""
    CROWD = "crowd"
    """More nodes than are kept track of."""


@dataclass(slots=True)
class Node:
    name: str
    said: Announcement
    heard_s: float
    proved_epoch: int = 0
    """That of its last list; its announcements of another epoch are not believed."""
    files: set[int] = field(default_factory=set)
    contents: int = 0
    needs_list: bool = True
    pending: deque[Announcement] = field(default_factory=lambda: deque(maxlen=PENDING))


@dataclass(frozen=True, slots=True)
class NodeView:
    """One line of `status`."""

    name: str
    age_s: float
    is_fresh: bool
    needs_list: bool
    sessions: int
    load: float
    rate_bits_s: int
    free_bytes: int
    files: int


class Holdings:
    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._nodes: dict[str, Node] = {}
        self._noted: dict[str, deque[float]] = {}

    def hear(self, said: Announcement, now_s: float) -> Heard:
        node = self._nodes.get(said.node)
        if node is None:
            if len(self._nodes) >= NODES_MOST:
                return Heard.CROWD
            node = self._nodes[said.node] = Node(said.node, said, now_s)
        elif (said.epoch, said.sequence) <= (node.said.epoch, node.said.sequence):
            return Heard.OLD
        missed = said.epoch != node.said.epoch or said.sequence > node.said.sequence + 1
        node.said = said
        if said.epoch == node.proved_epoch:
            node.heard_s = now_s
        node.needs_list = node.needs_list or missed or said.epoch != node.proved_epoch
        if node.needs_list:
            node.pending.append(said)
        else:
            self._apply(node, said)
        return Heard.LIST if node.needs_list else Heard.GOOD

    def learn(self, listing: Listing, now_s: float) -> bool:
        """Take in a list that was asked for just now; False: it is older than what was heard."""
        node = self._nodes.get(listing.node)
        if node is None or listing.epoch < node.said.epoch:
            return False
        later = [
            each
            for each in node.pending
            if each.epoch == listing.epoch and each.sequence > listing.sequence
        ]
        node.pending.clear()
        node.proved_epoch, node.heard_s = listing.epoch, now_s
        node.files = set(listing.files)
        node.contents = combined(node.files)
        node.needs_list = False
        due = listing.sequence + 1
        for each in later:
            node.needs_list = node.needs_list or each.sequence != due
            due = each.sequence + 1
            self._apply(node, each)
        return not node.needs_list

    def needs_list(self) -> list[str]:
        return [node.name for node in self._nodes.values() if node.needs_list]

    def list_port(self, name: str) -> int:
        return self._nodes[name].said.list_port

    def told(self) -> list[Announcement | Listing]:
        """What another's holdings must `hear` and `learn` to know the same."""
        found: list[Announcement | Listing] = []
        for node in self._nodes.values():
            if not node.needs_list:
                said = node.said
                files = tuple(sorted(node.files))
                found += [said, Listing(node.name, said.epoch, said.sequence, files)]
        return found

    def is_heard(self, servers: Sequence[str], now_s: float) -> bool:
        """Whether anything is known of any of these."""
        return any(self._fresh(name, now_s) is not None for name in servers)

    def note(self, server: str, now_s: float) -> None:
        """A client was sent there just now."""
        self._noted.setdefault(server, deque(maxlen=10_000)).append(now_s)

    def view(self, file: int, servers: Sequence[tuple[str, int]], now_s: float) -> list[Candidate]:
        """Each server (name, weight above 0) as a candidate for this file.

        Of a server that is not heard nothing is known: it gets the mean load of the others, so
        that it is neither flooded nor left out.
        """
        loads = {name: self._load(name, weight, now_s) for name, weight in servers}
        known = [load for load in loads.values() if load is not None]
        mean = sum(known) / len(known) if known else 0.0
        found = []
        for name, weight in servers:
            node = self._fresh(name, now_s)
            load = loads[name]
            found.append(
                Candidate(
                    name,
                    mean + self._recent(name, now_s) / weight if load is None else load,
                    node is not None and file in node.files,
                    node is not None and node.said.load_permille >= BUSY_PERMILLE,
                    weight,
                )
            )
        return found

    def nodes(self, now_s: float) -> list[NodeView]:
        return [
            NodeView(
                node.name,
                now_s - node.heard_s,
                self._fresh(node.name, now_s) is not None,
                node.needs_list,
                node.said.sessions,
                node.said.load_permille / 1000,
                node.said.rate_bits_s,
                node.said.free_bytes,
                len(node.files),
            )
            for node in sorted(self._nodes.values(), key=lambda each: each.name)
        ]

    def forget(self, name: str) -> None:
        """The server left the rules file."""
        self._nodes.pop(name, None)
        self._noted.pop(name, None)

    def _apply(self, node: Node, said: Announcement) -> None:
        for each in said.added:
            if each not in node.files:
                node.files.add(each)
                node.contents ^= each
        for each in said.evicted:
            if each in node.files:
                node.files.discard(each)
                node.contents ^= each
        if len(node.files) != said.files or node.contents != said.contents:
            node.needs_list = True

    def _fresh(self, name: str, now_s: float) -> Node | None:
        """None also while its epoch is not proved."""
        node = self._nodes.get(name)
        if node is None or not node.proved_epoch or node.said.epoch != node.proved_epoch:
            return None
        return node if now_s - node.heard_s <= self._fresh_s else None

    def _load(self, name: str, weight: int, now_s: float) -> float | None:
        node = self._fresh(name, now_s)
        return None if node is None else (node.said.sessions + self._recent(name, now_s)) / weight

    def _recent(self, name: str, now_s: float) -> int:
        noted = self._noted.get(name)
        while noted and now_s - noted[0] > NOTED_S:
            noted.popleft()
        return len(noted) if noted else 0
