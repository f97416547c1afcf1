"""Asking the media-kernel process, from an event loop: one connection, many questions at once.

It connects at the first question and again after a loss; every question has a deadline.
Must not know what a verb means beyond its words.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from l7lb.errors import MediaAway, MediaRefused
from l7lb.media.kernel import wire
from l7lb.media.kernel.spec import Address, Want

DEADLINE_S = 10.0
PROBE_S = 30.0
WAITING_LIMIT = 1024
_FDS_LIMIT = 4


class MediaKernel:
    """`close` it. Every method raises MediaRefused when the process says no, in its words, and
    MediaAway when it does not answer."""

    def __init__(self, path: Path, deadline_s: float = DEADLINE_S) -> None:
        self._path = path
        self._deadline_s = deadline_s
        self._sock: socket.socket | None = None
        self._number = 0
        self._waiting: dict[int, asyncio.Future[tuple[dict[str, Any], list[int]]]] = {}

    # ------------------------------------------------------------------ verbs

    async def hello(self) -> dict[str, Any]:
        return await self._ask("hello")

    async def want(self, want: Want) -> dict[str, Any]:
        return await self._ask("want", want.as_json())

    async def transparent_socket(self, source: Address, port: int = 0) -> socket.socket:
        """Not connected and not blocking; whoever asked owns it."""
        parameters = {"source": str(source), "port": port}
        _, fds = await self._exchange("transparent_socket", parameters, self._deadline_s)
        if len(fds) != 1:
            _close_all(fds)
            raise MediaAway("the media-kernel process gave no descriptor")
        return socket.socket(fileno=fds[0])

    async def latch(self, path: Mapping[str, Any], timeout_s: int) -> dict[str, Any]:
        """`path`: client, client_port, server, server_port, and agent where there is one."""
        return await self._ask("latch", {**path, "timeout_s": timeout_s})

    async def unlatch(self, path: Mapping[str, Any]) -> dict[str, Any]:
        return await self._ask("unlatch", path)

    async def counters(self) -> dict[str, Any]:
        return await self._ask("counters")

    async def flow(self, path: Mapping[str, Any]) -> dict[str, Any]:
        """Packets and octets of one stream's way; the path is that of `latch`."""
        return await self._ask("flow", path)

    async def flows(self, client: Address | None = None) -> dict[str, Any]:
        return await self._ask("flows", {} if client is None else {"client": str(client)})

    async def probe(self, names: tuple[str, str], agent: int = 0, at: str = "") -> dict[str, Any]:
        """Names of service and server. `agent`: port of its agent, 0 without one; then `at` is an
        address of this director on the clients' side."""
        parameters: dict[str, Any] = {"service": names[0], "server": names[1]}
        if agent:
            parameters |= {"agent": agent, "at": at}
        return await self._ask("probe", parameters, PROBE_S)

    async def clean(self) -> None:
        await self._ask("clean")

    def close(self) -> None:
        self._lose("closed")

    # ------------------------------------------------------------------ the connection

    async def _ask(
        self, verb: str, parameters: Mapping[str, Any] | None = None, deadline_s: float = 0.0
    ) -> dict[str, Any]:
        result, fds = await self._exchange(verb, parameters or {}, deadline_s or self._deadline_s)
        _close_all(fds)
        return result

    async def _exchange(
        self, verb: str, parameters: Mapping[str, Any], deadline_s: float
    ) -> tuple[dict[str, Any], list[int]]:
        if len(self._waiting) >= WAITING_LIMIT:
            raise MediaAway("too many questions wait for the media-kernel process")
        self._number += 1
        number = self._number
        try:
            data = wire.question(number, verb, parameters)
        except wire.BadMessage as error:
            raise MediaRefused(str(error)) from error
        loop = asyncio.get_running_loop()
        future: asyncio.Future[tuple[dict[str, Any], list[int]]] = loop.create_future()
        self._waiting[number] = future
        try:
            async with asyncio.timeout(deadline_s):
                await self._send(data)
                return await future
        except BaseException as error:
            _abandon(future)
            if isinstance(error, TimeoutError):
                words = f"the media-kernel process did not answer {verb!r} in time"
                raise MediaAway(words) from None
            if isinstance(error, OSError):
                self._lose(str(error))
                raise MediaAway(f"the media-kernel process: {error.strerror or error}") from error
            raise
        finally:
            self._waiting.pop(number, None)

    async def _send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._connection(), data)

    def _connection(self) -> socket.socket:
        """Raises OSError. A unix socket connects at once or not at all."""
        if self._sock is None:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
            try:
                sock.connect(str(self._path))
            except BaseException:
                sock.close()
                raise
            self._sock = sock
            asyncio.get_running_loop().add_reader(sock.fileno(), self._readable, sock)
        return self._sock

    def _readable(self, sock: socket.socket) -> None:
        try:
            data, fds, flags, _ = socket.recv_fds(
                sock, wire.LIMIT_BYTES + 1, _FDS_LIMIT, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(str(error))
            return
        if not data or flags & socket.MSG_CTRUNC:
            _close_all(fds)
            self._lose("it has ended")
            return
        try:
            number, content = wire.read(data)
        except wire.BadMessage as error:
            _close_all(fds)
            self._lose(str(error))
            return
        self._answered(number, content, fds)

    def _answered(self, number: int, content: dict[str, Any], fds: list[int]) -> None:
        future = self._waiting.pop(number, None)
        if future is None or future.done():
            _close_all(fds)
        elif isinstance(content.get("ok"), dict):
            future.set_result((content["ok"], fds))
        else:
            _close_all(fds)
            future.set_exception(MediaRefused(str(content.get("error", "no reason given"))))

    def _lose(self, why: str) -> None:
        sock, self._sock = self._sock, None
        if sock is not None:
            with suppress(RuntimeError):
                asyncio.get_running_loop().remove_reader(sock.fileno())
            sock.close()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(MediaAway(f"the media-kernel process: {why}"))


def _abandon(future: asyncio.Future[tuple[dict[str, Any], list[int]]]) -> None:
    """Nobody waits any more; descriptors that came all the same are closed."""
    if not future.cancel() and not future.cancelled() and future.exception() is None:
        _close_all(future.result()[1])


def _close_all(fds: list[int]) -> None:
    for fd in fds:
        socket.close(fd)
