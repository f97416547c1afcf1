"""The store of a rules file that names none: lockd, kept running by the supervisor.

Owns the one answer to "which store is in effect", lockd's process and the claim to it: of several
supervisors on one state directory one keeps it, and the others use it. Knows nothing of what is
kept in the store.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from l7lb import children
from l7lb.director.events import Events
from l7lb.director.paths import private_directory
from l7lb.errors import ControlError
from l7lb.model import ClusterSpec
from l7lb.model_store import LockdStore

LOCKD_COMMAND = (sys.executable, "-m", "l7lb_storage.lockd")
FOLDER = "lockd"
SOCKET = "lockd.sock"
CLAIM = "claim"
SOCKET_LIMIT_BYTES = 107
"""What sun_path holds, unix(7)."""
BACKOFF_S = (0.1, 5.0)
"""First and longest wait before lockd is started again."""
QUICK_DEATH_S = 10.0
CLAIM_EVERY_S = 1.0
READY_S = 10.0
END_S = 10.0
"""Between the word to lockd and its end by force."""


class EmbeddedStore:
    """`reconcile` with each running file; once started it stays until `close`."""

    def __init__(self, state: Path, events: Events, command: Sequence[str] = LOCKD_COMMAND) -> None:
        self._folder = state / FOLDER
        self._events = events
        self._command = (*command, "--data", str(self._folder), "--while-stdin")
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._up = asyncio.Event()
        """It listens, or another supervisor's does."""
        self._state = "off"
        self._since_s = time.time()
        self._starts = 0

    @property
    def socket(self) -> Path:
        return self._folder / SOCKET

    @property
    def spec(self) -> LockdStore:
        return LockdStore(f"unix:{self.socket}")

    # ------------------------------------------------------------------ which store

    def in_effect(self, spec: ClusterSpec) -> ClusterSpec:
        """The file with its store, or with this one where it names none and needs one.

        Raises ControlError when the path is too long for a socket.
        """
        if spec.store is not None or not (spec.has_mail or self._task is not None):
            return spec
        if len(os.fsencode(self.socket)) > SOCKET_LIMIT_BYTES:
            words = f"{self.socket} is too long for a socket: give director.state, or a store"
            raise ControlError(words, 422)
        return replace(spec, store=self.spec)

    def serves(self, spec: ClusterSpec) -> bool:
        """`spec` as `in_effect` has made it."""
        return spec.store == self.spec

    def view(self) -> dict[str, object] | None:
        """JSON; None: not in use."""
        if self._task is None:
            return None
        return {
            "state": self._state,
            "age_s": round(time.time() - self._since_s, 1),
            "pid": None if self._process is None else self._process.pid,
            "starts": self._starts,
        }

    # ------------------------------------------------------------------ start and end

    def reconcile(self, spec: ClusterSpec) -> None:
        """Start lockd when this file needs it. `spec` as `in_effect` has made it."""
        if self.serves(spec) and self._task is None:
            self._set("starting")
            self._task = asyncio.create_task(self._keep(), name="lockd")

    async def ready(self) -> None:
        """Until it listens, for a bounded time: without it, mail is not wrong but blind."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._up.wait(), READY_S)

    async def close(self) -> None:
        """End lockd, after everybody who uses it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # ------------------------------------------------------------------ the process

    async def _keep(self) -> None:
        claim = await self._claimed()
        loop = asyncio.get_running_loop()
        backoff_s = BACKOFF_S[0]
        try:
            while True:
                started_s = loop.time()
                await self._live(claim)
                if loop.time() - started_s >= QUICK_DEATH_S:
                    backoff_s = BACKOFF_S[0]
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, BACKOFF_S[1])
        finally:
            os.close(claim)

    async def _claimed(self) -> int:
        """The descriptor of the claim, once no other supervisor, nor a lockd of one, has it."""
        while True:
            try:
                claim = self._claim()
            except OSError as error:
                self._failed("store-not-claimed", str(error))
                claim = None
            if claim is not None:
                return claim
            await asyncio.sleep(CLAIM_EVERY_S)

    def _claim(self) -> int | None:
        """None: another has it. Raises OSError."""
        private_directory(self._folder)
        claim = os.open(self._folder / CLAIM, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(claim)
            self._set("of another director")
            self._up.set()
            return None
        except BaseException:
            os.close(claim)
            raise
        return claim

    async def _live(self, claim: int) -> None:
        """The life of one process. It holds the claim too, so that none starts beside it, and
        ends when the supervisor does, for then its standard input ends."""
        self._set("starting")
        self._starts += 1
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                "--unix",
                str(self.socket),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(claim,),
                start_new_session=True,
            )
        except OSError as error:
            self._failed("store-not-started", str(error))
            return
        self._process = process
        try:
            await self._until_it_ends(process)
        finally:
            await children.end(process, END_S)
            self._process = None

    async def _until_it_ends(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        if (await process.stdout.readline()).startswith(b"ready"):
            self._set("runs")
            self._up.set()
            self._events.emit("store-started", pid=process.pid)
        code = await process.wait()
        self._failed("store-ended", f"exit status {code}")

    def _failed(self, event: str, reason: str) -> None:
        self._set("down")
        self._events.emit(event, logging.ERROR, reason=reason)

    def _set(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._since_s = time.time()
