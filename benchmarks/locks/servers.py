"""lockd and etcd as processes for a case; ended by their id when it is over."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.lab import environment, free_port, pinned, system

START_S = 30.0


@contextmanager
def running(command: list[str], core: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        pinned(core, command),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def lockd(folder: Path, core: int) -> Iterator[Path]:
    """Its socket."""
    fresh(folder)
    path = folder / "s"
    command = [sys.executable, "-m", "l7lb_storage.lockd"]
    with running([*command, "--data", str(folder), "--unix", str(path)], core) as process:
        assert process.stdout is not None
        if not process.stdout.readline().startswith(b"ready"):
            raise RuntimeError("lockd does not start")
        yield path


@contextmanager
def etcd(folder: Path, core: int) -> Iterator[str]:
    """URL of a cluster of one, with etcd's own settings."""
    fresh(folder)
    url, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    command = [system("etcd"), "--data-dir", str(folder), "--log-level", "error"]
    command += ["--listen-client-urls", url, "--advertise-client-urls", url]
    command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
    with running([*command, "--initial-cluster", f"default={peer}"], core):
        wait(url)
        yield url


def fresh(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def wait(url: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url + "/health", timeout=1) as answer:
                if b"true" in answer.read():
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("etcd does not start")
