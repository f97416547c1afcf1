"""The relay process as the supervisor keeps it: started, and started anew when it ends.

Owns the listening socket, which outlives the process: clients find it at the same path, and wait
in its queue meanwhile. Must not know what the relay is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from l7lb import children
from l7lb.errors import RelayAway
from l7lb.media.relay.spec import RelaySpec

COMMAND = (sys.executable, "-m", "l7lb.media.relay")
BACKLOG = 64
BACKOFF_S = (0.1, 5.0)
"""First and longest wait before it is started again."""
QUICK_DEATH_S = 10.0
END_S = 5.0
"""Between the word to end and the end by force."""

Note = Callable[[str, int, dict[str, object]], None]
"""Event, level of `logging`, fields."""


def listening_socket(path: Path) -> socket.socket:
    """At `path`, which lies in a directory of the owner's alone. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        sock.bind(str(path))
        path.chmod(0o600)
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


class RelayProcess:
    """`start` it, `close` it. `starts` counts; `pid` is None while it does not run."""

    def __init__(
        self, path: Path, spec: RelaySpec, note: Note, command: Sequence[str] = COMMAND
    ) -> None:
        self._path = path
        self._note = note
        self._command = (*command, *_options(spec))
        self._listener: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.runs = asyncio.Event()
        """It has said that it listens."""
        self.starts = 0

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Raises RelayAway when the path cannot be listened at."""
        try:
            self._listener = listening_socket(self._path)
        except OSError as error:
            raise RelayAway(f"{self._path}: {error.strerror or error}") from None
        self._task = asyncio.create_task(self._keep(), name="relay")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
            with contextlib.suppress(FileNotFoundError):
                self._path.unlink()

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        backoff_s = BACKOFF_S[0]
        while True:
            started_s = loop.time()
            await self._live()
            if loop.time() - started_s >= QUICK_DEATH_S:
                backoff_s = BACKOFF_S[0]
            await asyncio.sleep(backoff_s)
            backoff_s = min(backoff_s * 2, BACKOFF_S[1])

    async def _live(self) -> None:
        """The life of one process. It ends when we do, for then its standard input ends."""
        assert self._listener is not None
        fd = self._listener.fileno()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                str(fd),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                pass_fds=(fd,),
                start_new_session=True,
            )
        except OSError as error:
            self._note("relay-not-started", logging.ERROR, {"reason": str(error)})
            return
        self._process = process
        self.starts += 1
        try:
            await self._until_it_ends(process)
        finally:
            self.runs.clear()
            await children.end(process, END_S)
            self._process = None

    async def _until_it_ends(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        if (await process.stdout.readline()).startswith(b"ready"):
            self.runs.set()
            self._note("relay-started", logging.INFO, {"pid": process.pid})
        code = await process.wait()
        self._note("relay-ended", logging.ERROR, {"reason": f"exit status {code}"})


def _options(spec: RelaySpec) -> tuple[str, ...]:
    return (
        "--while-stdin",
        *("--ports", f"{spec.first_port}-{spec.last_port}"),
        *("--sessions", str(spec.sessions)),
        *("--cooling", str(spec.cooling_s)),
        *("--rest", str(spec.rest_s)),
    )
