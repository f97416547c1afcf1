"""The session between client, office and server: every way that a login and a relay can end."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.accounts import Directory
from l7lb.errors import DirectoryAway
from l7lb.mail import roll
from l7lb.mail.assignments import MOVING
from l7lb.mail.roll import Word
from l7lb.model import Address, Health, ServerSpec, Timeouts
from l7lb.model_mail import LoginOptions, PenaltySpec, ServerLoginSpec
from l7lb.pool.server import Admin, ServerUpdate
from l7lb_storage import MemoryEngine, World
from support.imap_script import ImapScript
from support.mail_rig import (
    MASTER_LOGIN,
    MailRig,
    mail_cluster,
    mail_service,
    scripted_pool,
    static_directory,
)

ALICE = "alice@example.org"
SECRET = "alice-secret"
OPEN = LoginOptions(secrets_in_clear=True, penalty=PenaltySpec(delays_s=()), spread_s=0.0)
LOGIN = f"a LOGIN {ALICE} {SECRET}\r\n".encode()


class Talk:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def line(self) -> bytes:
        async with asyncio.timeout(20):
            return await self.reader.readline()

    async def says(self, data: bytes) -> bytes:
        self.writer.write(data)
        return await self.line()

    async def ended(self) -> bool:
        async with asyncio.timeout(20):
            try:
                await self.reader.read(-1)
            except OSError:
                return True
            return True


@asynccontextmanager
async def talking(rig: MailRig) -> AsyncIterator[Talk]:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    talk = Talk(reader, writer)
    assert (await talk.line()).startswith(b"* OK [CAPABILITY ")
    yield talk
    writer.close()
    await rig.until(lambda: not rig.engine.drivers)


def rig_of(
    *servers: ImapScript,
    options: LoginOptions = OPEN,
    directory: Directory | None = None,
    login: ServerLoginSpec | None = None,
    timeouts: Timeouts | None = None,
) -> MailRig:
    pool = scripted_pool(*(each.port for each in servers), login=login)
    service = mail_service("imap", login=options, timeouts=timeouts or Timeouts())
    return MailRig(mail_cluster(pool, service), directory, MemoryEngine(World()))


async def test_what_was_sent_behind_the_login_reaches_the_server() -> None:
    async with ImapScript() as server, rig_of(server) as rig, talking(rig) as talk:
        assert await talk.says(LOGIN + b"b hello\r\n") == b"a OK in\r\n"
        assert await talk.line() == b"* b hello\r\n"
        assert await talk.says(b"c more\r\n") == b"* c more\r\n"


NONSENSE = [
    (b"* PREAUTH come in\r\n", "PREAUTH"),
    (b"* BYE not today\r\n", "BYE"),
    (b"220 smtp.example.org ESMTP\r\n", "none"),
    (b"\x00\xff\xfe", "garbage"),
    (b"* OK " + b"x" * 100_000 + b"\r\n", "endless"),
]


@pytest.mark.parametrize(("greeting", "_name"), NONSENSE, ids=[name for _, name in NONSENSE])
async def test_a_server_that_greets_with_nonsense(greeting: bytes, _name: str) -> None:
    short = Timeouts(first_byte_s=0.3)
    async with ImapScript(greeting) as server, rig_of(server, timeouts=short) as rig:
        async with talking(rig) as talk:
            assert (await talk.says(LOGIN)).startswith(b"a NO [UNAVAILABLE] ")
            server.greeting = b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] better\r\n"
            assert await talk.says(LOGIN) == b"a OK in\r\n"


async def test_a_server_that_says_nothing() -> None:
    short = Timeouts(first_byte_s=0.3)
    async with ImapScript(b"") as server, rig_of(server, timeouts=short) as rig:
        async with talking(rig) as talk:
            assert (await talk.says(LOGIN)).startswith(b"a NO [UNAVAILABLE] ")


async def test_a_server_that_is_not_there() -> None:
    async with ImapScript() as server, rig_of(server) as rig:
        await server.__aexit__()
        async with talking(rig) as talk:
            assert (await talk.says(LOGIN)).startswith(b"a NO [UNAVAILABLE] ")


async def test_a_server_that_refuses_the_client() -> None:
    script = ImapScript(login=b"{tag} NO [AUTHENTICATIONFAILED] who?\r\n")
    async with script as server, rig_of(server) as rig, talking(rig) as talk:
        assert (await talk.says(LOGIN)).startswith(b"a NO [AUTHENTICATIONFAILED] ")


async def test_a_server_that_refuses_the_master_user(tmp_path: Path) -> None:
    """That is no fault of the client's, whose secret was right."""
    accounts = static_directory(tmp_path, {ALICE: SECRET})
    script = ImapScript(login=b"{tag} NO [AUTHENTICATIONFAILED] who?\r\n")
    async with script as server:
        async with rig_of(server, directory=accounts, login=MASTER_LOGIN) as rig:
            async with talking(rig) as talk:
                assert (await talk.says(LOGIN)).startswith(b"a NO [UNAVAILABLE] ")


