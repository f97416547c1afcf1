"""Which process of this host a name means: its number alone comes again.

Owns the form of the name. Linux: the kernel's boot and the moment of the start are part of it.
"""

from __future__ import annotations

import os
from pathlib import Path

BOOT_SIGNS = 8
"""Of the boot's UUID: two boots of one host need not differ in more."""


def own() -> str:
    """The name of this process. No other, of any boot, ever has it."""
    return _name(os.getpid())


def is_alive(name: str) -> bool:
    """Does the process live that called itself so? Only for names of this host."""
    number = name.partition(".")[0]
    return number.isdecimal() and _name(int(number)) == name


def _name(pid: int) -> str:
    """Empty: there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    except OSError:
        return ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else f"{pid}.{rest[18]}.{boot[:BOOT_SIGNS]}"
