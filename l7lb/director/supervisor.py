"""The supervisor: one process that holds the file, the sockets and the checks, and keeps workers.

Owns the order of start, events and stop. No client's byte passes here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path

from l7lb.director.account_desk import AccountDesk
from l7lb.director.admin_state import AdminState
from l7lb.director.administration import Administration
from l7lb.director.control import ControlServer, Desks
from l7lb.director.crew import Crew, CrewCalls
from l7lb.director.embedded_store import EmbeddedStore
from l7lb.director.events import Events
from l7lb.director.exposition import MetricsServer
from l7lb.director.listeners import BUSY_PATIENCE_S, Listeners
from l7lb.director.media_processes import MediaProcesses
from l7lb.director.messages import (
    HotSaid,
    Learned,
    MediaWays,
    Ready,
    Refused,
    ReopenLogs,
    Report,
    Setup,
    ToSupervisor,
    Update,
)
from l7lb.director.notify import notify
from l7lb.director.parts import Parts
from l7lb.director.paths import control_path, cookie_secret, state_directory
from l7lb.director.pin_book import PinBook
from l7lb.director.process import WORKER_COMMAND, WorkerProcess
from l7lb.director.reload import Reloader
from l7lb.director.running import Running, worker_count
from l7lb.director.shared_state import SharedState
from l7lb.director.status import StatusDesk
from l7lb.errors import ConfigError, ControlError, Problem
from l7lb.health.events import HealthEvent
from l7lb.health.prober import Prober
from l7lb.health.resolve import Resolver
from l7lb.model import ClusterSpec, Endpoint, Health
from l7lb.pool.server import ServerUpdate
from l7lb.ports import SystemClock

CONFIRM_S = 30.0
"""For the workers to take the first file."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says beside the file."""

    path: Path
    control: str | None = None
    worker_command: tuple[str, ...] = WORKER_COMMAND
    warnings: tuple[Problem, ...] = ()
    """What is doubtful in the file."""