@pytest.mark.parametrize(
    "login",
    [
        b"a LOGIN nobody@example.org x\r\n",
        b"a LOGIN alice@example.org wrong\r\n",
        b'a LOGIN "*)(uid=*" x\r\n',
        b'a LOGIN "" ""\r\n',
        b'a LOGIN "alice\xff" x\r\n',
    ],
)
async def test_who_is_not_let_in_cannot_tell_why(tmp_path: Path, login: bytes) -> None:
    accounts = static_directory(tmp_path, {ALICE: SECRET})
    async with ImapScript() as server:
        async with rig_of(server, directory=accounts, login=MASTER_LOGIN) as rig:
            async with talking(rig) as talk:
                answer = await talk.says(login)
                refusals = (b"a NO [AUTHENTICATIONFAILED] ", b"a BAD ", b"* BAD ")
                assert answer.startswith(refusals)
                assert server.logins == []


class Away:
    """A directory that cannot be asked."""

    async def verify(self, name: str, password: bytes) -> object:
        raise DirectoryAway("no server answers")

    def state(self) -> dict[str, object]:
        return {}

    async def close(self) -> None: ...


async def test_a_directory_that_is_away_says_nothing_of_the_secret() -> None:
    async with ImapScript() as server:
        directory: Directory = Away()  # type: ignore[assignment]
        async with rig_of(server, directory=directory, login=MASTER_LOGIN) as rig:
            async with talking(rig) as talk:
                assert (await talk.says(LOGIN)).startswith(b"a NO [UNAVAILABLE] ")


async def test_the_master_user_asks_for_the_account(tmp_path: Path) -> None:
    accounts = static_directory(tmp_path, {ALICE: SECRET})
    options = replace(OPEN, default_domain="example.org")
    async with ImapScript() as server:
        async with rig_of(server, options=options, directory=accounts, login=MASTER_LOGIN) as rig:
            async with talking(rig) as talk:
                assert await talk.says(f"a LOGIN ALICE {SECRET}\r\n".encode()) == b"a OK in\r\n"
        (login,) = server.logins
        assert login.startswith(b"AUTHENTICATE PLAIN ")


async def test_no_more_sessions_than_allowed() -> None:
    options = replace(OPEN, max_sessions=1)
    async with ImapScript() as server, rig_of(server, options=options) as rig:
        async with talking(rig) as first:
            assert await first.says(LOGIN) == b"a OK in\r\n"
            _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
            second = Talk(_, writer)
            await second.line()
            assert (await second.says(LOGIN)).startswith(b"a NO [LIMIT] ")
            first.writer.close()
            await rig.until(lambda: len(rig.office.sessions) == 0)
            assert await second.says(LOGIN) == b"a OK in\r\n"
            writer.close()


async def test_too_many_wrong_secrets_end_the_connection(tmp_path: Path) -> None:
    accounts = static_directory(tmp_path, {ALICE: SECRET})
    options = replace(OPEN, max_failures=2)
    async with ImapScript() as server:
        async with rig_of(server, options=options, directory=accounts, login=MASTER_LOGIN) as rig:
            async with talking(rig) as talk:
                wrong = f"a LOGIN {ALICE} wrong\r\n".encode()
                assert b"AUTHENTICATIONFAILED" in await talk.says(wrong)
                assert b"AUTHENTICATIONFAILED" in await talk.says(wrong)
                assert (await talk.line()).startswith(b"* BYE ")
                assert await talk.ended()


