"""Debian's etcd on loopback: members as processes, ended by their pid."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

START_S = 30.0
ROOM_BYTES = 2 << 30
ETCD = shutil.which("etcd") or "/usr/bin/etcd"


def roomy() -> str | None:
    """A directory in memory if there is room for etcd's logs, else None.

    Nothing here cuts the power, so no test needs the disk, and its syncs are what takes the time.
    """
    memory = Path("/dev/shm")
    if not memory.is_dir() or shutil.disk_usage(memory).free < ROOM_BYTES:
        return None
    return str(memory)


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that nobody has now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((host, 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@dataclass
class Member:
    """One etcd. `options` are added to its command."""

    name: str
    folder: Path
    port: int
    peer_port: int
    heartbeat_ms: int = 50
    options: list[str] = field(default_factory=list)
    cluster: str = ""
    scheme: str = "http"
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def peer_url(self) -> str:
        return f"http://127.0.0.1:{self.peer_port}"

    def launch(self) -> None:
        command = [ETCD, "--name", self.name, "--data-dir", str(self.folder)]
        command += ["--listen-client-urls", self.url, "--advertise-client-urls", self.url]
        command += ["--listen-peer-urls", self.peer_url]
        command += ["--initial-advertise-peer-urls", self.peer_url]
        command += ["--initial-cluster", self.cluster or f"{self.name}={self.peer_url}"]
        command += ["--heartbeat-interval", str(self.heartbeat_ms)]
        command += ["--election-timeout", str(10 * self.heartbeat_ms), "--log-level", "error"]
        self.process = subprocess.Popen(
            [*command, *self.options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, "etcd ended by itself"
            if self._answers():
                return
            time.sleep(0.02)
        raise AssertionError("etcd does not answer")

    def start(self) -> None:
        self.launch()
        self.wait()

    def kill(self) -> None:
        """As a power failure would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """SIGSTOP: connections stay open and nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def wipe(self) -> None:
        """Its data is lost."""
        self.kill()
        shutil.rmtree(self.folder)

    def _answers(self) -> bool:
        if self.scheme == "https":
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=1) as answer:
                return bool(b"true" in answer.read())
        except (OSError, urllib.error.URLError):
            return False


def single(folder: Path) -> Member:
    port, peer_port = free_ports(2)
    return Member("m0", folder, port, peer_port)


def three(folder: Path) -> list[Member]:
    """A cluster; slower beats than a single member's, because it must not lose its leader."""
    ports = free_ports(6)
    members = [
        Member(f"m{number}", folder / f"m{number}", ports[number], ports[number + 3], 100)
        for number in range(3)
    ]
    cluster = ",".join(f"{member.name}={member.peer_url}" for member in members)
    try:
        for member in members:
            member.cluster = cluster
            member.launch()
        for member in members:
            member.wait()
    except BaseException:
        for member in members:
            member.kill()
        raise
    return members
