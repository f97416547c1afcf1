"""The media-kernel process: rules in the kernel, asked by one socket, from start to SIGTERM.

It prints `ready` when it listens. At SIGTERM, and when it dies, the rules stay in the kernel, so
players go on; the next process makes of them what is wanted then. `clean` takes them away.
Needs CAP_NET_ADMIN and CAP_NET_RAW.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from l7lb.media.kernel.office import Office
from l7lb.media.kernel.rules import KernelRules
from l7lb.media.kernel.spoof import Asker
from l7lb.media.kernel.verbs import Verbs
from l7lb.media.key import read_key
from l7lb.media.netfilter.libnftables import NftError
from l7lb.media.signed import Seal

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KernelSpec:
    """`user`: who may ask besides root and the process's own user. `key`: file of the key that
    agents have too; None: no orders to agents."""

    socket: Path
    user: str = ""
    key: Path | None = None
    while_stdin: bool = False
    """End when standard input ends: a supervisor that dies takes this process with it."""


async def serve(spec: KernelSpec) -> None:
    """Until SIGTERM or SIGINT. Raises OSError, ValueError, NftError."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    owner = pwd.getpwnam(spec.user).pw_uid if spec.user else None
    asker = Asker(Seal(read_key(spec.key))) if spec.key is not None else None
    rules = KernelRules()
    office = Office(spec.socket, Verbs(rules, asker).answer, () if owner is None else (owner,))
    try:
        office.open(owner=owner)
        if spec.while_stdin:
            loop.add_reader(sys.stdin.fileno(), _ended, loop, stop)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await stop.wait()
    finally:
        await office.close()
        rules.close()


def _ended(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stop.set()


def main(spec: KernelSpec) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(serve(spec))
    except KeyError:
        sys.stderr.write(f"media-kernel: there is no user {spec.user!r}\n")
        return 1
    except (NftError, OSError, ValueError) as error:
        sys.stderr.write(f"media-kernel: {error}\n")
        return 1
    return 0


def clean() -> int:
    """Takes every rule of ours away. Exit status."""
    try:
        rules = KernelRules()
        rules.remove()
        rules.close()
    except (NftError, OSError) as error:
        sys.stderr.write(f"media-kernel: {error}\n")
        return 1
    return 0
