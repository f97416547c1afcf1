"""A director in a process of its own, to be killed: `python mail_node.py SPOOL PORT PORT`.

LMTP servers m1 and m2 listen at the ports. Prints its own port when it listens.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Self

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from l7lb.model_mail import SmtpOptions
from support.smtp_rig import Elsewhere, MailRig

USERS = {"alice@example.org": "m1", "bob@example.org": "m2", "carol@example.org": "m2"}


async def serve(spool: Path, ports: list[int]) -> None:
    options = SmtpOptions(host_name="mx.example.org", retry_s=0.05, retry_max_s=0.2)
    async with MailRig([*map(Elsewhere, ports)], USERS, spool, smtp=options) as rig:
        print(rig.port, flush=True)
        await asyncio.Event().wait()


class Node:
    """Started by `with`; `kill` is SIGKILL."""

    def __init__(self, spool: Path, *ports: int) -> None:
        self._command = [sys.executable, __file__, str(spool), *map(str, ports)]
        self.port = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(15)

    def __exit__(self, *_: object) -> None:
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), [int(text) for text in sys.argv[2:]]))
