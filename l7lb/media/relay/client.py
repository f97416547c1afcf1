"""Asking the relay process from an event loop: one method a verb, each with a deadline.

Owns the connection, which is made anew when it is lost, and the news. Must not know RTSP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path

from l7lb.errors import RelayAway, RelayRefused
from l7lb.media.relay import wire
from l7lb.media.relay.desk import is_ours
from l7lb.media.relay.verbs import (
    Close,
    Counters,
    Hear,
    News,
    Open,
    Opened,
    Peers,
    Refusal,
    RelayRefusal,
    Request,
    Touch,
)

DEADLINE_S = 5.0
WAITING = 10_000
"""Requests without an answer."""
RETRY_S = (0.05, 1.0)
"""First and longest wait before the next connection."""
STATUS = {
    Refusal.NO_PORTS: 453,
    Refusal.TOO_MANY: 453,
    Refusal.NO_SESSION: 454,
}
"""RTSP's, RFC 2326 §11.3.7 and §11.3.5; else 500."""

_log = logging.getLogger("l7lb.media.relay")


class RelayClient:
    """`start` it in an event loop; `close` it there.

    `hear` gets all news of the process. While `connected` is not set, nothing is heard: whoever
    wants to know then what became of a session asks for its counters.
    """

    def __init__(
        self, path: Path, hear: Callable[[News], None] | None = None, deadline_s: float = DEADLINE_S
    ) -> None:
        self._path = path
        self._hear = hear
        self._deadline_s = deadline_s
        self._socket: socket.socket | None = None
        self._asked: dict[int, asyncio.Future[wire.Reply]] = {}
        self._outbox: deque[bytes] = deque()
        """Requests that the kernel has no room for yet."""
        self._number = 0
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self.connected = asyncio.Event()

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="relay client")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # ------------------------------------------------------------------ verbs

    async def open(self, ask: Open) -> Opened:
        """All raise RelayAway, RelayRefused."""
        try:
            return wire.opened(await self._ask(ask))
        except wire.WireError as error:
            raise RelayAway(str(error)) from None

    async def peers(self, ask: Peers) -> None:
        await self._ask(ask)

    async def touch(self, ask: Touch) -> None:
        await self._ask(ask)

    async def end(self, ask: Close) -> dict[str, object]:
        """Verb `close`: the last counters."""
        return await self._ask(ask)

    async def counters(self, ask: Counters) -> dict[str, object]:
        return await self._ask(ask)

    async def _ask(self, request: Request) -> dict[str, object]:
        try:
            async with asyncio.timeout(self._deadline_s):
                await self.connected.wait()
                return await self._exchange(request)
        except TimeoutError:
            raise RelayAway(f"no answer in {self._deadline_s} s") from None

    async def _exchange(self, request: Request) -> dict[str, object]:
        if len(self._asked) >= WAITING:
            raise RelayAway(f"{WAITING} requests wait already")
        self._number += 1
        number = self._number
        future: asyncio.Future[wire.Reply] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            self._send(wire.encode_request(number, request))
            reply = await future
        finally:
            self._asked.pop(number, None)
        if isinstance(reply, RelayRefusal):
            raise RelayRefused(str(reply), reply.code.value, STATUS.get(reply.code, 500))
        assert isinstance(reply, dict)
        return reply

    def _send(self, data: bytes) -> None:
        """Now, or when the kernel has room; no more wait than have no answer."""
        if self._socket is None:
            raise RelayAway("the relay is gone")
        self._outbox.append(data)
        if len(self._outbox) == 1:
            self._write()

    def _write(self) -> None:
        """What waits, in order, as far as the kernel takes it."""
        loop = asyncio.get_running_loop()
        sock = self._socket
        assert sock is not None
        try:
            while self._outbox:
                sock.send(self._outbox[0], socket.MSG_NOSIGNAL)
                self._outbox.popleft()
            loop.remove_writer(sock)
        except BlockingIOError:
            loop.add_writer(sock, self._write)
        except OSError:
            loop.remove_writer(sock)
            self._lost.set()

    # ------------------------------------------------------------------ the connection

    async def _keep(self) -> None:
        wait_s = RETRY_S[0]
        while True:
            sock = self._connection()
            if sock is None:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RETRY_S[1])
                continue
            wait_s = RETRY_S[0]
            await self._live(sock)

    def _connection(self) -> socket.socket | None:
        """None: nobody listens, or a stranger does. A unix socket connects at once or not."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            sock.connect(str(self._path))
            if is_ours(sock):
                return sock
            _log.error("relay-is-a-stranger", extra={"path": str(self._path)})
        except OSError:
            pass
        sock.close()
        return None

    async def _live(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self._lost.clear()
        self._socket = sock
        loop.add_reader(sock, self._read)
        try:
            if self._hear is not None:
                self._send(wire.encode_request(0, Hear()))
            self.connected.set()
            await self._lost.wait()
        finally:
            self.connected.clear()
            self._socket = None
            self._outbox.clear()
            loop.remove_reader(sock)
            loop.remove_writer(sock)
            sock.close()
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(RelayAway("the relay is gone"))

    def _read(self) -> None:
        """One message: the loop comes again for the next."""
        assert self._socket is not None
        try:
            data = self._socket.recv(wire.REPLY_BYTES + 1)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost.set()
            return
        try:
            found = wire.decode_answer(data)
        except wire.WireError as error:
            _log.error("relay-speaks-nonsense", extra={"reason": str(error)})
            self._lost.set()
            return
        if isinstance(found, News):
            if self._hear is not None:
                self._hear(found)
            return
        with contextlib.suppress(KeyError, asyncio.InvalidStateError):
            self._asked[found[0]].set_result(found[1])
