"""Processes of a measurement: origin, HAProxy, nginx, the director. Knows no case.

Proxies run on one core, load and origin on another. Everything is started and ended by its id;
configurations and logs stay below the lab's folder.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO, Self

from benchmarks import procfs
from benchmarks.setups import ROOT, Setup, Site, render

START_S = 120.0
"""Ten thousand rules take the director many seconds on a busy machine."""
STOP_S = 10.0
ANSWERS = 16
"""Good answers in a row, each on a connection of its own, that make a proxy ready."""
BODIES = {"1MiB": 1 << 20, "100MiB": 100 << 20}
"""Files of the origin, below /files/."""
BIG_LOG = 1 << 20


def cores() -> tuple[int, int]:
    """Core for load and origin, core for the proxy; the same one where there is no other."""
    found = sorted(os.sched_getaffinity(0))
    return found[0], found[-1]


def pinned(core: int | None, command: Sequence[str]) -> list[str]:
    """On this core, and before all that has no real-time priority: others' work on the machine
    would cost those who sleep and wake more than those who poll. Only root may ask for that."""
    first = ("chrt", "-r", "1") if is_first() else ()
    return [*first, *(("taskset", "-c", str(core)) if core is not None else ()), *command]


@cache
def is_first() -> bool:
    """Whether real-time priority is to be had."""
    if shutil.which("chrt") is None:
        return False
    return (
        subprocess.run(["chrt", "-r", "1", "true"], check=False, capture_output=True).returncode
        == 0
    )


def environment() -> dict[str, str]:
    """This checkout's packages before any that is installed."""
    parts = [str(ROOT / part) for part in (".", "protocols", "storage")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(parts)}


def program(kind: str, config: Path) -> list[str]:
    if kind == "l7lb":
        return [sys.executable, "-m", "l7lb", "run", str(config)]
    if kind == "haproxy":
        return [system("haproxy"), "-db", "-q", "-f", str(config)]
    if kind == "bare splice":
        return ["sh", "-c", 'gcc -O2 -o bare "$0" && exec ./bare', str(config)]
    return [system("nginx"), "-e", str(config.parent / "error.log"), "-c", str(config)]


def check_command(kind: str, config: Path) -> list[str]:
    """What makes the program read its configuration and end: status 0 for a good one."""
    if kind == "l7lb":
        return [sys.executable, "-m", "l7lb", "check", str(config)]
    return [*program(kind, config), "-c" if kind == "haproxy" else "-t"]


def system(name: str) -> str:
    """Programs for administrators may stand outside a user's PATH."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


class Proxy:
    """A running process with its children; `stop` it in any case."""

    def __init__(self, kind: str, setup: Setup, site: Site, core: int | None) -> None:
        self.kind = kind
        self.setup = setup
        self.port = site.port
        self.folder = site.folder
        config = render(kind, setup, site)
        self.log: IO[bytes] = (site.folder / "output.log").open("wb")
        self.process = subprocess.Popen(
            pinned(core, program(kind, config)),
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=environment(),
            cwd=site.folder,
        )

    @property
    def url(self) -> str:
        return f"{'https' if self.setup.tls else 'http'}://127.0.0.1:{self.port}"

    def workers(self) -> list[int]:
        """Ids of the processes that carry traffic."""
        return procfs.children(self.process.pid) or [self.process.pid]

    def cpu_s(self) -> float:
        return sum(map(procfs.cpu_s, self.workers()))

    def supervisor_cpu_s(self) -> float:
        """Of the process above the workers; 0 where there is none."""
        pid = self.process.pid
        return 0.0 if pid in self.workers() else procfs.cpu_s(pid)

    def pss_bytes(self) -> int:
        return sum(map(procfs.pss_bytes, self.workers()))

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of one answer, on a connection of its own; (0, b"") without any."""
        try:
            connection = self._connection()
            try:
                connection.request("GET", path, headers={"Cookie": "beta=1"})
                response = connection.getresponse()
                return response.status, response.read()
            finally:
                connection.close()
        except (OSError, http.client.HTTPException):
            return 0, b""

    def _connection(self) -> http.client.HTTPConnection:
        if not self.setup.tls:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=context)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_S
        good = 0
        while good < ANSWERS:
            good = good + 1 if self.get("/")[0] == 200 else 0
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.kind} does not answer; see {self.folder}/output.log")
            if good == 0:
                time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            for pid in [*procfs.children(self.process.pid), self.process.pid]:
                os.kill(pid, 9)
            self.process.wait()
        self.log.close()
        for path in self.folder.iterdir():
            if path.is_file() and path.stat().st_size > BIG_LOG:
                path.unlink()


class Lab:
    """Context manager: the origin, and the proxies that a case starts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.load_core, self.proxy_core = cores()
        self.case = "check"
        """Subfolder for the proxies' files."""
        self._proxies: list[Proxy] = []

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = self.folder / "certificate.pem"
        make_certificate(self.certificate)
        self.origin_port = free_port()
        site = Site(self.folder / "origin", self.origin_port, 0, self.certificate)
        make_bodies(site.folder / "files")
        self.origin = Proxy("origin", Setup(), site, self.load_core)
        try:
            self.origin.wait_ready()
        except BaseException:
            self.origin.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_proxies()
        self.origin.stop()
        shutil.rmtree(self.origin.folder / "files")

    def site(self, name: str) -> Site:
        return Site(self.folder / self.case / name, free_port(), self.origin_port, self.certificate)

    def start(self, kind: str, setup: Setup, pin: bool = True) -> Proxy:
        """Returns when it answers; it runs until `stop_proxies`. RuntimeError: it never does."""
        core = self.proxy_core if pin else None
        proxy = Proxy(kind, setup, self.site(f"{kind}-{len(self._proxies)}"), core)
        self._proxies.append(proxy)
        proxy.wait_ready()
        return proxy

    def stop_proxies(self) -> None:
        while self._proxies:
            self._proxies.pop().stop()


def make_certificate(path: Path) -> None:
    """Self-signed, P-256, key and certificate in one file."""
    key = path.with_suffix(".key")
    subject = ("-subj", "/CN=localhost", "-days", "30", "-addext", "subjectAltName=IP:127.0.0.1")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    command = (system("openssl"), "req", "-x509", *curve, *subject, "-keyout", key, "-out", path)
    subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + key.read_bytes())


def make_bodies(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    block = os.urandom(1 << 20)
    for name, size in BODIES.items():
        with (folder / name).open("wb") as file:
            for _ in range(size >> 20):
                file.write(block)
