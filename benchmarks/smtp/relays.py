"""Processes of a measurement of SMTP: the sink, the director, a private Postfix. Knows no case."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from benchmarks import procfs
from benchmarks.lab import Lab, environment, free_port, pinned, system
from benchmarks.setups import filled

HERE = Path(__file__).parent
POSTFIX = "postfix"
START_S = 60.0
STOP_S = 15.0
BACKLOG = 512
RECIPIENT = "user@example.org"


class Sink:
    """Debian's smtp-sink as LMTP server; `messages` it has taken. Offers neither XCLIENT nor
    XFORWARD, so that both relays say the same to it."""

    def __init__(self, folder: Path, core: int) -> None:
        self.port = free_port()
        self._counts = folder / "sink"
        user = ["-u", "root"] if os.geteuid() == 0 else []
        options = [*user, "-c", "-C", "-F", "-L", f"127.0.0.1:{self.port}", str(BACKLOG)]
        with self._counts.open("wb") as output:
            self._process = subprocess.Popen(
                pinned(core, [system("smtp-sink"), *options]), stdout=output
            )

    @property
    def messages(self) -> int:
        """It writes its counters, one after the other, each ended by CR."""
        size = self._counts.stat().st_size
        with self._counts.open("rb") as file:
            file.seek(max(0, size - 512))
            lines = [line for line in file.read().split(b"\r")[:-1] if b"mesg=" in line]
        return int(lines[-1].rpartition(b"=")[2]) if lines else 0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(STOP_S)


class Relay:
    """A running relay with all its processes; `stop` it in any case."""

    def __init__(self, kind: str, folder: Path, sink: Sink, core: int) -> None:
        self.kind = kind
        self.port = free_port()
        self.folder = folder
        make = postfix if kind == POSTFIX else director
        command = make(folder, {"PORT": str(self.port), "SINK": str(sink.port)})
        with (folder / "output.log").open("wb") as log:
            self.process = subprocess.Popen(
                pinned(core, command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                cwd=folder,
            )

    def cpu_s(self) -> float:
        return procfs.family_cpu_s(self.process.pid)

    def wait_ready(self) -> None:
        """Until it greets. RuntimeError: it never does."""
        until(self._greets, START_S, f"{self.kind} does not greet; see {self.folder}")

    def _greets(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.kind}: {(self.folder / 'output.log').read_text()[-500:]}")
        address = ("127.0.0.1", self.port)
        with suppress(OSError), socket.create_connection(address, START_S) as sock:
            return sock.recv(3) == b"220"
        return False

    def stop(self) -> None:
        """Postfix's master has a session of its own."""
        master = self.folder / "queue/pid/master.pid"
        pid = int(master.read_text()) if master.exists() else self.process.pid
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def director(folder: Path, values: dict[str, str]) -> list[str]:
    """Its command, once its files are written."""
    (folder / "accounts.yaml").write_text(f"users:\n  {RECIPIENT}: {{}}\n")
    config = written("cluster.yaml", folder, values)
    return [sys.executable, "-m", "l7lb", "run", str(config)]


def postfix(folder: Path, values: dict[str, str]) -> list[str]:
    """Only root can start it."""
    owner = pwd.getpwnam("postfix")
    etc = folder / "etc"
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir(mode=0o755)
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    for name in ("main.cf", "master.cf"):
        written(name, etc, values | {"FOLDER": str(folder), "OWNER": owner.pw_name})
    return [system("postfix"), "-c", str(etc), "start-fg"]


def written(name: str, folder: Path, values: dict[str, str]) -> Path:
    path = folder / name
    path.write_text(filled((HERE / name).read_text(), {}, {"FOLDER": str(folder)} | values))
    return path


def until(holds: Callable[[], bool], limit_s: float, problem: str) -> None:
    """RuntimeError with `problem` after so long."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            raise RuntimeError(problem)
        time.sleep(0.02)


@contextmanager
def relays(lab: Lab, names: tuple[str, ...]) -> Iterator[tuple[Sink, dict[str, Relay]]]:
    """The named relays, ready, before one sink; all of it ended in the end. Their files are on
    a real disk: Postfix's queue is part of what it costs."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="l7lb-smtp-")))
        scratch.chmod(0o755)
        sink = Sink(scratch, lab.load_core)
        stack.callback(sink.stop)
        found: dict[str, Relay] = {}
        for name in names:
            folder = scratch / name
            folder.mkdir()
            found[name] = Relay(name, folder, sink, lab.proxy_core)
            stack.callback(found[name].stop)
        for relay in found.values():
            relay.wait_ready()
        yield sink, found