class Supervisor:
    """`run` it once, in a running loop. Raises ControlError or OSError when it cannot start."""

    def __init__(self, spec: ClusterSpec, options: Options) -> None:
        clock = SystemClock()
        self.options = options
        state = state_directory(spec.director)
        calls = CrewCalls(self._greet, self._heard, self._slot_ended, self._slots_live)
        events = Events()
        store = EmbeddedStore(state, events)
        self.parts = Parts(
            path=options.path,
            running=Running(store.in_effect(spec), AdminState(state, time.time), clock),
            events=events,
            listeners=Listeners(),
            prober=Prober(self._health_changed, clock),
            resolver=Resolver(self._endpoint_changed, clock),
            crew=Crew(calls, events, options.worker_command),
            pins=PinBook(clock.now),
            store=store,
            media=MediaProcesses(events),
        )
        self.shared = SharedState(self.parts)
        desk = StatusDesk(self.parts, self.shared)
        self.metrics = MetricsServer(desk.metrics)
        self.reloader = Reloader(self.parts, self.metrics, self.shared)
        administration = Administration(self.parts)
        self.control = ControlServer(
            Desks(
                desk,
                self.reloader,
                administration,
                events,
                self.shared,
                AccountDesk(self.parts, self.shared.store),
            )
        )
        self._secret = cookie_secret(spec.director, state)
        self._stop_asked = asyncio.Event()
        self._stop_now = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until asked to stop, then drain. A second request stops at once."""
        try:
            await self._start()
            await self._stop_asked.wait()
            await self._drain()
        finally:
            await self._close()

    def stop(self) -> None:
        """Drain and end; a second call ends at once."""
        if self._stop_asked.is_set():
            self._stop_now.set()
        self._stop_asked.set()

    def reopen_logs(self) -> None:
        self.parts.crew.broadcast(ReopenLogs())
        self.parts.events.emit("logs-reopened")

    # ------------------------------------------------------------------ start and end

    async def _start(self) -> None:
        spec = self.parts.running.spec
        self._listen_to_signals()
        await self.control.open(control_path(spec.director, self.options.control))
        self._load_admin()
        indices = self.parts.running.plan(spec)
        self.parts.listeners.commit(await self.parts.listeners.plan(spec, BUSY_PATIENCE_S))
        await self._open_metrics(spec)
        self.parts.running.take(spec, indices)
        self.parts.running.forget_left()
        self.parts.pins.reconcile(spec.pools)
        self.parts.store.reconcile(spec)
        self.parts.media.reconcile(spec)
        await self.parts.store.ready()
        self.shared.start(spec.store)
        self.parts.prober.reconcile(spec.pools)
        self.parts.resolver.reconcile(spec.pools)
        self.parts.crew.loop = spec.director.loop
        self.parts.crew.resize(worker_count(spec), spec.director.drain_deadline_s)
        self.parts.media.said = lambda said: self.parts.crew.broadcast(HotSaid(said))
        self.parts.media.told = lambda found: self.parts.crew.broadcast(MediaWays(dict(found)))
        self._background(self.parts.crew.watch())
        self._background(self._announce())
        self.parts.events.warn_of(self.options.warnings)

    async def _open_metrics(self, spec: ClusterSpec) -> None:
        address = spec.director.metrics
        try:
            await self.metrics.move(address)
        except OSError as error:
            raise ControlError(f"cannot listen on {address} for metrics: {error}", 409) from error

    def _load_admin(self) -> None:
        """A file that is not ours is put aside, loudly: serving comes first."""
        try:
            self.parts.running.admin.load()
        except ValueError as error:
            aside = self.parts.running.admin.put_aside()
            self.parts.events.emit(
                "admin-state-unreadable", logging.ERROR, reason=str(error), kept_as=str(aside)
            )

    async def _announce(self) -> None:
        missing = await self.parts.crew.confirm(1, CONFIRM_S)
        addresses = [self.parts.listeners.bound(spot) for spot in self.parts.listeners.spots()]
        level = logging.ERROR if missing else logging.INFO
        self.parts.events.emit(
            "started",
            level,
            file=str(self.options.path),
            listen=addresses,
            control=str(self.control.path),
            workers=self.parts.crew.size,
            workers_missing=missing,
        )
        notify("READY=1")

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._background(self._reload()))
        loop.add_signal_handler(signal.SIGUSR1, self.reopen_logs)

    async def _reload(self) -> None:
        """By signal: whatever is wrong has become an event already."""
        with contextlib.suppress(ConfigError, ControlError):
            await self.reloader.reload()

    def _background(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._background_ended)

    def _background_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self.parts.events.emit("internal-error", logging.ERROR, reason=repr(task.exception()))

    async def _drain(self) -> None:
        deadline_s = self.parts.running.spec.director.drain_deadline_s
        self.parts.events.emit("stopping", drain_deadline_s=deadline_s)
        notify("STOPPING=1")
        self.parts.listeners.close()
        drain = asyncio.create_task(self.parts.crew.drain(deadline_s))
        hurry = asyncio.create_task(self._stop_now.wait())
        await asyncio.wait((drain, hurry), return_when=asyncio.FIRST_COMPLETED)
        for task in (drain, hurry):
            task.cancel()
        await asyncio.gather(drain, hurry, return_exceptions=True)

    async def _close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await self.shared.close()
        await self.parts.crew.kill()
        await self.parts.media.close()
        await self.parts.store.close()
        await self.parts.prober.close()
        await self.parts.resolver.close()
        await self.metrics.close()
        self.parts.listeners.close()
        await self.control.close()
        os.close(self.parts.running.memory)
        self.parts.events.emit("stopped")

    # ------------------------------------------------------------------ workers

    def _greet(self, worker: WorkerProcess) -> None:
        running = self.parts.running
        setup = Setup(
            slot=worker.slot,
            workers=self.parts.crew.size,
            secret=self._secret,
            layout=running.layout,
            generation=running.generation,
            spec=running.spec,
            indices=running.indices,
            updates=running.updates(self.parts.prober, self.parts.resolver),
        )
        worker.send(setup, [running.memory])
        for spot in self.parts.listeners.spots():
            worker.listen(*spot, self.parts.listeners.socket(spot).fileno())
        for pin in self.parts.pins.all():
            worker.send(pin)
        for said in self.parts.media.ear.known():
            worker.send(HotSaid(said))
        if self.parts.media.found:
            worker.send(MediaWays(dict(self.parts.media.found)))

    def _slot_ended(self, slot: int) -> None:
        self.parts.running.release_slot(slot)

    def _slots_live(self, count: int) -> None:
        self.parts.running.counters.set_live(count)

    def _heard(self, worker: WorkerProcess, message: ToSupervisor) -> None:
        match message:
            case Ready():
                self.parts.events.emit(
                    "worker-ready", worker=worker.slot, generation=message.generation
                )
            case Refused():
                self.parts.events.emit(
                    "worker-refused-file",
                    logging.ERROR,
                    worker=worker.slot,
                    generation=message.generation,
                    reason=message.reason,
                )
            case Learned():
                self.parts.pins.note(message)
                self.parts.crew.broadcast(message, without=worker)
                self.shared.learned(message)
            case Report():
                self._reported(worker, message)

    def _reported(self, worker: WorkerProcess, report: Report) -> None:
        fields: Mapping[str, object] = report.fields
        self.parts.events.emit(report.event, logging.WARNING, worker=worker.slot, **fields)
        if report.event != "ejected":
            return
        key = (str(fields["pool"]), str(fields["server"]))
        until_s = self.parts.running.clock.now() + float(str(fields["for_s"]))
        if key in self.parts.running.indices.servers:
            self.parts.running.ejected[key] = until_s
            update = Update(key[0], ServerUpdate(key[1], ejected_until=until_s))
            self.parts.crew.broadcast(update, without=worker)

    # ------------------------------------------------------------------ health and names

    def _health_changed(self, event: HealthEvent) -> None:
        if event.new is Health.UP:  # as `Server.update` does in the workers
            self.parts.running.ejected.pop((event.pool, event.server), None)
        level = logging.WARNING if event.new is Health.DOWN else logging.INFO
        self.parts.events.emit(
            "health-changed",
            level,
            pool=event.pool,
            server=event.server,
            old=str(event.old),
            new=str(event.new),
            detail=event.detail,
        )
        update = ServerUpdate(event.server, health=event.new)
        self.parts.crew.broadcast(Update(event.pool, update))

    def _endpoint_changed(self, pool: str, server: str, endpoint: Endpoint) -> None:
        self.parts.events.emit(
            "address-changed", pool=pool, server=server, address=str(endpoint[1])
        )
        self.parts.prober.endpoint(pool, server, endpoint)
        self.parts.crew.broadcast(Update(pool, ServerUpdate(server, endpoint=endpoint)))
