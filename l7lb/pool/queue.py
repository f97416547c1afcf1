"""The waiting line of a pool whose servers are all full. First come, first served, bounded.

Who waits for one certain server (persistence) stands in that server's lane, so that nobody behind
is held up; the lanes are merged by age.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator

from l7lb.pool.server import Server
from l7lb.pool.slot import Slot
from l7lb_protocols.facts import Facts


class Ticket:
    """A place in the line. `facts` must stay valid until it is granted or cancelled."""

    __slots__ = ("_line", "exclude", "facts", "granted", "number", "pinned")

    def __init__(
        self,
        facts: Facts,
        exclude: Collection[Server],
        granted: Callable[[Slot], None],
        pinned: Server | None,
    ) -> None:
        self.facts = facts
        self.exclude = exclude
        self.granted = granted
        self.pinned = pinned
        self.number = 0
        self._line: WaitingLine | None = None

    @property
    def is_waiting(self) -> bool:
        return self._line is not None

    def cancel(self) -> None:
        """Leave the line; `granted` will not be called. Nothing happens the second time."""
        if self._line is not None:
            self._line.remove(self)

    def entered(self, line: WaitingLine | None) -> None:
        """Called by the line only."""
        self._line = line


Lane = OrderedDict[int, Ticket]


class WaitingLine:
    """Tickets in order of their numbers, in one lane for each pinned server and one for all."""

    def __init__(self) -> None:
        self.length = 0
        self._lanes: dict[Server | None, Lane] = {}
        self._last_number = 0

    def add(self, ticket: Ticket) -> None:
        self._last_number += 1
        ticket.number = self._last_number
        ticket.entered(self)
        self._lanes.setdefault(ticket.pinned, OrderedDict())[ticket.number] = ticket
        self.length += 1

    def remove(self, ticket: Ticket) -> None:
        lane = self._lanes[ticket.pinned]
        del lane[ticket.number]
        if not lane:
            del self._lanes[ticket.pinned]
        ticket.entered(None)
        self.length -= 1

    def heads(self) -> list[Ticket]:
        """The tickets that may be served next, the oldest first.

        One for each lane; in the lane for all also those behind a ticket that excludes servers,
        for what holds that one up need not hold up the next.
        """
        firsts: list[Ticket] = []
        for lane in self._lanes.values():
            firsts.extend(_until_unconditional(lane.values()))
        return sorted(firsts, key=lambda ticket: ticket.number)

    def unpin(self, lost: Callable[[Server], bool]) -> None:
        """Let those who wait for a server that keeps no clients go to any server."""
        moved = [each for each in self._lanes if each is not None and lost(each)]
        if not moved:
            return
        free = dict(self._lanes.pop(None, OrderedDict()))
        for server in moved:
            for number, ticket in self._lanes.pop(server).items():
                ticket.pinned = None
                free[number] = ticket
        self._lanes[None] = OrderedDict(sorted(free.items()))


def _until_unconditional(tickets: Iterable[Ticket]) -> Iterator[Ticket]:
    for ticket in tickets:
        yield ticket
        if not ticket.exclude:
            return
