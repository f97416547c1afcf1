"""What the kernel tells about processes: CPU time, children, memory. Knows no proxy."""

from __future__ import annotations

import os
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def cpu_s(pid: int) -> float:
    """User and system time of all threads of a process, also of those that ended, in seconds."""
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def family_cpu_s(pid: int) -> float:
    """The same of a process and all below it, those included that came and ended meanwhile."""
    return sum(_with_ended_cpu_s(one) for one in family(pid))


def _with_ended_cpu_s(pid: int) -> float:
    """Children that were waited for count with their parent."""
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0  # ended since it was listed: its parent has its time
    return sum(map(int, fields[11:15])) * TICK_S


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found, new = [], [pid]
    while new:
        found += new
        new = [child for one in new for child in _living_children(one)]
    return found


def _living_children(pid: int) -> list[int]:
    try:
        return children(pid)
    except (FileNotFoundError, ProcessLookupError):
        return []


def children(pid: int) -> list[int]:
    """Direct children, oldest first."""
    tasks = (PROC / str(pid) / "task").iterdir()
    return sorted(int(child) for task in tasks for child in (task / "children").read_text().split())


def pss_bytes(pid: int) -> int:
    """Proportional set size: what is shared counts for each sharer in equal parts."""
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"no Pss for process {pid}")


def load_average() -> float:
    """Of the last minute."""
    return os.getloadavg()[0]
