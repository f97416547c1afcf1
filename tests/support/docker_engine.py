"""A Docker engine for one test: no registry, no trace in the machine's firewall, gone afterwards.

Images are built by a daemon that touches no network at all (builds use the host's), and run by one
that lives in a network namespace of its own. The base image is made with mmdebstrap, tagged as the
one that the Dockerfiles name, and given the machine's own certificate authorities.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE = "debian:bookworm-slim"
BASE_TAR = ROOT / "build/docker/bookworm-slim.tar"
SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
AUTHORITIES = Path("/usr/local/share/ca-certificates")
DOCKER = "/usr/bin/docker"
COMPOSE = "/usr/bin/docker-compose"
READY_S = 30.0

NO_NETWORK = ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"]


def run(*command: str, env: dict[str, str] | None = None, limit_s: float = 120) -> str:
    """Standard output; on failure everything that was printed is in the error."""
    done = subprocess.run(
        command, env=env, cwd=ROOT, timeout=limit_s, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def make_base() -> None:
    """The stand-in for the registry's image; kept in build/ for the next run."""
    if BASE_TAR.exists():
        return
    BASE_TAR.parent.mkdir(parents=True, exist_ok=True)
    unfinished = BASE_TAR.with_suffix(".part")
    authorities = sorted(map(str, AUTHORITIES.glob("*.crt")))
    hooks = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "doc", "locale")]
    if authorities:
        hooks += [
            f'--customize-hook=mkdir -p "$1{AUTHORITIES}"',
            f"--customize-hook=copy-in {' '.join(authorities)} {AUTHORITIES}",
            '--customize-hook=chroot "$1" update-ca-certificates',
        ]
    mirror = [str(SOURCES)] if SOURCES.exists() and "bookworm" in SOURCES.read_text() else []
    run(
        *("mmdebstrap", "--variant=minbase", "--include=ca-certificates", "--format=tar", *hooks),
        *("bookworm", str(unfinished), *mirror),
        limit_s=300,
    )
    unfinished.rename(BASE_TAR)


@dataclass(slots=True)
class Engine:
    """One data directory, and at most one daemon on it at a time."""

    directory: Path
    namespace: str
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return {
            **os.environ,
            "DOCKER_HOST": f"unix://{self.directory}/d.sock",
            "DOCKER_CONFIG": str(self.directory / "config"),
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_PROJECT_NAME": "l7lb-test",
        }

    def docker(self, *arguments: str, limit_s: float = 120) -> str:
        return run(DOCKER, *arguments, env=self.env, limit_s=limit_s)

    def compose(self, *arguments: str, limit_s: float = 180) -> str:
        return run(COMPOSE, *arguments, env=self.env, limit_s=limit_s)

    def inside(self, *command: str) -> str:
        """Runs a command in the network that the containers' bridge is in."""
        return run("nsenter", f"--net=/run/netns/{self.namespace}", *command)

    @contextmanager
    def daemon(self, prefix: list[str], flags: list[str]) -> Iterator[None]:
        place = self.directory
        command = [
            *(*prefix, "dockerd", "--data-root", f"{place}/data", "--exec-root", f"{place}/exec"),
            *("--pidfile", f"{place}/d.pid", "-H", f"unix://{place}/d.sock", *flags),
        ]
        with (place / "dockerd.log").open("ab") as log:
            child = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self.children.append(child)
        try:
            self.wait_until_ready(child)
            yield
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(60)
            unmount_below(place / "exec")

    def wait_until_ready(self, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + READY_S
        ask = [DOCKER, "version"]
        while subprocess.run(ask, env=self.env, capture_output=True, check=False).returncode:
            log = (self.directory / "dockerd.log").read_text()
            assert child.poll() is None, log
            assert time.monotonic() < deadline, log
            time.sleep(0.2)

    @contextmanager
    def for_builds(self) -> Iterator[None]:
        with self.daemon([], NO_NETWORK):
            yield

    @contextmanager
    def for_containers(self) -> Iterator[None]:
        run("ip", "netns", "add", self.namespace)
        try:
            run("ip", "-n", self.namespace, "link", "set", "lo", "up")
            with self.daemon(["nsenter", f"--net=/run/netns/{self.namespace}"], []):
                yield
        finally:
            run("ip", "netns", "del", self.namespace)


def mounts_below(directory: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{directory}/")]


def unmount_below(directory: Path) -> None:
    for point in sorted(mounts_below(directory), reverse=True):
        run("umount", point)


def processes_of(directory: Path) -> list[str]:
    """Command lines, of any process, that name this directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(directory) in line:
            found.append(line)
    return found


@contextmanager
def engine() -> Iterator[Engine]:
    """An engine whose every trace is gone afterwards; that is asserted."""
    directory = Path(tempfile.mkdtemp(prefix="l7lb-docker-", dir="/tmp"))
    here = Engine(directory, namespace=f"l7lb-{os.getpid()}")
    try:
        yield here
    finally:
        unmount_below(directory)
        shutil.rmtree(directory)
    assert not processes_of(directory)
    assert not mounts_below(directory)
    assert here.namespace not in run("ip", "netns", "list")
