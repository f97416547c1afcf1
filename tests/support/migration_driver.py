"""Migrates accounts one after the other, and is killed at one more moment each time.

Run: `python migration_driver.py SOCKET FOLDER`. Each account has a cluster in a folder of its own,
since files are read whole. The account `u7@example.org` is migrated in a
process of its own that kills itself at its seventh moment: before or after a step is kept, the
directory is changed, or a file or directory is made, written, renamed or deleted. It prints each
account with the moment, and ends with the first migration that came to its end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from l7lb.accounts import AccountEdit, AccountEditor
from l7lb.mail.migration import copying
from l7lb.mail.migration.orders import Order
from l7lb_storage import Session, SessionSpec, Store
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress
from support.mail_places import MailCluster

MOMENTS = 400
"""More than there are."""
TTL_S = 120.0
"""Of a migrator's lease: no machine is too busy to renew it. That of a dead one is ended for it."""
USER = """\
users:
  u{number}@example.org:
    password: "{{SSHA}}WSqMEG+bYdz+TVwXxWCbStAQWfVmjyae"
    server: m1
"""


class Bomb:
    def __init__(self, moment: int, out: int) -> None:
        self.left = moment
        self.out = out

    def tick(self, label: str) -> None:
        self.left -= 1
        if self.left == 0:
            os.write(self.out, label.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str) -> None:
        """Its calls are moments from now on, before and after."""
        call: Callable[..., Any] = getattr(owner, name)

        @wraps(call)
        def ticking(*args: Any, **options: Any) -> Any:
            self.tick(f"before {name}")
            result = call(*args, **options)
            self.tick(f"after {name}")
            return result

        setattr(owner, name, ticking)

    def around_waiting(self, owner: Any, name: str) -> None:
        call = getattr(owner, name)

        @wraps(call)
        async def ticking(*args: Any, **options: Any) -> Any:
            self.tick(f"before {name}")
            result = await call(*args, **options)
            self.tick(f"after {name}")
            return result

        setattr(owner, name, ticking)


class Editor:
    """The directory's, with one method that can be wrapped."""

    def __init__(self, editor: AccountEditor) -> None:
        self.editor = editor

    def __getattr__(self, name: str) -> Any:
        return getattr(self.editor, name)

    async def edit(self, name: str, edit: AccountEdit) -> None:
        await self.editor.edit(name, edit)


def cluster_of(folder: Path, number: int) -> MailCluster:
    """Its only account is the one of this number, on m1."""
    home = folder / str(number)
    if not home.exists():
        home.mkdir()
        (home / "users.yaml").write_text(USER.format(number=number))
        MailCluster(home).fill("m1", f"u{number}@example.org")
    return MailCluster(home)


async def migrate(socket: Path, cluster: MailCluster, number: int, out: int) -> None:
    engine = LockdEngine(LockdAddress(socket))
    await engine.open()
    session = await Session.open(engine, SessionSpec("driver", TTL_S))
    os.write(out, b"%d " % session.lease)
    await cluster.open(session)
    bomb = Bomb(number, out)
    for name in ("mkdir", "rename", "unlink"):
        bomb.around(Path, name)
    bomb.around(copying, "_write")
    bomb.around_waiting(Store, "transact")
    editor: Any = Editor(cluster.editor)
    bomb.around_waiting(editor, "edit")
    cluster.editor = editor
    await cluster.migration().run(Order(f"u{number}@example.org", "m2"))
    await cluster.close()
    await session.close()
    await engine.close()


async def end_lease(socket: Path, lease: int) -> None:
    """As if it had not been renewed for long enough."""
    engine = LockdEngine(LockdAddress(socket))
    await engine.open()
    await engine.close_lease(lease)
    await engine.close()


def run(socket: Path, folder: Path, number: int) -> tuple[int, str]:
    """Signal that ended it, 0 for none, and the moment."""
    cluster = cluster_of(folder, number)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            asyncio.run(migrate(socket, cluster, number, writer))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the parent tells it
            os.write(writer, repr(error).encode())
            os._exit(1)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        lease, _, label = said.read().partition(" ")
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit(f"u{number}: {lease} {label}")
    asyncio.run(end_lease(socket, int(lease)))
    return (os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0), label


def main() -> None:
    socket, folder = map(Path, sys.argv[1:])
    for number in range(1, MOMENTS):
        ended, label = run(socket, folder, number)
        if not ended:
            print(f"{number} end", flush=True)
            return
        print(f"{number} {label}", flush=True)
    raise SystemExit("more moments than expected")


if __name__ == "__main__":
    main()
