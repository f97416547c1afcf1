"""A director that is killed with a message in its spool: nobody loses it, nobody has it twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

from support.mail_node import Node
from support.peers import within
from support.smtp_rig import ENVELOPE, HANG, MailServer, SmtpClient

ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"
TO_ALL = tuple(f"RCPT TO:<{one}>" for one in (ALICE, BOB, CAROL))


async def spooled(port: int) -> SmtpClient:
    """A client that has sent its message and waits."""
    client = SmtpClient(*await asyncio.open_connection("127.0.0.1", port))
    async with client:
        pass
    client = SmtpClient(*await asyncio.open_connection("127.0.0.1", port))
    await client.reply()
    assert await client.codes(*ENVELOPE, *TO_ALL, "DATA") == ["250"] * 5 + ["354"]
    client.writer.write(b"Subject: kept\r\n\r\nkept\r\n.\r\n")
    return client


async def until(condition: object) -> None:
    async def wait() -> None:
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)

    await within(wait())


def states(folder: Path) -> int:
    """Records in the one spooled file."""
    return sum(path.read_bytes().count(b"l7lb-spool ") for path in folder.glob("lane-*/*.mail"))


async def test_killed_between_spool_and_delivery(tmp_path: Path) -> None:
    async with MailServer() as one, MailServer(says={"END": HANG}) as two:
        with Node(tmp_path, one.port, two.port) as node:
            client = await spooled(node.port)
            await until(lambda: states(tmp_path) == 2)  # that alice has it, is known
            node.kill()
        client.writer.close()
        two.says.clear()
        with Node(tmp_path, one.port, two.port):
            await until(lambda: two.inboxes == {BOB: 1, CAROL: 1})
            await until(lambda: states(tmp_path) == 0)
        assert one.inboxes == {ALICE: 1}
        assert [b"kept" in message.data for message in two.messages] == [True]


async def test_killed_again_and_again(tmp_path: Path) -> None:
    async with MailServer(says={"DATA": HANG}) as one, MailServer(says={"END": HANG}) as two:
        with Node(tmp_path, one.port, two.port) as node:
            client = await spooled(node.port)
            await until(lambda: states(tmp_path) == 1)
            node.kill()
        client.writer.close()
        for _ in range(2):
            before = one.connections
            with Node(tmp_path, one.port, two.port) as node:
                await until(lambda before=before: one.connections > before)
                node.kill()
            assert states(tmp_path) == 1
        one.says.clear()
        two.says.clear()
        with Node(tmp_path, one.port, two.port):
            await until(lambda: states(tmp_path) == 0)
        assert one.inboxes == {ALICE: 1}
        assert two.inboxes == {BOB: 1, CAROL: 1}
