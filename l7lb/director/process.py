"""One worker process as its supervisor sees it.

Owns the process and the supervisor's end of its channel. Must not know what workers do.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum

from l7lb.director.channel import Channel, ChannelFull
from l7lb.director.messages import (
    Apply,
    Drain,
    Drained,
    Listen,
    Ping,
    Pong,
    Ready,
    Refused,
    StatusReply,
    StatusRequest,
    ToSupervisor,
    ToWorker,
)

WORKER_COMMAND = (sys.executable, "-m", "l7lb.director.worker")


class Stage(StrEnum):
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    ENDED = "ended"


class WorkerProcess:
    """Start it with `launch`. `on_message` gets what is not answered here."""

    def __init__(
        self,
        slot: int,
        process: asyncio.subprocess.Process,
        sock: socket.socket,
        on_message: Callable[[WorkerProcess, ToSupervisor], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.slot = slot
        self.process = process
        self.stage = Stage.STARTING
        self.generation = 0
        """Of the rules file that it works by."""
        self.started_s = loop.time()
        self.heard_s = loop.time()
        self.pings = 0
        """Sent since the worker last said anything."""
        self.refusal = ""
        self.cut = 0
        """Sessions that its drain had to cut."""
        self._on_message = on_message
        self._channel = Channel(sock, loop, self._received, self._silent)
        self._numbers = 0
        self._asked: dict[int, asyncio.Future[StatusReply | None]] = {}

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, message: ToWorker, fds: Sequence[int] = ()) -> None:
        """Queue a message. A worker that has not read for very long is killed: it is stuck."""
        try:
            self._channel.send(message, fds)
        except ChannelFull:
            self.kill()

    def apply(self, message: Apply) -> None:
        """Send a new rules file; Ready or Refused comes back."""
        self.refusal = ""
        self.send(message)

    def listen(self, service: str, position: int, fd: int) -> None:
        if self.stage is not Stage.DRAINING:
            self.send(Listen(service, position), [fd])

    def ping(self) -> None:
        """Ask for a sign of life."""
        self.pings += 1
        self.send(Ping())

    @property
    def is_over(self) -> bool:
        return self.stage is Stage.ENDED

    def drain(self, deadline_s: float) -> None:
        if self.stage is not Stage.ENDED:
            self.stage = Stage.DRAINING
            self.send(Drain(deadline_s))

    def kill(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)

    async def status(self, deadline_s: float) -> StatusReply | None:
        """The worker's own view; None when it does not answer in time."""
        self._numbers += 1
        number = self._numbers
        future: asyncio.Future[StatusReply | None] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        self.send(StatusRequest(number))
        try:
            return await asyncio.wait_for(future, deadline_s)
        except TimeoutError:
            return None
        finally:
            self._asked.pop(number, None)

    async def ended(self) -> int:
        """Wait for the end of the process; its exit status, negative for a signal."""
        code = await self.process.wait()
        self.stage = Stage.ENDED
        self._channel.close()
        self._silent()
        return code

    def _received(self, message: object, fds: list[int]) -> None:
        for fd in fds:
            os.close(fd)
        self.heard_s = asyncio.get_running_loop().time()
        self.pings = 0
        match message:
            case StatusReply():
                future = self._asked.pop(message.number, None)
                if future is not None and not future.done():
                    future.set_result(message)
            case Ready():
                self.generation = message.generation
                self.refusal = ""
                if self.stage is Stage.STARTING:
                    self.stage = Stage.READY
                self._on_message(self, message)
            case Refused():
                self.refusal = message.reason
                self._on_message(self, message)
            case Drained():
                self.cut = message.cut
            case Pong():
                pass
            case _:
                self._on_message(self, message)  # type: ignore[arg-type]

    def _silent(self) -> None:
        """The other end is gone; the end of the process follows and is handled in `ended`."""
        for future in self._asked.values():
            if not future.done():
                future.set_result(None)


async def launch(
    slot: int,
    command: Sequence[str],
    on_message: Callable[[WorkerProcess, ToSupervisor], None],
) -> WorkerProcess:
    """Start a worker with one end of a new socketpair as its last argument. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return WorkerProcess(slot, process, ours, on_message)
