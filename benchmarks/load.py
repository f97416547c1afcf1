"""Load generators, processes on the load core: wrk, paced requests, idle connections."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.lab import Proxy, cores, environment, pinned, system
from benchmarks.setups import ROOT

SCRIPT = Path(__file__).parent / "http" / "done.lua"
PACED = Path(__file__).parent / "paced.c"
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate",
    "Cookie": "session=0123456789abcdef; beta=1",
}
LOG_SETTLES_S = 0.3
"""Access logs are written a little later; that work belongs to the round."""
OPEN_S = 60.0
MIB = 1 << 20


class LoadFailed(Exception):
    """The figures would say nothing: requests failed, or the generator fell behind."""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk does."""

    path: str
    connections: int = 32
    close: bool = False
    """A new connection for each request."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one run of wrk took; CPU of the workers, and of the process above them."""

    requests: int
    bytes: int
    duration_s: float
    cpu_s: float
    supervisor_s: float

    @property
    def rate(self) -> float:
        return self.requests / self.duration_s

    @property
    def cpu_us_per_request(self) -> float:
        return self.cpu_s / self.requests * 1e6

    @property
    def cpu_us_per_mib(self) -> float:
        return self.cpu_s / (self.bytes / MIB) * 1e6


def run_wrk(proxy: Proxy, load: Load, seconds: int, core: int | None = -1) -> Round:
    """Raises LoadFailed when any request failed. `core` None: wherever it fits."""
    before, supervisor = proxy.cpu_s(), proxy.supervisor_cpu_s()
    counts = json.loads(wrk(proxy.url, load, seconds, cores()[0] if core == -1 else core))
    time.sleep(LOG_SETTLES_S)
    cpu_s = proxy.cpu_s() - before
    if counts["failed"] or counts["refused"] or not counts["bytes"]:
        raise LoadFailed(f"{proxy.kind}: {counts}")
    return Round(
        counts["requests"],
        counts["bytes"],
        counts["duration_us"] / 1e6,
        cpu_s,
        proxy.supervisor_cpu_s() - supervisor,
    )


def wrk(url: str, load: Load, seconds: int, core: int | None) -> str:
    """The last line that it prints."""
    headers = HEADERS | ({"Connection": "close"} if load.close else {})
    command = [system("wrk"), "-t1", f"-c{load.connections}", f"-d{seconds}s", "--timeout", "30s"]
    command += [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command += ["-s", str(SCRIPT), url + load.path]
    done = subprocess.run(pinned(core, command), capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1]


@dataclass(frozen=True, slots=True)
class Latency:
    """Of requests sent at a fixed rate, from the moment at which each was due; milliseconds."""

    sent: int
    p50_ms: float
    p99_ms: float


def run_paced(proxy: Proxy, path: str, rate: float, seconds: int) -> Latency:
    """Raises LoadFailed when the rate could not be kept."""
    fields = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\n{fields}\r\n"
    command = [str(paced_client(proxy.folder)), str(proxy.port), str(rate), str(seconds)]
    done = subprocess.run(
        pinned(cores()[0], command), input=request, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise LoadFailed(f"{proxy.kind}: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    return Latency(found["sent"], found["p50_ms"], found["p99_ms"])


def paced_client(folder: Path) -> Path:
    """The client, compiled into the folder."""
    program = folder / "paced"
    if not program.exists():
        command = ["gcc", "-O2", "-o", str(program), str(PACED)]
        subprocess.run(command, check=True, capture_output=True)
    return program


@contextmanager
def idle_connections(proxy: Proxy, count: int) -> Iterator[None]:
    """So many client connections, each after one request; closed at the end."""
    arguments = (str(proxy.port), str(count), "tls" if proxy.setup.tls else "plain")
    command = [sys.executable, "-m", "benchmarks.idle", *arguments]
    with subprocess.Popen(
        pinned(cores()[0], command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "open\n":
                raise LoadFailed(f"{proxy.kind}: no {count} idle connections")
            yield
        finally:
            process.communicate(timeout=OPEN_S)
