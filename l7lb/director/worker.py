"""A worker process: one engine, told what to do over its channel.

Owns the event loop of the process. Must not know files, health checks or other workers.
When its supervisor is gone it drains and exits: without health checks it must not go on for ever,
and the next supervisor must find the addresses free.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from functools import partial

from l7lb.director.channel import Channel, ChannelFull
from l7lb.director.events import log_to_stderr
from l7lb.director.loops import loop_factory
from l7lb.director.mail_room import MailRoom
from l7lb.director.media_room import MediaRoom
from l7lb.director.messages import (
    Apply,
    Drain,
    Drained,
    HotSaid,
    Learned,
    Listen,
    MediaWays,
    Ping,
    Pong,
    Ready,
    Refused,
    ReopenLogs,
    Report,
    Setup,
    StatusReply,
    StatusRequest,
    ToSupervisor,
    Unlisten,
    Update,
)
from l7lb.errors import L7lbError
from l7lb.model import ClusterSpec
from l7lb.net.engine import Engine, EngineEnvironment
from l7lb.net.plug import Plug
from l7lb.pool.indices import Indices
from l7lb.pool.server import ServerUpdate
from l7lb.pool.shared import SharedCounters

QUEUE_LIMIT_BYTES = 16 << 20
COLLECTED_EVERY = (10_000, 20, 50)
"""Objects between two looks for cycles: sessions make few, and each look costs all that live."""
FAREWELL_S = 2.0
"""For the last message to leave."""

log = logging.getLogger(__name__)


class Worker:
    """Serve the channel until the end: `await finished`."""

    def __init__(self, sock: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = Channel(sock, self._loop, self._received, self._orphaned)
        self._channel.queue_limit_bytes = QUEUE_LIMIT_BYTES
        self._unsent = 0
        self._engine: Engine | None = None
        self._mail: MailRoom | None = None
        self._media: MediaRoom | None = None
        self._spec: ClusterSpec | None = None
        self._drain: asyncio.Task[None] | None = None
        self.finished: asyncio.Future[None] = self._loop.create_future()
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._loop.add_signal_handler(signal.SIGTERM, self._orphaned)
        self._loop.add_signal_handler(signal.SIGUSR1, self._reopen)

    # ------------------------------------------------------------------ messages

    def _received(self, message: object, fds: list[int]) -> None:
        match message:
            case Setup():
                self._set_up(message, fds[0])
            case Listen():
                self._listen(message, fds[0])
            case Unlisten():
                self._running.unlisten(message.service, message.position)
            case Apply():
                self._apply(message)
            case Update():
                self._update(message.pool, message.update)
            case StatusRequest():
                self._send(StatusReply(message.number, self._status()))
            case Ping():
                self._send(Pong())
            case ReopenLogs():
                self._reopen()
            case Learned():
                self._learned_elsewhere(message)
            case MediaWays():
                assert self._media is not None
                self._media.hear(message.found)
            case HotSaid():
                assert self._media is not None
                self._media.hear_hot(message.said)
            case Drain():
                self._start_drain(message.deadline_s)

    @property
    def _running(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("a message came before Setup")
        return self._engine

    def _set_up(self, setup: Setup, memory: int) -> None:
        log_to_stderr({"worker": setup.slot})
        counters = SharedCounters(memory, setup.layout, setup.slot)
        os.close(memory)
        plugs: dict[str, Plug] = {}
        env = EngineEnvironment(counters, self._report, setup.secret, setup.workers, plugs)
        self._engine = Engine(self._loop, env)
        self._mail = MailRoom(self._engine, plugs, setup.secret, setup.slot)
        self._media = MediaRoom(self._engine, plugs, setup.secret)
        try:
            self._put_in_place(setup.spec, setup.indices)
        except (ValueError, OSError, L7lbError) as error:
            self._send(Refused(setup.generation, str(error)))
            self._start_drain(0.0)
            return
        self._took(setup.spec, setup.generation, setup.updates)

    def _apply(self, message: Apply) -> None:
        try:
            self._put_in_place(message.spec, message.indices)
        except (ValueError, OSError, L7lbError) as error:
            self._send(Refused(message.generation, str(error)))
            return
        self._took(message.spec, message.generation, message.updates)

    def _put_in_place(self, spec: ClusterSpec, indices: Indices) -> None:
        """All of it or nothing. Raises ValueError, OSError, L7lbError."""
        engine, mail, media = self._running, self._mail, self._media
        assert mail is not None
        assert media is not None
        prepared = mail.prepare(spec)
        media.prepare(spec)
        try:
            engine.apply(spec, indices)
        except BaseException:
            mail.drop(prepared)
            raise
        mail.take(prepared)
        media.take(spec)

    def _took(
        self, spec: ClusterSpec, generation: int, updates: Sequence[tuple[str, ServerUpdate]]
    ) -> None:
        self._spec = spec
        for name, pool in self._running.pools.items():
            pool.on_learn = partial(self._learned, name)
        for name, update in updates:
            self._update(name, update)
        gc.unfreeze()
        gc.collect()
        gc.set_threshold(*COLLECTED_EVERY)
        gc.freeze()  # specifications and tables live long: keep later collections short
        self._send(Ready(generation))

    def _listen(self, message: Listen, fd: int) -> None:
        sock = socket.socket(fileno=fd)
        if self._drain is None:
            self._running.listen(message.service, message.position, sock)
        else:
            sock.close()

    def _update(self, pool: str, update: ServerUpdate) -> None:
        try:
            self._running.update(pool, update)
        except KeyError:
            log.info("update of an unknown server", extra={"pool": pool, "server": update.name})

    def _learned(self, pool: str, value: bytes, server: str) -> None:
        self._send(Learned(pool, value, server))

    def _learned_elsewhere(self, message: Learned) -> None:
        pool = self._running.pools.get(message.pool)
        if pool is not None:
            pool.remember(message.value, message.server)

    def _status(self) -> Mapping[str, object]:
        status = self._engine.status() if self._engine is not None else {}
        mail = self._mail.state() if self._mail is not None else {}
        media = self._media.state() if self._media is not None else {}
        return {**status, **mail, **media, "messages_unsent": self._unsent}

    def _reopen(self) -> None:
        if self._engine is not None:
            self._engine.reopen_logs()

    def _report(self, event: Mapping[str, object]) -> None:
        fields = dict(event)
        self._send(Report(str(fields.pop("event")), fields))

    def _send(self, message: ToSupervisor) -> None:
        try:
            self._channel.send(message)
        except ChannelFull:
            self._unsent += 1  # the supervisor is stopped: clients come first

    # ------------------------------------------------------------------ the end

    def _orphaned(self) -> None:
        """The supervisor is gone, or somebody asked this process alone to end."""
        self._start_drain(self._spec.director.drain_deadline_s if self._spec is not None else 0.0)

    def _start_drain(self, deadline_s: float) -> None:
        """A second call shortens the first."""
        if self._drain is not None:
            self._drain.cancel()
        self._drain = self._loop.create_task(self._end(deadline_s))

    async def _end(self, deadline_s: float) -> None:
        if self._engine is not None:
            cut = await self._engine.drain(deadline_s)
            self._engine.close()
            if self._mail is not None:
                await self._mail.close()
            if self._media is not None:
                await self._media.close()
            self._send(Drained(cut))
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._channel.sent()
        except TimeoutError:
            log.warning("the supervisor does not read")
        self._channel.close()
        if not self.finished.done():
            self.finished.set_result(None)


async def serve(sock: socket.socket) -> None:
    await Worker(sock).finished


def note_unraisable(what: sys.UnraisableHookArgs) -> None:
    """One line in the log for what Python can raise nowhere: `ssl` does so with a server name that
    is no text, and a client must not fill the log with tracebacks."""
    reason = f"{what.err_msg or 'exception ignored'}: {what.exc_value!r}"
    log.warning("unraisable", extra={"fields": {"reason": reason}})


def main(arguments: Sequence[str]) -> int:
    """`python -m l7lb.director.worker LOOP DESCRIPTOR`"""
    log_to_stderr()
    sys.unraisablehook = note_unraisable
    choice, descriptor = arguments
    sock = socket.socket(fileno=int(descriptor))
    with asyncio.Runner(loop_factory=loop_factory(choice)) as runner:
        runner.run(serve(sock))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
