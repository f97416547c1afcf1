"""Network namespaces of a test's own: made, wired, entered, and gone afterwards. Needs root.

A namespace's name starts with the process's id, so that tests can run beside each other, and the
machine's own interfaces, rules and routes are never touched.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
COMMAND_S = 60.0
END_S = 20.0
_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_count = iter(range(1 << 30))


def run(*command: str, text: str | None = None) -> str:
    """Standard output; on failure all that was printed is in the error."""
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=COMMAND_S, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{text or ''}{done.stdout}{done.stderr}"
    return done.stdout


def environment() -> dict[str, str]:
    """This checkout's packages, and nothing of the user's."""
    parts = [str(ROOT / part) for part in (".", "protocols", "storage")]
    return {"PYTHONPATH": os.pathsep.join(parts), "PATH": PATH, "HOME": "/nonexistent"}


def enter_network(fd: int) -> None:
    """This thread's network from now on. Raises OSError."""
    if _LIBC.setns(fd, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


@dataclass(slots=True)
class Namespace:
    """One host of the lab."""

    name: str
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return f"/run/netns/{self.name}"

    def command(self, *words: str) -> list[str]:
        return ["nsenter", f"--net={self.path}", *words]

    def run(self, *words: str, text: str | None = None) -> str:
        return run(*self.command(*words), text=text)

    def ip(self, *lines: str) -> None:
        """Words of ip(8), one command a line; lines of `-6` come last."""
        for family in ("", "-6"):
            chosen = [
                line.removeprefix("-6 ")
                for line in lines
                if (family == "-6") == line.startswith("-6 ")
            ]
            if chosen:
                self.run(
                    "ip", *filter(None, [family]), "-batch", "-", text="\n".join(chosen) + "\n"
                )

    def sysctl(self, name: str, value: int | str) -> None:
        """A name below /proc/sys/net, such as `ipv4/ip_forward`."""
        self.run("sh", "-c", 'echo "$1" > "/proc/sys/net/$0"', name, str(value))

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread is on that host within the block; sockets made there stay there."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter_network(there)
            yield
        finally:
            enter_network(before)
            os.close(there)
            os.close(before)

    def start(
        self, *words: str, log: IO[bytes] | int = subprocess.DEVNULL, stdout: int | None = None
    ) -> subprocess.Popen[bytes]:
        """A process on that host; `stop` or the lab's end ends it."""
        process = subprocess.Popen(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=log if stdout is None else stdout,
            stderr=log,
            env=environment(),
            cwd=ROOT,
        )
        self.started.append(process)
        return process


def stop(process: subprocess.Popen[bytes], limit_s: float = END_S) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def namespaces(*names: str) -> Iterator[dict[str, Namespace]]:
    """Hosts with a loopback, by their short names; all gone afterwards, with what runs there."""
    prefix = f"l7-{os.getpid()}-{next(_count)}"
    hosts = {name: Namespace(f"{prefix}-{name}") for name in names}
    made: list[Namespace] = []
    try:
        for host in hosts.values():
            run("ip", "netns", "add", host.name)
            made.append(host)
            host.sysctl("ipv6/conf/default/accept_dad", 0)
            host.ip("link set lo up")
        yield hosts
    finally:
        for host in made:
            for process in reversed(host.started):
                stop(process)
        for host in made:
            run("ip", "netns", "del", host.name)


def wire(hosts: Sequence[tuple[Namespace, str]], middle: Namespace, bridge: str) -> None:
    """Join hosts, each by an interface of that name, to a new bridge."""
    middle.ip(
        f"link add {bridge} type bridge forward_delay 0 mcast_snooping 0", f"link set {bridge} up"
    )
    for number, (host, device) in enumerate(hosts):
        port = f"{bridge}{number}"
        middle.ip(
            f"link add {port} type veth peer name {device} netns {host.name}",
            f"link set {port} master {bridge} up",
        )
        host.ip(f"link set {device} up")
