"""Agents of hot files as processes of their own, and readers of files, for tests."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from l7lb.media.hot.status import Status, read
from support.running_director import ROOT

SECRET = "sixteen bytes and more"
DEADLINE_S = 60.0
OLD_S = 1_000_000_000
"""A time of originals that is long past."""
RULES = """\
media:
  hot_files:
    shared: {top}/{shared}
    local: {top}/{{node}}/local
    presented: {top}/{{node}}/presented
    capacity: {capacity}
    reserve: 0
    copy_rate: {rate}
    settle: 0
    rescan: 1s
    announce:
      to: {to}
      secret: {{file: {top}/secret}}
      every: 100ms
      lists: "127.0.0.1:0"
"""


class Films:
    """A shared directory with its rules file."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.shared = top / "shared"
        self.shared.mkdir()
        (top / "secret").write_text(SECRET)
        self.rules = top / "cluster.yaml"
        self.content: dict[str, bytes] = {}
        """What was made: reading it from the directory would count as a reader."""

    def configure(
        self, to: str, capacity: str = "10MB", rate: str = "0", shared: str = "shared"
    ) -> None:
        text = RULES.format(top=self.top, to=to, capacity=capacity, rate=rate, shared=shared)
        self.rules.write_text(text)

    def mount(self, node: str) -> None:
        """The same files in a directory of this node, as if it were another machine's mount: what
        is opened there is not seen by those who watch another one."""
        for path in self.shared.rglob("*.mp4"):
            place = self.top / node / "mount" / path.relative_to(self.shared)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(path)

    def make(self, name: str, size: int) -> Path:
        path = self.shared / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.content[name] = os.urandom(size)
        path.write_bytes(self.content[name])
        os.utime(path, (OLD_S, OLD_S))
        return path

    def digest(self, name: str, start: int = 0) -> str:
        return hashlib.sha256(self.content[name][start:]).hexdigest()


class Agent:
    """`l7lb media-agent` for one node."""

    def __init__(self, films: Films, node: str) -> None:
        self.films = films
        self.node = node
        self.presented = films.top / node / "presented"
        self.local = films.top / node / "local"
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "l7lb", "media-agent", str(self.films.rules), self.node]
        self.log = (self.films.top / f"{self.node}.log").open("a")
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protocols'}:{ROOT / 'storage'}"},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready"), (self.films.top / f"{self.node}.log").read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        with self.process:
            code = self.process.wait(DEADLINE_S)
        self.process = None
        self.log.close()
        return code

    def status(self) -> Status | None:
        return read(str(self.local))

    def copy(self, name: str) -> Path:
        return self.local / "copies" / name

    def is_local(self, name: str) -> bool:
        """Whether the media server would read its own disk."""
        return (self.presented / name).resolve() == self.copy(name).resolve()


class Reader:
    """A process that opens a file by its presented name and reads it as it is told."""

    SCRIPT = (
        "import sys\n"
        "file = open(sys.argv[1], 'rb', buffering=0)\n"
        "print('open', flush=True)\n"
        "for line in sys.stdin:\n"
        "    count = int(line)\n"
        "    data = b''\n"
        "    while count < 0 or len(data) < count:\n"
        "        more = file.read(65536 if count < 0 else min(65536, count - len(data)))\n"
        "        if not more: break\n"
        "        data += more\n"
        "    import hashlib\n"
        "    print(hashlib.sha256(data).hexdigest(), flush=True)\n"
    )

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.SCRIPT, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "open\n"

    def read(self, count: int = -1) -> str:
        """SHA-256 of the next bytes; all by default."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        with self.process:
            self.process.wait(DEADLINE_S)


def eventually(holds: Callable[[], object], what: str = "", deadline_s: float = DEADLINE_S) -> None:
    """What another process does cannot be awaited; it is looked at until it is so."""
    end_s = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < end_s, what or "it did not come to be"
        time.sleep(0.02)
