"""Readiness of all our sockets in one epoll set, itself one reader of the event loop.

The loop (uvloop or asyncio) sees a single descriptor; everything below is a table look-up and a
call. So both loops cost the same, an idle connection costs no loop object, and the relay may
splice because nobody else owns the descriptor. Knows no protocol.
"""

from __future__ import annotations

import asyncio
import select
from typing import Protocol

READ = select.EPOLLIN | select.EPOLLRDHUP
WRITE = select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP
BATCH = 256
"""Events served before the loop's timers and callbacks get their turn."""


class Pollable(Protocol):
    def ready(self, events: int) -> None:
        """Serve these epoll events; a spurious call must do no harm."""


class Poller:
    """Call `close()` before the loop is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._epoll = select.epoll()
        self._watched: dict[int, Pollable] = {}
        loop.add_reader(self._epoll.fileno(), self._dispatch)

    def watch(self, fd: int, pollable: Pollable, events: int) -> None:
        self._epoll.register(fd, events)
        self._watched[fd] = pollable

    def change(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Stop watching; the caller closes the descriptor afterwards, not before."""
        if self._watched.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def __contains__(self, fd: int) -> bool:
        return fd in self._watched

    def close(self) -> None:
        self.loop.remove_reader(self._epoll.fileno())
        self._watched.clear()
        self._epoll.close()

    def _dispatch(self) -> None:
        watched = self._watched
        for fd, events in self._epoll.poll(0, BATCH):
            pollable = watched.get(fd)
            if pollable is not None:
                pollable.ready(events)
