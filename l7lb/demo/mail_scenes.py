"""What the demo does with mail: it sends, reads by both protocols, and kills a mail server.

Counted are copies sent, and copies read by the server that showed them; `again` are tries that
were told to come later, and the sessions that ended with their server.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from l7lb.demo import mail_client
from l7lb.demo.mail_client import ImapReader, Inbox, MailFailed, NotNow
from l7lb.demo.mail_rules import USERS, MailSpec
from l7lb.demo.scenes import Stage, Tally

T = TypeVar("T")
COLUMNS = ("sent", "m1", "m2", "again")
PATIENCE_S = 60.0
PAUSE_S = 0.2
FIRST = tuple(f"order {number}" for number in range(1, 11))
LATER = tuple(f"order {number}" for number in range(11, 21))
Read = Callable[[tuple[str, int], str], Inbox]


class MailStage(Stage):
    """A stage with mail."""

    @property
    def mail(self) -> MailSpec:
        assert self.cluster.spec.mail is not None
        return self.cluster.spec.mail

    @property
    def imap(self) -> tuple[str, int]:
        return ("127.0.0.1", self.mail.imap)

    @property
    def pop3(self) -> tuple[str, int]:
        return ("127.0.0.1", self.mail.pop3)

    @property
    def smtp(self) -> tuple[str, int]:
        return ("127.0.0.1", self.mail.smtp)


async def play(stage: MailStage) -> None:
    await one_address(stage)
    await survive(stage)


async def one_address(stage: MailStage) -> None:
    """Each user meets the one server that has the account, by whichever protocol."""
    stage.table.title("Mail: one address for all users, each account on one server")
    stage.table.head()
    await deliver(stage, "smtp    10 messages to alice, bob and carol", FIRST)
    by_imap = await read_all(stage, "imap    each reads them", stage.imap, mail_client.read_imap)
    by_pop3 = await read_all(stage, "pop3    and once more", stage.pop3, mail_client.read_pop3)
    if not stage.failures:
        stage.expect(set(by_imap.values()) == {"m1", "m2"}, f"imap: {by_imap}")
        stage.expect(by_imap == by_pop3, f"imap: {by_imap}, pop3: {by_pop3}")


async def survive(stage: MailStage) -> None:
    """A mail server dies with a session open; its user reads on by the other."""
    alice = USERS[0]
    stage.table.title("m1 is killed while alice has a session open, and comes back")
    stage.table.head()
    async with stage.scene("imap    alice reads") as tally:
        reader = await patiently(tally, lambda: ImapReader(stage.imap, alice))
        if reader is not None:
            count(tally, alice, await patiently(tally, reader.inbox), FIRST)
    if reader is None:
        return
    async with stage.scene(f"        {reader.server} gets SIGKILL now, she reads on") as tally:
        stage.cluster.kill(reader.server)
        await asyncio.to_thread(reader.wait_for_end)
        await asyncio.to_thread(reader.close)
        tally.answered["again"] += 1
        await read(tally, alice, lambda: mail_client.read_imap(stage.imap, alice), FIRST)
        stage.expect(reader.server not in tally.answered, "the dead answered")
    await deliver(stage, "smtp    10 more messages to everybody", LATER)
    restarted = next(each for each in stage.mail.servers if each.name == reader.server)
    await asyncio.to_thread(stage.cluster.start_mail_server, restarted)
    label = f"imap    {reader.server} started again, each reads all"
    await read_all(stage, label, stage.imap, mail_client.read_imap, FIRST + LATER)


async def deliver(stage: MailStage, label: str, subjects: Sequence[str]) -> None:
    async with stage.scene(label) as tally:
        for subject in subjects:
            try:
                await asyncio.to_thread(mail_client.send, stage.smtp, USERS, subject)
            except MailFailed as error:
                tally.failures.append(str(error))
            else:
                tally.answered["sent"] += len(USERS)


async def read_all(
    stage: MailStage,
    label: str,
    address: tuple[str, int],
    program: Read,
    expected: Sequence[str] = FIRST,
) -> dict[str, str]:
    """All users at once; returns which server each had."""
    async with stage.scene(label) as tally:
        inboxes = await asyncio.gather(
            *(
                read(tally, user, lambda user=user: program(address, user), expected)  # type: ignore[misc]
                for user in USERS
            )
        )
    return {
        user: inbox.server for user, inbox in zip(USERS, inboxes, strict=True) if inbox is not None
    }


async def read(
    tally: Tally, user: str, ask: Callable[[], Inbox], expected: Sequence[str]
) -> Inbox | None:
    """Looks until everything is there that was sent: delivery may come after the sender's 250."""
    deadline = time.monotonic() + PATIENCE_S
    inbox = await patiently(tally, ask)
    while inbox is not None and len(inbox.subjects) < len(expected):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(PAUSE_S)
        inbox = await patiently(tally, ask)
    count(tally, user, inbox, expected)
    return inbox


async def patiently(tally: Tally, ask: Callable[[], T]) -> T | None:
    """Comes again when told to, as mail programs do. None: it failed, and is counted so."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await asyncio.to_thread(ask)
        except NotNow as error:
            tally.answered["again"] += 1
            if time.monotonic() > deadline:
                tally.failures.append(str(error))
                return None
        except MailFailed as error:
            tally.failures.append(str(error))
            return None
        await asyncio.sleep(PAUSE_S)


def count(tally: Tally, user: str, inbox: Inbox | None, expected: Sequence[str]) -> None:
    """Each message once: one that is missing or there twice is a failure."""
    if inbox is None:
        return
    tally.answered[inbox.server] += len(inbox.subjects)
    if sorted(inbox.subjects) != sorted(expected):
        tally.failures.append(f"{user} has {len(inbox.subjects)} of {len(expected)} messages")
