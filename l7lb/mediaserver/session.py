"""One session: what is played, from where on, and until when; and the table of all sessions.

Must not know requests or how packets leave.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator

from l7lb.mediaserver.clip import PACKET_S, Clip
from l7lb.mediaserver.rtp import Stream
from l7lb.mediaserver.way import TcpWay, Way

REPORT_S = 2.0
"""Between sender reports; players of clips of some seconds shall learn the name too."""
BURST = 50
"""Packets at a time when the loop was late."""


class Session:
    """Owns clip and way; `close` it in its event loop."""

    def __init__(self, clip: Clip, stream: Stream, peer: str) -> None:
        self.id = secrets.token_hex(8).encode()
        self.clip = clip
        self.stream = stream
        self.peer = peer
        self.position = 0
        """The next packet of the clip."""
        self.touched_s = time.monotonic()
        self.way: Way | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_playing(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def writer(self) -> asyncio.StreamWriter | None:
        """Of the connection that the media goes over; None: it does not."""
        return self.way.writer if isinstance(self.way, TcpWay) else None

    def touch(self) -> None:
        """The player lives."""
        self.touched_s = time.monotonic()

    def play(self, first: int | None) -> None:
        """From this packet; None: go on, or from the start where the end was reached."""
        self.pause()
        if first is not None:
            self.position = first
        elif self.position >= self.clip.packets:
            self.position = 0
        self._task = asyncio.get_running_loop().create_task(self._play())

    def pause(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _play(self) -> None:
        begun_s, first = time.monotonic(), self.position
        reported_s = begun_s - REPORT_S
        is_first = True
        while self.position < self.clip.packets:
            now_s = time.monotonic()
            if now_s - reported_s >= REPORT_S:
                reported_s = now_s
                self._send(1, self.stream.report(time.time()))
            due = first + int((now_s - begun_s) / PACKET_S) + 1
            for _ in range(min(due, self.clip.packets) - self.position)[:BURST]:
                sound = self.clip.packet(self.position)
                self._send(0, self.stream.packet(sound, is_first=is_first))
                self.position += 1
                is_first = False
            next_s = begun_s + (self.position - first) * PACKET_S
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
        self._send(1, self.stream.goodbye(time.time()))

    def _send(self, kind: int, data: bytes) -> None:
        if self.way is not None:
            self.way.send(kind, data)

    def close(self) -> None:
        was_playing = self.is_playing
        self.pause()
        if was_playing:
            self._send(1, self.stream.goodbye(time.time()))
        if self.way is not None:
            self.way.close()
        self.clip.close()


class Sessions:
    """By id; no more than `limit`."""

    def __init__(self, limit: int, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self._limit = limit
        self._open: dict[bytes, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        return len(self._open)

    @property
    def is_full(self) -> bool:
        return len(self._open) >= self._limit

    def add(self, session: Session) -> None:
        self._open[session.id] = session

    def find(self, name: bytes) -> Session | None:
        return self._open.get(name)

    def end(self, session: Session) -> None:
        if self._open.pop(session.id, None) is not None:
            session.close()

    def end_of(self, writer: asyncio.StreamWriter) -> None:
        """The connection is gone, and with it what was played over it."""
        for session in self:
            if session.writer is writer:
                self.end(session)

    def sweep(self) -> None:
        """End those whose player is gone."""
        now_s = time.monotonic()
        for session in self:
            if now_s - session.touched_s > self.timeout_s:
                self.end(session)
