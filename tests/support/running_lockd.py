"""The lock server in a process of its own, for tests that are no coroutines."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from support.running_director import ROOT


class Lockd:
    """The lock server as its own process."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "lockd.sock"
        self.command = [sys.executable, "-m", "l7lb_storage.lockd", "--data", str(folder / "lockd")]
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*self.command, "--unix", str(self.socket)],
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": str(ROOT / "storage")},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("ready")

    def end(self, number: int = signal.SIGTERM) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        with self.process:
            self.process.wait(20.0)
