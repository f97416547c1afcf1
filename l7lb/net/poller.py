"""Readiness of all our sockets in one epoll set, itself one reader of the event loop.

The loop (uvloop or asyncio) sees a single descriptor; everything below is a table look-up and a
call. So both loops cost the same, an idle connection costs no loop object, and the relay may
splice because nobody else owns the descriptor. Knows no protocol.
"""

from __future__ import annotations

import asyncio
import logging
import select
import time

from l7lb.net.kernel import Readiness

READ = select.EPOLLIN | select.EPOLLRDHUP
WRITE = select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP
log = logging.getLogger("l7lb.net")
BATCH = 256
"""Events served before the loop's timers and callbacks get their turn."""


class Pollable:
    """Owner of a descriptor in the set."""

    def ready(self, events: int) -> None:
        """Serve these epoll events; a spurious call must do no harm."""
        raise NotImplementedError

    def round_ended(self) -> None:
        """Give the kernel what was written in this round (see `Poller.at_round_end`)."""


class Poller:
    """Call `close()` before the loop is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now_s = time.monotonic()
        """Monotonic time at the beginning of this round: good enough for deadlines and logs, and
        free. The engine's tick keeps it going when no socket is ready."""
        self.wall_offset_s = time.time() - self.now_s
        """Wall clock less monotonic clock; the engine's tick keeps it true."""
        self._epoll = select.epoll()
        self._ready = Readiness(self._epoll)
        self._watched: list[Pollable | None] = []
        """By descriptor."""
        self._writers: list[Pollable] = []
        self._dispatching = False
        self._forgotten: set[int] = set()
        """Descriptors whose remaining events of this round belong to what was closed."""
        loop.add_reader(self._epoll.fileno(), self._dispatch)

    def watch(self, fd: int, pollable: Pollable, events: int) -> None:
        """A descriptor that is watched already has another owner from now on."""
        if fd not in self or not self._is_modified(fd, events):
            self._epoll.register(fd, events)
        while fd >= len(self._watched):
            self._watched += [None] * (fd + 1)
        self._watched[fd] = pollable

    def _is_modified(self, fd: int, events: int) -> bool:
        """False: it was closed after a fault of ours, and its number is another's now."""
        try:
            self._epoll.modify(fd, events)
        except FileNotFoundError:
            return False
        return True

    def change(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Stop watching; the caller closes the descriptor afterwards, not before."""
        if fd in self:
            self._watched[fd] = None
            self._epoll.unregister(fd)
            if self._dispatching:
                self._forgotten.add(fd)

    def __contains__(self, fd: int) -> bool:
        return fd < len(self._watched) and self._watched[fd] is not None

    def closing(self, fd: int) -> None:
        """The caller closes the descriptor now, its only one: epoll forgets it by itself."""
        if fd in self:
            self._watched[fd] = None

    def at_round_end(self, writer: Pollable) -> None:
        """Call `writer.round_ended()` when this round's events are served.

        So what one round has to say goes out in one go: a peer on another core is woken once,
        not once for each answer, and what is written in pieces leaves in one system call.
        """
        if not self._writers and not self._dispatching:
            self.loop.call_soon(self._end_round)
        self._writers.append(writer)

    def _serve(self, fd: int, pollable: Pollable, events: int) -> None:
        """A fault of ours in one connection must not harm the others: it is logged, and that
        connection is left to its deadline."""
        try:
            pollable.ready(events)
        except Exception:
            log.exception("connection dropped after a fault of ours")
            self.forget(fd)

    def _end_round(self) -> None:
        while self._writers:
            writers = self._writers
            self._writers = []
            for writer in writers:
                self._end(writer)

    def _end(self, writer: Pollable) -> None:
        try:
            writer.round_ended()
        except Exception:
            log.exception("connection left to its deadline after a fault of ours")

    def close(self) -> None:
        self.loop.remove_reader(self._epoll.fileno())
        self._watched.clear()
        self._epoll.close()

    def _dispatch(self) -> None:
        ready = self._ready
        watched = self._watched
        forgotten = self._forgotten
        self.now_s = time.monotonic()
        self._dispatching = True
        try:
            for number in range(ready.wait(BATCH)):
                fd = ready.fd(number)
                pollable = watched[fd]
                if pollable is not None and not (forgotten and fd in forgotten):
                    self._serve(fd, pollable, ready.events(number))
        finally:
            self._end_round()
            self._dispatching = False
            self._forgotten.clear()
