"""Delivery into `new/`, by any server of the cluster, whoever owns the account.

It needs no ownership: a new message has a name of its own, is complete and on the disk before it
appears under it, and changes nothing that is there, so neither the owner nor other deliverers can
be harmed (Maildir's own rules). What it must never do is to put mail where nobody looks any more.
So each delivery holds `user/ACCOUNT/new` in mode CW. Who wants no more deliveries, such as a
migration, takes that lock in mode EX, puts its token into `.fence-new` by `l7lb_storage.guard`,
and only then looks at what is there. A delivery publishes first and looks at that file after: if
it was slept through, either the other one has seen the message, or we see the token, take the
message back, and answer that it was not delivered. In doubt a message comes twice, never not
at all.

Must not know SMTP.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from pathlib import Path

from l7lb.errors import MailboxAway
from l7lb.mailserver import maildir
from l7lb.mailserver.home import FENCE_NEW, Home
from l7lb.mailserver.work import Work
from l7lb_storage import Lock, Mode, Node, StorageError
from l7lb_storage.fence import highest

LOG = logging.getLogger(__name__)
ACQUIRE_S = 10.0


class Deliverer:
    def __init__(self, node: Node, work: Work, root: Path) -> None:
        self._node = node
        self._work = work
        self._root = root

    async def deliver(self, account: str, data: bytes) -> None:
        """The message, lines with CRLF, is on the disk when this returns. Raises MailboxAway."""
        resource = f"user/{account}/new"
        try:
            session = await self._node.ready(ACQUIRE_S)
            lock = await session.acquire(resource, Mode.CW, timeout_s=ACQUIRE_S)
            try:
                home = Home(self._root, account)
                await self._work.run(partial(publish, home, data, lock))
            finally:
                with suppress(StorageError):  # it goes with the lease at the latest
                    await lock.release()
        except StorageError as error:
            LOG.warning("%s: not delivered: %s", account, error)
            raise MailboxAway("the mailbox is not to be had now") from None
        except OSError as error:
            LOG.warning("%s: not delivered: %s", account, error)
            raise MailboxAway(f"the storage failed: {error.strerror}") from None


def publish(home: Home, data: bytes, lock: Lock) -> None:
    """Blocks. Raises MailboxAway, LeaseLost with nothing published, OSError."""
    home.make()
    staged = maildir.stage(home.maildir, data)
    published = home.maildir / "new" / staged.name
    try:
        _check(home, lock)
        lock.check()
        staged.rename(published)
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    maildir.sync_directory(published.parent)
    try:
        _check(home, lock)
    except MailboxAway:
        published.unlink(missing_ok=True)
        raise


def _check(home: Home, lock: Lock) -> None:
    if highest(home.path, name=FENCE_NEW) > lock.token:
        LOG.warning("%s: delivery refused by the fence", home.path.name)
        raise MailboxAway("the mailbox moves, try again later")
