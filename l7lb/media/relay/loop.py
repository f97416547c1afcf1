"""The one thread of a relay process: packets, then verbs, then packets again.

Owns the epoll set and the order of work; each turn is bounded. It uses no event loop: a packet
must not pay for one.
"""

from __future__ import annotations

import os
import select
import socket
import time

from l7lb.media.relay.desk import Desk
from l7lb.media.relay.pace import Pace
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
        self._mover = Mover(self._epoll)
        self._desk = Desk(listener, self._epoll, self._answer)
        self._sessions = Sessions(spec, self._mover, self._clock, self._desk.tell)
        self._pace = Pace(spec.rest_s)
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
            rest_s = 0.0
            while not self._stopping:
                if rest_s:
                    time.sleep(rest_s)
                rest_s = self.turn(0.0 if rest_s else SWEEP_S)
        finally:
            self._sessions.close_all()
            self._desk.close()
            self._epoll.close()

    def turn(self, timeout_s: float) -> float:
        """One bounded piece of work; returns how long to rest."""
        mover = self._mover
        for fd in mover.turn(timeout_s):
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
        return self._pace.after(mover.moved, mover.largest)

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
