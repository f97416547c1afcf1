"""The socket on which the media-kernel process is asked: who may, how much at once.

Owns the listening socket and its connections. A connection's questions are answered as they come,
at most `AT_ONCE` at a time; nothing more is read until one is answered. Knows no verb.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from l7lb.media.kernel import wire
from l7lb.media.kernel.spec import BadWant
from l7lb.media.kernel.spoof import AgentAway
from l7lb.media.kernel.verbs import Answered
from l7lb.media.netfilter.libnftables import NftError

LOG = logging.getLogger(__name__)
CONNECTIONS_LIMIT = 128
AT_ONCE = 16
SEND_S = 10.0
BACKLOG = 64
_UCRED = struct.Struct("3i")
Answer = Callable[[object, Mapping[str, Any]], Awaitable[Answered]]


class Office:
    """`open` it, `close` it. Only these user ids, and root, are heard."""

    def __init__(self, path: Path, answer: Answer, users: Collection[int]) -> None:
        self._path = path
        self._answer = answer
        self._users = {0, os.geteuid(), *users}
        self._sock: socket.socket | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._connections: set[asyncio.Task[None]] = set()

    def open(self, mode: int = 0o600, owner: int | None = None) -> None:
        """Raises OSError, also when another process listens there."""
        if _is_served(self._path):
            raise FileExistsError(17, "another process listens there", str(self._path))
        self._path.unlink(missing_ok=True)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        before = os.umask(0o777 & ~mode)
        try:
            sock.bind(str(self._path))
            if owner is not None:
                os.chown(self._path, owner, -1)
            sock.listen(BACKLOG)
        except BaseException:
            sock.close()
            raise
        finally:
            os.umask(before)
        self._sock = sock
        self._accepting = asyncio.get_running_loop().create_task(self._accept(sock))

    async def close(self) -> None:
        tasks = [*self._connections, *((self._accepting,) if self._accepting else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sock is not None:
            self._sock.close()
            self._path.unlink(missing_ok=True)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listening)
            except OSError as error:
                LOG.error("accept: %s", error)
                await asyncio.sleep(1)
                continue
            if len(self._connections) >= CONNECTIONS_LIMIT or not self._may(sock):
                sock.close()
                continue
            task = loop.create_task(self._serve(sock))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    def _may(self, sock: socket.socket) -> bool:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        _, user, _ = _UCRED.unpack(raw)
        if user not in self._users:
            LOG.warning("user %d is refused", user)
        return user in self._users

    async def _serve(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        places = asyncio.Semaphore(AT_ONCE)
        with sock:
            async with asyncio.TaskGroup() as group:
                with suppress(OSError):
                    while True:
                        await places.acquire()
                        data = await loop.sock_recv(sock, wire.LIMIT_BYTES + 1)
                        if not data:
                            break
                        group.create_task(self._one(sock, data, places))

    async def _one(self, sock: socket.socket, data: bytes, places: asyncio.Semaphore) -> None:
        try:
            number, content = wire.read(data)
        except wire.BadMessage as error:
            LOG.warning("a message is refused: %s", error)
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            return
        fd: socket.socket | None = None
        try:
            found = await self._answer(content.pop("verb", None), content)
            fd = found.sock
            reply = wire.answer(number, found.result)
        except (BadWant, NftError, AgentAway, OSError, wire.BadMessage) as error:
            reply = wire.refusal(number, str(error))
        finally:
            places.release()
        try:
            await _send(sock, reply, fd)
        except (OSError, TimeoutError):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        finally:
            if fd is not None:
                fd.close()


async def _send(sock: socket.socket, data: bytes, fd: socket.socket | None) -> None:
    """Whole, or not at all: that is SOCK_SEQPACKET's way."""
    fds = [] if fd is None else [fd.fileno()]
    async with asyncio.timeout(SEND_S):
        while True:
            try:
                socket.send_fds(sock, [data], fds)
            except BlockingIOError:
                await _writable(sock)
            else:
                return


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(sock.fileno())


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True
