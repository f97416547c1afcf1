"""A process that holds a lock, believes in it, is stopped, and writes too late.

Run: `python lock_holder.py ENGINE ADDRESS PREFIX HOME TTL`. It says what it knows, line by line;
each line on its input lets it go one step further.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from l7lb_storage import Mode, Session, SessionSpec, StaleToken, guard
from l7lb_storage.engine import Engine
from l7lb_storage.etcd.engine import EtcdEngine
from l7lb_storage.etcd.gateway import EtcdSpec
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress


def say(text: str) -> None:
    print(text, flush=True)


def wait() -> None:
    """Blocks the whole process, as a long system call or a page fault does."""
    sys.stdin.readline()


def make(kind: str, address: str, prefix: str) -> Engine:
    if kind == "lockd":
        return LockdEngine(LockdAddress(Path(address)))
    return EtcdEngine(EtcdSpec((address,), prefix))


def write(home: Path, token: int) -> str:
    try:
        with guard(home, token):
            with (home / "mailbox").open("a") as file:
                file.write("stale\n")
    except StaleToken:
        return "refused"
    return "written"


async def main() -> None:
    kind, address, prefix, home, ttl_s = sys.argv[1:]
    engine = make(kind, address, prefix)
    await engine.open()
    session = await Session.open(engine, SessionSpec("paused", float(ttl_s)))
    lock = await session.acquire("user/1", Mode.EX)
    believes = lock.valid
    say(f"{lock.token} {believes}")
    wait()  # it has looked; the pause is between the look and the write
    say(write(Path(home), lock.token))
    say(f"{lock.valid}")
    await session.lost.wait()
    say("lost")
    await session.close()
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
