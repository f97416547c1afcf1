"""The relay's data path: datagrams from one socket to the other of a pair, nothing from strangers.

`packets.pyx` is the same for a machine with a compiler, with many datagrams in one system call;
both keep to these docstrings, and one test holds them to it. Owns where a side's packets go and
what is counted of them. Must not know sessions, RTCP or verbs.
"""

from __future__ import annotations

import select
import socket
import time

BATCH = 64
"""Datagrams taken from one socket before the next has its turn."""
READY = 64
"""Sockets looked at in one turn."""
DATAGRAM_BYTES = 65535
REST_S = (0.00025, 0.006)
"""Shortest and longest rest between two turns."""
FEW, MANY = 8, 32
"""Datagrams that one socket had at the end of a rest: below, it may be longer; above, shorter."""

_room = memoryview(bytearray(DATAGRAM_BYTES))


class Side:
    """One socket, the one peer behind it, and the other side, to which its packets go.

    Owns the socket: `close` it. `host` is the peer's address as text; its port is 0 until it is
    told (`aim`) or until the first packet from that address decides it: then `latched` is true, and
    every other port is a stranger's. Raises OSError for a bad address.
    """

    def __init__(self, fd: int, host: str, reports: bool) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = socket.inet_ntop(family, socket.inet_pton(family, host))
        self.fd = fd
        self.port = 0
        self.latched = False
        self.reports = reports
        """This is RTCP: keep the last datagram of each batch in `report`."""
        self.report = b""
        self.other: Side | None = None
        self.packets = 0
        """Taken from the peer."""
        self.octets = 0
        self.lost = 0
        """Of those, not passed on: no place to send them yet, or the kernel took them not."""
        self.strangers = 0
        """Dropped, from anybody but the peer."""
        self.last_s = 0.0
        """When the last packet came, monotonic; 0: none did."""
        self._socket = socket.socket(family, socket.SOCK_DGRAM, fileno=fd)
        self._socket.setblocking(False)

    def aim(self, port: int) -> None:
        """The peer says that it is there; what has been latched holds against it."""
        if not self.latched:
            self.port = port

    def close(self) -> None:
        self._socket.close()

    def move(self, now_s: float) -> int:
        """One batch, to the other side; how many datagrams were there."""
        for number in range(BATCH):
            try:
                size, address = self._socket.recvfrom_into(_room)
            except OSError:
                return number
            self._take(size, address, now_s)
        return BATCH

    def _take(self, size: int, address: tuple[str, int], now_s: float) -> None:
        if address[0] != self.host or (self.latched and address[1] != self.port):
            self.strangers += 1
            return
        if not self.latched:
            self.port, self.latched = address[1], True
        self.packets += 1
        self.octets += size
        self.last_s = now_s
        if self.reports:
            self.report = bytes(_room[:size])
        if self.other is None or not self.other.put(_room[:size]):
            self.lost += 1

    def put(self, data: memoryview) -> bool:
        """Send to the peer; False when it cannot be done now."""
        if not self.port:
            return False
        try:
            self._socket.sendto(data, (self.host, self.port))
        except OSError:
            return False
        return True


class Pace:
    """How long to rest after a turn.

    A wake-up costs more than a packet. So after a turn that moved something the process rests for
    some milliseconds and finds what came meanwhile in one batch; a player's buffer holds a hundred
    times as much. Under load it rests less, so that no socket's buffer overflows.
    """

    def __init__(self, longest_s: float = REST_S[1]) -> None:
        self._longest_s = longest_s
        self._shortest_s = min(REST_S[0], longest_s)
        self._rest_s = self._shortest_s

    def after(self, moved: int, largest: int) -> float:
        """`moved` datagrams in the turn, `largest` of them from one socket. 0: wait for more."""
        if not moved:
            return 0.0
        if largest > MANY:
            self._rest_s = max(self._rest_s / 2, self._shortest_s)
        elif largest < FEW:
            self._rest_s = min(self._rest_s * 2, self._longest_s)
        return self._rest_s


class Mover:
    """Moves what is ready. Other descriptors may stand in the same set; it tells of them."""

    def __init__(self, epoll: select.epoll, rest_s: float = REST_S[1]) -> None:
        self._epoll = epoll
        self._pace = Pace(rest_s)
        self._sides: dict[int, Side] = {}
        self.noted: list[Side] = []
        """Sides that were latched in this turn, or got a report; whoever reads it empties it."""
        self.moved = 0
        """Datagrams in the last turn."""
        self.largest = 0
        """Of them, the most that one socket had."""

    def watch(self, side: Side) -> None:
        """Raises OSError."""
        self._epoll.register(side.fd, select.EPOLLIN)
        self._sides[side.fd] = side

    def forget(self, side: Side) -> None:
        """Before it is closed, and never inside a turn."""
        if self._sides.pop(side.fd, None) is not None:
            self._epoll.unregister(side.fd)

    def work(self, seconds: float) -> list[int]:
        """Turn after turn with rests between, until somebody else has something to do: the
        descriptors of `turn`, sides in `noted`, or so many seconds are over. A signal may end it
        too. Raises OSError."""
        end_s = time.monotonic() + seconds
        rest_s = 0.0
        while True:
            if rest_s:
                time.sleep(rest_s)
            foreign = self.turn(0.0 if rest_s else max(end_s - time.monotonic(), 0.0))
            if foreign or self.noted or time.monotonic() >= end_s:
                return foreign
            rest_s = self._pace.after(self.moved, self.largest)

    def turn(self, timeout_s: float) -> list[int]:
        """Wait, move one batch of each socket that is ready, and return the descriptors that are
        no side's. Bounded: READY sockets, BATCH datagrams each. Raises OSError."""
        now_s = 0.0
        foreign = []
        self.moved = self.largest = 0
        for fd, _ in self._epoll.poll(timeout_s, READY):
            side = self._sides.get(fd)
            if side is None:
                foreign.append(fd)
                continue
            now_s = now_s or time.monotonic()
            self._move(side, now_s)
        return foreign

    def _move(self, side: Side, now_s: float) -> None:
        was_latched, packets = side.latched, side.packets
        moved = side.move(now_s)
        if side.latched is not was_latched or (side.reports and side.packets > packets):
            self.noted.append(side)
        self.moved += moved
        self.largest = max(self.largest, moved)
