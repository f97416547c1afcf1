"""lockd as the program that an administrator would start."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

WAIT_S = 20.0


class LockdProcess:
    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.process: asyncio.subprocess.Process | None = None
        self.port = 0

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    async def launch(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-m", "l7lb_storage.lockd", "--data", str(self.folder / "data")]
        return await asyncio.create_subprocess_exec(
            *command, *(self.options or ("--unix", str(self.socket))), stdout=pipe, stderr=pipe
        )

    async def start(self) -> None:
        """Until it says that it listens."""
        self.process = await self.launch()
        assert self.process.stdout is not None
        async with asyncio.timeout(WAIT_S):
            words = (await self.process.stdout.readline()).split()
        assert words[:1] == [b"ready"], await self.said()
        self.port = int(words[1]) if len(words) > 1 else 0

    async def said(self) -> str:
        assert self.process is not None
        assert self.process.stderr is not None
        return (await self.process.stderr.read()).decode()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        async with asyncio.timeout(WAIT_S):
            await self.process.communicate()
        status = self.process.returncode
        self.process = None
        assert status is not None
        return status

    async def close(self) -> None:
        if self.process is not None and self.process.returncode is None:
            await self.end(signal.SIGKILL)
