"""What RTSP sessions hold: a place on a server, ports of a relay. They outlive connections
(RFC 2326 §1.1), so what is held stays until TEARDOWN or the session's own timeout.

Owns what nobody's connection owns any more, and which clients UDP does not reach. No I/O; its
user calls `sweep`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from l7lb.media.control.latching import Latching
from l7lb.pool.slot import Outcome, Slot

GRACE_S = 10.0
"""Beyond the server's own timeout."""
KEPT_LIMIT = 10_000
TCP_ONLY_LIMIT = 4096


@dataclass(slots=True, eq=False)
class Stream:
    """One SETUP that succeeded."""

    path: bytes
    is_interleaved: bool
    relay_stream: int = -1
    """-1: no relay stands between."""
    client_ports: tuple[int, int] = (0, 0)
    server_ports: tuple[int, int] = (0, 0)
    """As the server said; 0: not known, or no UDP."""


@dataclass(slots=True, eq=False)
class Held:
    """One session on one server, as far as this connection knows it."""

    id: bytes
    """The server's."""
    token: bytes
    timeout_s: float = 60.0
    relay: str = ""
    """Its name at the relay; empty: none."""
    streams: list[Stream] = field(default_factory=list)
    latching: Latching | None = None
    """Of a player in modes `direct` and `nat`, since PLAY."""
    listening: asyncio.Task[None] | None = None

    def stop_listening(self) -> None:
        """What is mapped stays until its timeout."""
        if self.listening is not None:
            self.listening.cancel()
            self.listening = None

    @property
    def alias(self) -> str:
        return alias_of(self.token)

    @property
    def is_interleaved(self) -> bool:
        return any(stream.is_interleaved for stream in self.streams)


def alias_of(token: bytes) -> str:
    """The session's name at the relay for any connection that has its tag."""
    return f"rtsp-{token.hex()}"


class Book:
    """Slots of sessions whose connection has closed. `sweep` now and then."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: OrderedDict[bytes, tuple[Slot, float]] = OrderedDict()
        """By token; the longest kept goes first when there are too many."""

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, token: bytes, slot: Slot, timeout_s: float) -> None:
        self._drop(token)
        self._kept[token] = (slot, self._now() + timeout_s + GRACE_S)
        if len(self._kept) > KEPT_LIMIT:
            self._drop(next(iter(self._kept)))

    def free(self, token: bytes) -> None:
        """Its session has ended, or has a connection again, which has a slot of its own."""
        self._drop(token)

    def sweep(self) -> None:
        now_s = self._now()
        for token in [token for token, (_, end_s) in self._kept.items() if end_s <= now_s]:
            self._drop(token)

    def close(self) -> None:
        for token in list(self._kept):
            self._drop(token)

    def _drop(self, token: bytes) -> None:
        kept = self._kept.pop(token, None)
        if kept is not None:
            kept[0].release(Outcome.OK)


class TcpOnly:
    """Clients that were silent after PLAY: no UDP reaches them for a while."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._until: OrderedDict[str, float] = OrderedDict()

    def add(self, client: str, for_s: float) -> None:
        self._until.pop(client, None)
        self._until[client] = self._now() + for_s
        if len(self._until) > TCP_ONLY_LIMIT:
            self._until.popitem(last=False)

    def holds(self, client: str) -> bool:
        until_s = self._until.get(client)
        if until_s is None:
            return False
        if until_s <= self._now():
            del self._until[client]
            return False
        return True