async def test_a_client_that_says_nothing_is_told_so() -> None:
    async with ImapScript() as server:
        async with rig_of(server, timeouts=Timeouts(keep_alive_s=0.1)) as rig:
            async with talking(rig) as talk:
                assert (await talk.line()).startswith(b"* BYE ")
                assert await talk.ended()


async def test_a_session_that_rests_too_long_ends() -> None:
    async with ImapScript() as server:
        async with rig_of(server, timeouts=Timeouts(tunnel_idle_s=0.2)) as rig:
            async with talking(rig) as talk:
                assert await talk.says(LOGIN) == b"a OK in\r\n"
                assert await talk.ended()
                await rig.until(lambda: server.sessions == 0)


async def test_the_server_ends_the_session() -> None:
    async with ImapScript() as server, rig_of(server) as rig, talking(rig) as talk:
        assert await talk.says(LOGIN) == b"a OK in\r\n"
        server.cut()
        assert await talk.ended()


async def test_many_sessions_of_a_dead_server_end_one_by_one() -> None:
    """The first few at once, as ordinary ends; the rest when their time has come."""
    options = replace(OPEN, spread_s=0.5, max_sessions=0)
    async with ImapScript() as server, rig_of(server, options=options) as rig:
        talks = []
        for _ in range(14):
            talk = Talk(*await asyncio.open_connection("127.0.0.1", rig.port))
            await talk.line()
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            talks.append(talk)
        server.cut()
        for talk in talks:
            assert await talk.ended()
            talk.writer.close()
        await rig.until(lambda: not rig.engine.drivers)


async def test_many_logouts_are_no_sign_of_a_dead_server() -> None:
    options = replace(OPEN, spread_s=600.0, max_sessions=0)
    async with ImapScript() as server, rig_of(server, options=options) as rig:
        for _ in range(14):
            talk = Talk(*await asyncio.open_connection("127.0.0.1", rig.port))
            await talk.line()
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            assert await talk.says(b"b LOGOUT\r\n") == b"* BYE\r\n"
            assert await talk.ended()
            talk.writer.close()
        await rig.until(lambda: not rig.engine.drivers)


async def test_a_move_ends_sessions_and_the_next_login_goes_there() -> None:
    async with ImapScript() as one, ImapScript() as other, rig_of(one, other) as rig:
        async with talking(rig) as talk:
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            server = rig.office.assignments.known(("mail", ALICE)).server
            target = "m2" if server == "m1" else "m1"
            await rig.office.assignments.move(("mail", ALICE), target, 0.0)
            assert await talk.ended()
        async with talking(rig) as talk:
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            assert {"m1": one, "m2": other}[target].sessions == 1


async def test_a_server_that_drains_hands_its_accounts_over() -> None:
    async with ImapScript() as one, ImapScript() as other, rig_of(one, other) as rig:
        async with talking(rig) as talk:
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            server = rig.office.assignments.known(("mail", ALICE)).server
            rig.engine.update("mail", ServerUpdate(server, admin=Admin.DRAIN))
            assert await talk.ended()
        async with talking(rig) as talk:
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            assert {"m1": other, "m2": one}[server].sessions == 1


async def test_a_dead_servers_accounts_go_to_the_others() -> None:
    async with ImapScript() as one, ImapScript() as other, rig_of(one, other) as rig:
        async with talking(rig) as talk:
            assert await talk.says(LOGIN) == b"a OK in\r\n"
        server = rig.office.assignments.known(("mail", ALICE)).server
        rig.engine.update("mail", ServerUpdate(server, health=Health.DOWN))
        async with talking(rig) as talk:
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            assert {"m1": other, "m2": one}[server].sessions == 1


async def test_the_directory_names_the_server(tmp_path: Path) -> None:
    for name, index in (("m1", 0), ("m2", 1)):
        accounts = static_directory(tmp_path, {ALICE: SECRET}, alice=name)
        async with ImapScript() as one, ImapScript() as other:
            rig = rig_of(one, other, directory=accounts, login=MASTER_LOGIN)
            async with rig, talking(rig) as talk:
                assert await talk.says(LOGIN) == b"a OK in\r\n"
                assert (one, other)[index].sessions == 1


async def test_a_drain_tells_those_who_have_not_logged_in() -> None:
    async with ImapScript() as server, rig_of(server) as rig, talking(rig) as talk:
        await rig.engine.drain(10.0)
        assert (await talk.line()).startswith(b"* BYE Shutting down")
        assert await talk.ended()


