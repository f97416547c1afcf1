"""The way in: what is known is not waited for, and both ways lead to the same end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.accounts import Account, Directory
from l7lb.mail.assignments import Assignment
from l7lb.model_mail import LoginOptions, PenaltySpec
from l7lb_storage import MemoryEngine, World
from support.imap_script import ImapScript
from support.mail_rig import MailRig, mail_cluster, mail_service, scripted_pool, static_directory

ALICE = "alice@example.org"
LOGIN = f"a LOGIN {ALICE} any\r\n".encode()
OPEN = LoginOptions(secrets_in_clear=True, penalty=PenaltySpec(delays_s=()), spread_s=0.0)


class Forgetful:
    """A directory that must be asked each time."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self.asked = 0

    async def account(self, name: str) -> Account | None:
        self.asked += 1
        await asyncio.sleep(0)
        return await self._directory.account(name)

    def remembered(self, name: str) -> Account | None:
        return None

    def state(self) -> dict[str, object]:
        return {}

    async def close(self) -> None: ...


@asynccontextmanager
async def rig_of(
    folder: Path, *servers: ImapScript, forgetful: bool = False, options: LoginOptions = OPEN
) -> AsyncIterator[MailRig]:
    """Alice is at m1, says the directory; the servers check the secret."""
    directory = static_directory(folder, {ALICE: "secret"}, alice="m1")
    given: Directory = Forgetful(directory) if forgetful else directory  # type: ignore[assignment]
    pool = scripted_pool(*(each.port for each in servers))
    spec = mail_cluster(pool, mail_service("imap", login=options))
    async with MailRig(spec, given, MemoryEngine(World())) as rig:
        yield rig


async def answer(rig: MailRig, data: bytes = LOGIN) -> tuple[bytes, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    async with asyncio.timeout(20):
        await reader.readline()
        writer.write(data)
        return await reader.readline(), writer


@pytest.mark.parametrize("forgetful", [False, True])
async def test_both_ways_lead_to_the_same_server(tmp_path: Path, forgetful: bool) -> None:
    async with ImapScript() as server, ImapScript() as other:
        async with rig_of(tmp_path, server, other, forgetful=forgetful) as rig:
            line, writer = await answer(rig)
            assert line == b"a OK in\r\n"
            assert (len(server.logins), len(other.logins)) == (1, 0)
            writer.close()
            await rig.until(lambda: not rig.engine.drivers)
            assert len(rig.office.sessions) == 0
            if forgetful:
                assert rig.office.directory.asked == 1


async def test_what_is_known_needs_no_task(tmp_path: Path) -> None:
    async with ImapScript() as server, rig_of(tmp_path, server) as rig:
        spawned: list[object] = []
        spawn = rig.office.spawn
        rig.office.spawn = lambda work: spawned.append(work) or spawn(work)  # type: ignore[method-assign]
        line, writer = await answer(rig)
        assert line == b"a OK in\r\n"
        assert spawned == []
        writer.close()
        await rig.until(lambda: not rig.engine.drivers)


@pytest.mark.parametrize("forgetful", [False, True])
async def test_the_limit_holds_on_both_ways(tmp_path: Path, forgetful: bool) -> None:
    options = replace(OPEN, max_sessions=1)
    async with ImapScript() as server:
        async with rig_of(tmp_path, server, forgetful=forgetful, options=options) as rig:
            line, first = await answer(rig)
            assert line == b"a OK in\r\n"
            line, second = await answer(rig)
            assert line.startswith(b"a NO [LIMIT] ")
            first.close()
            second.close()
            await rig.until(lambda: not rig.engine.drivers)


async def test_a_record_that_says_otherwise_is_asked_about(tmp_path: Path) -> None:
    """The directory has a new word: the store hears it before anybody is let in."""
    async with ImapScript() as server, ImapScript() as other:
        async with rig_of(tmp_path, server, other) as rig:
            key = ("mail", ALICE)
            await rig.office.assignments.move(key, "m2", 0.0)
            await rig.until(lambda: rig.office.assignments.known(key) is not None)
            line, writer = await answer(rig)
            assert line == b"a OK in\r\n"
            assert (len(server.logins), len(other.logins)) == (1, 0)
            await rig.until(lambda: rig.office.assignments.known(key) == Assignment("m1", 0.0, 2))
            writer.close()
            await rig.until(lambda: not rig.engine.drivers)


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    async with ImapScript() as server, rig_of(tmp_path, server) as rig:
        await server.__aexit__()
        line, writer = await answer(rig)
        assert line.startswith(b"a NO [UNAVAILABLE] ")
        writer.close()
        await rig.until(lambda: not rig.engine.drivers)
