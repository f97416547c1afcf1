"""Clients of IMAP on the load core: logins one after the other, bodies, idle sessions."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.lab import cores, environment, pinned
from benchmarks.load import LOG_SETTLES_S, MIB, OPEN_S, LoadFailed
from benchmarks.mail.proxies import MailProxy, built
from benchmarks.setups import ROOT


@dataclass(frozen=True, slots=True)
class Load:
    """What the clients do; see client.c."""

    seconds: float
    connections: int = 32
    first: int = 0
    """Number of the first account."""
    accounts: int = 1000
    mib: int = 0


@dataclass(frozen=True, slots=True)
class Round:
    """What one run took; CPU of all of the proxy's processes."""

    sessions: int
    next: int
    """The account that the next run may begin with."""
    mib: float
    duration_s: float
    cpu_s: float

    @property
    def cpu_us_per_session(self) -> float:
        return self.cpu_s / self.sessions * 1e6

    @property
    def cpu_us_per_mib(self) -> float:
        return self.cpu_s / self.mib * 1e6


def run_clients(proxy: MailProxy, load: Load) -> Round:
    """Raises LoadFailed when any answer was another than that awaited."""
    words = (proxy.port, load.seconds, load.connections, load.first, load.accounts, load.mib)
    command = [str(built("client", proxy.folder)), *map(str, words)]
    before = proxy.cpu_s()
    done = subprocess.run(pinned(cores()[0], command), check=False, capture_output=True, text=True)
    time.sleep(LOG_SETTLES_S)
    cpu_s = proxy.cpu_s() - before
    if done.returncode:
        raise LoadFailed(f"{proxy.kind}: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    return Round(found["sessions"], found["next"], found["bytes"] / MIB, found["duration_s"], cpu_s)


@contextmanager
def idle_sessions(proxy: MailProxy, count: int, first: int) -> Iterator[None]:
    """So many sessions, each after its login; closed at the end."""
    words = (str(proxy.port), str(count), "tls" if proxy.tls else "plain", str(first))
    with subprocess.Popen(
        pinned(cores()[0], [sys.executable, "-m", "benchmarks.mail.idle", *words]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "open\n":
                raise LoadFailed(f"{proxy.kind}: no {count} idle sessions")
            yield
        finally:
            process.communicate(timeout=OPEN_S)
