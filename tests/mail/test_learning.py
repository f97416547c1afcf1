"""What servers can is asked of each; what clients hear is what all of them can."""

from __future__ import annotations

import asyncio
from unittest.mock import patch

from l7lb.mail.login import words
from l7lb.mail.login.learning import Learning
from l7lb_protocols.imap import capabilities
from support.imap_script import ImapScript
from support.mail_rig import MailRig, mail_cluster, mail_service, scripted_pool

MORE = b"* OK [CAPABILITY IMAP4rev1 IDLE MOVE AUTH=PLAIN] ready\r\n"
LESS = b"* OK [CAPABILITY IMAP4rev1 MOVE AUTH=PLAIN] ready\r\n"


def rig_of(*ports: int) -> MailRig:
    return MailRig(mail_cluster(scripted_pool(*ports), mail_service("imap")))


def learning_of(rig: MailRig) -> Learning:
    return rig.login_plugs[0].learning


async def test_what_all_can() -> None:
    async with ImapScript(MORE) as one, ImapScript(LESS) as other:
        async with rig_of(one.port, other.port) as rig:
            common = learning_of(rig).common(["mail"])
            assert capabilities.has(common, b"MOVE")
            assert not capabilities.has(common, b"IDLE")
            reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
            greeting = await reader.readline()
            assert b" MOVE " in greeting
            assert b" IDLE " not in greeting
            writer.close()
            await rig.until(lambda: not rig.engine.drivers)


async def test_a_change_is_noticed_and_what_is_known_stays_known() -> None:
    async with ImapScript(LESS) as server, rig_of(server.port) as rig:
        learning = learning_of(rig)
        before = learning.version
        await learning.ask(["mail"])
        assert learning.version == before
        server.greeting = MORE
        await learning.ask(["mail"])
        assert learning.version == before + 1
        server.greeting = b"* BYE not now\r\n"
        await learning.ask(["mail"])
        assert learning.version == before + 1
        assert capabilities.has(learning.common(["mail"]), b"IDLE")


async def test_a_server_that_is_silent_holds_up_nobody_for_long() -> None:
    async with ImapScript(b"") as silent, ImapScript(MORE) as server:
        async with rig_of(silent.port, server.port) as rig:
            assert capabilities.has(learning_of(rig).common(["mail"]), b"IDLE")


async def test_it_asks_at_once_when_pools_change() -> None:
    async with ImapScript(MORE) as server, rig_of(server.port) as rig:
        learning = Learning(words.IMAP, rig.engine.pools)
        with patch("l7lb.mail.asking.EVERY_S", 3600.0):
            running = asyncio.create_task(learning.run())
            await asyncio.sleep(0)
            learning.want(["mail", "of another file"])
            await rig.until(lambda: learning.version == 1)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def test_nothing_known_is_little_said() -> None:
    assert Learning(words.IMAP, {}).common(["mail"]) == ()
    assert Learning(words.POP3, {}).common([]) == ()
