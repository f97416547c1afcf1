"""A holder is stopped for longer than its lease: two believe, one can write."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from l7lb_storage import Mode, guard
from l7lb_storage.fence import highest
from support.storage_rigs import WAIT_S, EtcdRig, LockdRig, Rig

SCRIPT = Path(__file__).parents[1] / "support/lock_holder.py"
TTL_S = 1.0


def arguments(rig: Rig, home: Path) -> list[str]:
    if isinstance(rig, LockdRig):
        where = ["lockd", str(rig.socket), ""]
    else:
        assert isinstance(rig, EtcdRig)
        where = ["etcd", rig.members[0].url, rig.prefix]
    return [sys.executable, str(SCRIPT), *where, str(home), str(TTL_S)]


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        return (await process.stdout.readline()).decode().strip()


async def test_two_believe_and_the_stale_one_is_refused(server_rig: Rig, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(
        *arguments(server_rig, home), stdin=pipe, stdout=pipe
    )
    assert holder.stdin is not None
    try:
        token, believes = (await line(holder)).split()
        assert believes == "True"
        holder.send_signal(signal.SIGSTOP)
        session = await server_rig.session("new")
        lock = await session.acquire("user/1", Mode.EX, timeout_s=WAIT_S)
        assert lock.token > int(token)
        with guard(home, lock.token):
            (home / "mailbox").write_text("new\n")
        # The stopped process stands between its look and its write: it still believes.
        assert lock.valid
        holder.stdin.write(b"write\n")
        holder.send_signal(signal.SIGCONT)
        assert await line(holder) == "refused"
        assert await line(holder) == "False"
        assert await line(holder) == "lost"
        assert (home / "mailbox").read_text() == "new\n"
        assert highest(home) == lock.token
        assert lock.valid
        async with asyncio.timeout(WAIT_S):
            assert await holder.wait() == 0
    finally:
        if holder.returncode is None:
            holder.kill()
            await holder.wait()
