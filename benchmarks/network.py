"""A network namespace for the whole run, with the congestion control that Debian's kernel has.

A machine may be set to BBR, which paces every connection by a timer. On loopback that timer, and
in a virtual machine the exit that each one costs, is most of what a large body costs any proxy:
it would be the machine's setting that is compared. Only root may make a namespace; others measure
with what the machine has, and are told which that is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

CONGESTION = Path("/proc/sys/net/ipv4/tcp_congestion_control")
UNPACED = ("cubic", "reno")
"""The first that the kernel lets a namespace have. On loopback nothing is lost: both do alike."""
INSIDE = "L7LB_BENCH_NETWORK"
"""Set for the process that runs in the namespace."""


def congestion_control() -> str:
    return CONGESTION.read_text().strip()


def enter() -> None:
    """Start this program anew in a namespace of its own; returns there, or where none can be."""
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        _choose()
        return
    unshare = shutil.which("unshare")
    if os.geteuid() != 0 or unshare is None or shutil.which("ip") is None:
        return
    os.environ[INSIDE] = "1"
    os.execv(unshare, [unshare, "--net", sys.executable, "-m", "benchmarks", *sys.argv[1:]])


def _choose() -> None:
    for name in UNPACED:
        with suppress(OSError):
            CONGESTION.write_text(name)
            return
