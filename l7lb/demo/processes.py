"""The demo's processes: started apart from the terminal, remembered in a file, ended by pid.

A pid alone may by now belong to somebody else, so each is kept with the start time that the kernel
gives for it, and both must match before a signal is sent.
"""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

STOP_S = 15.0
POLL_S = 0.05


def start_time(pid: int) -> int | None:
    """Clock ticks after boot at which the process started; None if there is none or it is dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass(slots=True)
class Processes:
    """Named processes of one demo; `record` outlives the program that started them."""

    record: Path
    _known: dict[str, tuple[int, int]] = field(default_factory=dict)
    _children: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    def load(cls, record: Path) -> "Processes":
        """What an earlier demo left in this file; empty if there is none."""
        known = json.loads(record.read_text()) if record.exists() else {}
        return cls(record, {name: (pid, started) for name, (pid, started) in known.items()})

    def start(self, name: str, command: list[str], directory: Path) -> int:
        """Starts a process of its own session that writes to `directory/name.log`."""
        with (directory / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own command line, no shell
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._children[child.pid] = child
        self._known[name] = (child.pid, start_time(child.pid) or 0)
        self._write()
        return child.pid

    def alive(self, name: str) -> bool:
        self._reap()
        pid, started = self._known.get(name, (0, 0))
        return pid > 0 and start_time(pid) == started

    def send(self, name: str, number: signal.Signals) -> bool:
        """False if the process is not there any more."""
        if not self.alive(name):
            return False
        os.kill(self._known[name][0], number)
        return True

    def stop(self, name: str) -> None:
        """Asks it to end, waits, and kills it when it does not."""
        if self.send(name, signal.SIGTERM) and not self._gone(name):
            self.send(name, signal.SIGKILL)
            self._gone(name)
        self._reap()
        self._known.pop(name, None)
        self._write()

    def stop_all(self) -> int:
        """Ends everything, the last started first; returns how many were still alive."""
        names = [name for name in reversed(self._known) if self.alive(name)]
        for name in reversed(list(self._known)):
            self.stop(name)
        self.record.unlink(missing_ok=True)
        return len(names)

    def _gone(self, name: str) -> bool:
        deadline = time.monotonic() + STOP_S
        while self.alive(name):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def _reap(self) -> None:
        for pid in [pid for pid, child in self._children.items() if child.poll() is not None]:
            del self._children[pid]

    def _write(self) -> None:
        self.record.write_text(json.dumps(self._known, indent=1) + "\n")
