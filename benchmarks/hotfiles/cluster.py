"""Servers with a disk each, in simulated time. What to copy is `HotSet`'s decision, the agent's own
code; each server says what it holds in the datagrams that agents send.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.hotfiles.trace import Trace, Viewing
from l7lb.media.hot.hot_set import HotSet, HotSetSpec, Order
from l7lb.media.hot.residency import Access, ResidencySpec
from l7lb.media.hot.telling import State, Teller
from l7lb_protocols.announce.digest import path_digest

SECRET = b"sixteen bytes or more"
SERVERS = 8
STREAM_BITS_S = 2e6
COPY_BYTES_S = 50e6
STEPS = 4
"""A viewing is credited in so many parts while it goes on."""
EVERY_S = 0.5
"""Of announcements."""
WARM = 1 / 3
"""Share of the trace before anything is counted."""

Choose = Callable[["Cluster", int, float], int]
"""File and time to the number of a server."""
Step = Callable[[], None]


@dataclass(slots=True)
class Server:
    number: int
    hot: HotSet
    teller: Teller
    sessions: int = 0
    reading: dict[str, int] = field(default_factory=dict)
    held: set[int] = field(default_factory=set)
    order: Order | None = None
    said_s: float = -1.0
    is_changed: bool = True

    @property
    def name(self) -> str:
        return f"m{self.number}"

    def is_read(self, file: str) -> bool:
        return self.reading.get(file, 0) > 0

    def datagrams(self) -> list[bytes]:
        return self.teller.datagrams(self.held, State(self.sessions))


@dataclass(slots=True)
class Counted:
    """Bytes, after the warming up."""

    streamed: list[int]
    local: int = 0
    shared: int = 0
    copied: int = 0
    peaks: list[float] = field(default_factory=list)
    """Sessions of the busiest server ÷ mean, now and then."""

    @property
    def shared_percent(self) -> float:
        """Read from shared storage, copies included, of all that was streamed."""
        return 100 * (self.shared + self.copied) / sum(self.streamed)

    @property
    def hit_percent(self) -> float:
        return 100 * self.local / sum(self.streamed)

    @property
    def busiest(self) -> float:
        return max(self.streamed) * len(self.streamed) / sum(self.streamed)

    @property
    def peak(self) -> float:
        return sum(self.peaks) / len(self.peaks)


class Cluster:
    def __init__(self, asked: Trace, capacity_share: float, choose: Choose) -> None:
        self._asked = asked
        self._choose = choose
        capacity = int(sum(asked.sizes) * capacity_share)
        spec = HotSetSpec(ResidencySpec(capacity))
        self.servers = [
            Server(number, HotSet(spec), Teller(f"m{number}", 1, SECRET))
            for number in range(SERVERS)
        ]
        self._events: list[tuple[float, int, Step]] = []
        self._number = 0
        self._counts = False
        self.counted = Counted([0] * SERVERS)

    def run(self) -> Counted:
        viewings = self._asked.viewings
        for number, viewing in enumerate(viewings):
            self._counts = number >= WARM * len(viewings)
            self._until(viewing.start_s)
            self._begin(self.servers[self._choose(self, viewing.file, viewing.start_s)], viewing)
            if self._counts and number % 50 == 0:
                sessions = [server.sessions for server in self.servers]
                self.counted.peaks.append(max(sessions) * SERVERS / max(1, sum(sessions)))
        return self.counted

    def _until(self, now_s: float) -> None:
        while self._events and self._events[0][0] <= now_s:
            heapq.heappop(self._events)[2]()

    def _at(self, time_s: float, step: Step) -> None:
        self._number += 1
        heapq.heappush(self._events, (time_s, self._number, step))

    def _begin(self, server: Server, viewing: Viewing) -> None:
        name, size = str(viewing.file), self._asked.sizes[viewing.file]
        access = server.hot.opened(name, size, viewing.start_s)
        count = int(size * viewing.part)
        if self._counts:
            self.counted.streamed[server.number] += count
            self.counted.local += count * (access is Access.HIT)
            self.counted.shared += count * (access is not Access.HIT)
        server.sessions += 1
        server.reading[name] = server.reading.get(name, 0) + 1
        server.is_changed = True
        length_s = 8 * count / STREAM_BITS_S
        for step in range(1, STEPS + 1):
            at_s = viewing.start_s + length_s * step / STEPS
            self._at(at_s, self._streamed(server, name, viewing.part / STEPS, at_s))
        self._at(viewing.start_s + length_s, lambda: self._end(server, name))
        self._copy(server, viewing.start_s)

    def _streamed(self, server: Server, name: str, viewings: float, now_s: float) -> Step:
        return lambda: server.hot.streamed(name, viewings, now_s)

    def _end(self, server: Server, name: str) -> None:
        server.sessions -= 1
        server.reading[name] -= 1
        if not server.reading[name]:
            del server.reading[name]
        server.is_changed = True

    def _copy(self, server: Server, now_s: float) -> None:
        """The next one, when none is under way."""
        if server.order is not None:
            return
        order = server.order = server.hot.next_order(now_s, server.is_read)
        if order is None:
            return
        for victim in order.victims:
            server.hot.evicted(victim, now_s)
            server.held.discard(path_digest(victim.encode()))
        server.is_changed = True
        done_s = now_s + order.size / COPY_BYTES_S
        self._at(done_s, lambda: self._copied(server, order, done_s))

    def _copied(self, server: Server, order: Order, now_s: float) -> None:
        server.hot.copied(order.name)
        server.held.add(path_digest(order.name.encode()))
        server.order = None
        server.is_changed = True
        if self._counts:
            self.counted.copied += order.size
        self._copy(server, now_s)