def test_the_rig_has_servers_by_name() -> None:
    names = [each.name for each in scripted_pool(1, 2).servers]
    assert names == ["m1", "m2"]
    assert scripted_pool(1).servers[0] == ServerSpec(
        "m1", Address("127.0.0.1", 1), ports=(("imap", 1),)
    )


class Broken(Away):
    async def verify(self, name: str, password: bytes) -> object:
        raise RuntimeError("nobody thought of this")


async def test_a_fault_of_ours_ends_the_session(caplog: pytest.LogCaptureFixture) -> None:
    """Its client is not left waiting, and others are served."""
    async with ImapScript() as server:
        directory: Directory = Broken()  # type: ignore[assignment]
        async with rig_of(server, directory=directory, login=MASTER_LOGIN) as rig:
            async with talking(rig) as talk:
                talk.writer.write(LOGIN)
                assert await talk.ended()
    assert "nobody thought of this" in caplog.text


class Slow(ImapScript):
    """A server that is still at work for a client who has gone, until `done` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.done = asyncio.Event()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        while line := await reader.readline():
            writer.write(self._answer(line))
        await self.done.wait()
        writer.close()


async def said(rig: MailRig) -> Word | None:
    assert rig.office.store is not None
    return (await roll.words(rig.office.store, ALICE)).get(str(rig.office.spec.member))


async def says(rig: MailRig, word: Word | None) -> None:
    async with asyncio.timeout(20):
        while await said(rig) != word:
            await asyncio.sleep(0.005)


async def mark(rig: MailRig) -> int:
    assert rig.office.store is not None
    return await rig.office.store.put(MOVING + ALICE, b"{}")


async def test_a_session_of_an_account_that_moves_counts_until_its_server_has_ended() -> None:
    async with Slow() as server, rig_of(server) as rig:
        assert await roll.members(rig.office.store) == [rig.office.spec.member]
        async with talking(rig) as talk:
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            number = await mark(rig)
            assert await talk.ended()
            await says(rig, Word(number, sessions=1))
        server.done.set()
        await says(rig, Word(number))
        async with talking(rig) as talk:
            talk.writer.write(LOGIN)
            await rig.until(lambda: rig.office.assignments._moving)
            await rig.office.store.delete(MOVING + ALICE)
            assert await talk.line() == b"a OK in\r\n"
            await says(rig, None)


async def test_a_client_that_broke_off_leaves_a_server_at_work() -> None:
    async with Slow() as server, rig_of(server) as rig:
        async with talking(rig) as talk:
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            sock = talk.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            talk.writer.close()
            await rig.until(lambda: not rig.engine.drivers)
        number = await mark(rig)
        await says(rig, Word(number, sessions=1))
        server.done.set()
        await says(rig, Word(number))


async def test_a_mark_that_comes_while_a_server_is_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody would find the session that begins then: it waits for the move instead."""
    asked, go_on = asyncio.Event(), asyncio.Event()

    async with ImapScript() as server, rig_of(server) as rig, talking(rig) as talk:
        of = rig.office.assignments.of

        async def slow(*words: object) -> object:
            asked.set()
            await go_on.wait()
            return await of(*words)  # type: ignore[arg-type]

        monkeypatch.setattr(rig.office.assignments, "of", slow)
        talk.writer.write(LOGIN)
        await asyncio.wait_for(asked.wait(), 20)
        number = await mark(rig)
        await says(rig, Word(number))
        go_on.set()
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert (server.logins, len(rig.office.sessions)) == ([], 0)
        await rig.office.store.delete(MOVING + ALICE)
        assert await talk.line() == b"a OK in\r\n"


async def test_what_a_session_moves_is_counted() -> None:
    async with ImapScript() as server, rig_of(server) as rig:
        async with talking(rig) as talk:
            assert await talk.says(LOGIN) == b"a OK in\r\n"
            assert await talk.says(b"x" * 500 + b"\r\n") == b"* " + b"x" * 500 + b"\r\n"
        uses = rig.office.usage._sketch.uses(rig.office.wall_s())
        assert uses[ALICE].sessions == pytest.approx(1.0, rel=1e-3)
        assert 1000 < uses[ALICE].bytes < 1500
