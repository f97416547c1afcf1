"""The one thread of a relay process: packets, then verbs, then packets again.

Owns the epoll set and the order of work; each turn is bounded. It uses no event loop: a packet
must not pay for one.
"""

from __future__ import annotations

import os
import select
import socket

from l7lb.media.relay.desk import Desk
from l7lb.media.relay.packets import Mover
from l7lb.media.relay.sessions import Sessions
from l7lb.media.relay.spec import RelaySpec
from l7lb.media.relay.verbs import Close, Counters, Hear, Open, Peers, RelayRefusal, Request, Touch
from l7lb.media.relay.wire import Reply
from l7lb.ports import Clock, SystemClock

SWEEP_S = 1.0


class Relay:
    """`run` until `stop`, which may be called from a signal's handler."""

    def __init__(
        self, listener: socket.socket, spec: RelaySpec | None = None, clock: Clock | None = None
    ) -> None:
        spec = spec or RelaySpec()
        self._clock = clock or SystemClock()
        self._epoll = select.epoll()
        self._mover = Mover(self._epoll, spec.rest_s)
        self._desk = Desk(listener, self._epoll, self._answer)
        self._sessions = Sessions(spec, self._mover, self._clock, self._desk.tell)
        self._lifeline = -1
        self._sweep_s = self._clock.now() + SWEEP_S
        self._stopping = False

    def end_with(self, fd: int) -> None:
        """Stop when this descriptor ends: whoever holds the other end is gone."""
        self._lifeline = fd
        self._epoll.register(fd, select.EPOLLIN)

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        try:
            while not self._stopping:
                self.turn()
        finally:
            self._sessions.close_all()
            self._desk.close()
            self._epoll.close()

    def turn(self) -> None:
        """Packets until somebody else has something to do, and that."""
        mover = self._mover
        for fd in mover.work(max(self._sweep_s - self._clock.now(), 0.0)):
            if fd == self._lifeline:
                self._stopping = self._stopping or not os.read(fd, 4096)
            else:
                self._desk.ready(fd)
        if mover.noted:
            for side in mover.noted:
                self._sessions.noted(side)
            mover.noted.clear()
        now_s = self._clock.now()
        if now_s >= self._sweep_s:
            self._sweep_s = now_s + SWEEP_S
            self._sessions.sweep()

    def _answer(self, request: Request) -> Reply:
        try:
            return self._do(request)
        except RelayRefusal as refusal:
            return refusal

    def _do(self, request: Request) -> Reply:
        match request:
            case Open():
                return self._sessions.open(request)
            case Peers():
                return self._sessions.peers(request)
            case Touch():
                return self._sessions.touch(request)
            case Close():
                return self._sessions.close(request)
            case Counters():
                return self._sessions.counters(request)
            case Hear():
                return {}
