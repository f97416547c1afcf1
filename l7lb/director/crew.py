"""All workers of a director: kept at their number, told everything, asked together.

Owns the worker processes and the slots. Must not know files, health or control.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from l7lb.director.events import Events
from l7lb.director.messages import StatusReply, ToSupervisor, ToWorker
from l7lb.director.process import WORKER_COMMAND, Stage, WorkerProcess, launch

QUICK_DEATH_S = 1.0
BACKOFF_S = (0.1, 5.0)
"""First and longest wait before a worker is started that died soon after its start."""
PING_EVERY_S = 5.0
PINGS = 6
"""A worker that leaves so many questions unanswered is stuck: it is killed and replaced."""
GRACE_S = 5.0
"""Beyond the drain deadline, before a worker is killed."""


@dataclass(frozen=True, slots=True)
class CrewCalls:
    """What the crew asks of its supervisor."""

    greet: Callable[[WorkerProcess], None]
    """A process runs: send it what it needs."""
    heard: Callable[[WorkerProcess, ToSupervisor], None]
    """A worker said something."""
    ended: Callable[[int], None]
    """Nobody uses this slot any more."""
    live: Callable[[int], None]
    """So many slots are in use, counted from the first."""


class Crew:
    """Workers in slots 0 to `size` - 1, and those above that still drain."""

    def __init__(
        self, calls: CrewCalls, events: Events, command: Sequence[str] = WORKER_COMMAND
    ) -> None:
        self.size = 0
        self.restarts = 0
        self.loop = "auto"
        """Event loop of workers that start from now on."""
        self._command = tuple(command)
        self._calls = calls
        self._events = events
        self._workers: dict[int, WorkerProcess] = {}
        self._keepers: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        """Set whenever a worker has said something."""
        self.stopping = False

    def resize(self, size: int, drain_s: float) -> None:
        """Keep `size` workers from now on; those too many drain."""
        self.size = size
        self._calls.live(max([size, *(slot + 1 for slot in self._keepers)]))
        for slot in range(size):
            if slot not in self._keepers:
                task = asyncio.create_task(self._keep(slot), name=f"worker {slot}")
                self._keepers[slot] = task
        for slot, worker in self._workers.items():
            if slot >= size and worker.stage is not Stage.DRAINING:
                worker.drain(drain_s)

    def workers(self) -> list[WorkerProcess]:
        return [self._workers[slot] for slot in sorted(self._workers)]

    def broadcast(self, message: ToWorker, without: WorkerProcess | None = None) -> None:
        for worker in self.workers():
            if worker is not without:
                worker.send(message)

    async def ask(self, deadline_s: float) -> dict[int, StatusReply | None]:
        """The status of every slot; None: no answer within the deadline."""
        workers = self.workers()
        replies = await asyncio.gather(*(worker.status(deadline_s) for worker in workers))
        found: dict[int, StatusReply | None] = dict.fromkeys(range(self.size))
        found.update({worker.slot: reply for worker, reply in zip(workers, replies, strict=True)})
        return found

    async def confirm(self, generation: int, deadline_s: float) -> list[int]:
        """Wait until all work by this generation; returns the slots that do not."""
        try:
            async with asyncio.timeout(deadline_s):
                while any(self._may_follow(slot) for slot in self._behind(generation)):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._events.emit("workers-late", logging.WARNING, generation=generation)
        return self._behind(generation)

    def _behind(self, generation: int) -> list[int]:
        return [
            slot
            for slot in range(self.size)
            if slot not in self._workers or self._workers[slot].generation < generation
        ]

    def _may_follow(self, slot: int) -> bool:
        worker = self._workers.get(slot)
        return worker is None or not worker.refusal

    def _heard(self, worker: WorkerProcess, message: ToSupervisor) -> None:
        self._changed.set()
        self._calls.heard(worker, message)

    async def watch(self) -> None:
        """Kill who is stuck; runs until cancelled.

        Unanswered questions are counted, not seconds: after a pause of the whole machine, or of
        this process, nobody is to blame.
        """
        while True:
            await asyncio.sleep(PING_EVERY_S)
            for worker in self.workers():
                if worker.pings < PINGS:
                    worker.ping()
                    continue
                self._events.emit("worker-stuck", logging.ERROR, worker=worker.slot, pid=worker.pid)
                worker.kill()

    # ------------------------------------------------------------------ keeping a slot filled

    async def _keep(self, slot: int) -> None:
        backoff_s = BACKOFF_S[0]
        loop = asyncio.get_running_loop()
        try:
            while slot < self.size and not self.stopping:
                started_s = loop.time()
                await self._live(slot)
                if loop.time() - started_s >= QUICK_DEATH_S:
                    backoff_s = BACKOFF_S[0]
                elif slot < self.size and not self.stopping:
                    await asyncio.sleep(backoff_s)
                    backoff_s = min(backoff_s * 2, BACKOFF_S[1])
        finally:
            self._keepers.pop(slot, None)
            self._calls.live(max([self.size, *(each + 1 for each in self._keepers)]))

    async def _live(self, slot: int) -> None:
        """The life of one process in this slot."""
        try:
            worker = await launch(slot, (*self._command, self.loop), self._heard)
        except OSError as error:
            self._events.emit("worker-not-started", logging.ERROR, worker=slot, reason=str(error))
            return
        self._workers[slot] = worker
        self._events.emit("worker-started", worker=slot, pid=worker.pid)
        try:
            self._calls.greet(worker)
            if self.stopping or slot >= self.size:
                worker.drain(0.0)
            code = await worker.ended()
        except asyncio.CancelledError:
            worker.kill()
            await worker.ended()
            raise
        finally:
            del self._workers[slot]
            self._calls.ended(slot)
        self._note_end(worker, code)

    def _note_end(self, worker: WorkerProcess, code: int) -> None:
        expected = code == 0 and (self.stopping or worker.slot >= self.size)
        if not expected:
            self.restarts += 1
        self._events.emit(
            "worker-exited",
            logging.INFO if expected else logging.ERROR,
            worker=worker.slot,
            pid=worker.pid,
            reason=_reason(code),
            sessions_cut=worker.cut,
        )

    # ------------------------------------------------------------------ the end

    async def drain(self, deadline_s: float) -> None:
        """Let every worker drain and exit; who does not in time is killed."""
        self.stopping = True
        for worker in self.workers():
            worker.drain(deadline_s)
        tasks = list(self._keepers.values())
        if tasks:
            await asyncio.wait(tasks, timeout=deadline_s + GRACE_S)
        await self.kill()

    async def kill(self) -> None:
        """End all workers at once."""
        self.stopping = True
        tasks = list(self._keepers.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _reason(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit status {code}"
