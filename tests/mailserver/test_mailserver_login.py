"""Who is let in, and connections that are ended from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest

from l7lb.accounts import Account, Outcome, Status
from l7lb.accounts import Verdict as Judgement
from l7lb.errors import DirectoryAway
from l7lb.mailserver.connection import Connection, ConnectionEnded, Evicted, Silent
from l7lb.mailserver.imap_reader import ImapReader
from l7lb.mailserver.login import Door, log_in
from l7lb_protocols.imap.client_side import ImapClientSide
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.login.client_side import ClientSettings, Peer
from l7lb_protocols.login.events import LoggedIn, Verdict
from l7lb_protocols.sasl.steps import Credentials

WAIT_S = 30.0


class Names:
    """A directory of one account, which may be away."""

    def __init__(self) -> None:
        self.is_away = False
        self.found = Account("anna@example.org")

    async def account(self, name: str) -> Account | None:
        if self.is_away:
            raise DirectoryAway("away")
        return self.found if name == self.found.name else None

    async def verify(self, name: str, password: bytes) -> Judgement:
        account = await self.account(name)
        if account is None:
            return Judgement(Outcome.UNKNOWN)
        return Judgement(Outcome.OK if password == b"right" else Outcome.WRONG, account)


@pytest.fixture
def names() -> Names:
    return Names()


def door(names: Any, master: tuple[bytes, bytes] | None = (b"m", b"s")) -> Door:
    return Door(names, master)


ANNA = b"anna@example.org"


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Credentials(b"PLAIN", ANNA, b"", b"right"), None),
        (Credentials(b"PLAIN", ANNA, ANNA, b"right"), None),
        (Credentials(b"PLAIN", ANNA, b"", b"wrong"), Verdict.FAILED),
        (Credentials(b"PLAIN", b"b", b"", b"right"), Verdict.FAILED),
        (Credentials(b"PLAIN", ANNA, b"b", b"right"), Verdict.FORBIDDEN),
        (Credentials(b"PLAIN", b"m", ANNA, b"s"), None),
        (Credentials(b"PLAIN", b"m", ANNA, b"right"), Verdict.FAILED),
        (Credentials(b"PLAIN", b"m", b"", b"s"), Verdict.FORBIDDEN),
        (Credentials(b"PLAIN", b"m", b"b", b"s"), Verdict.FORBIDDEN),
    ],
)
async def test_who_is_let_in(names: Names, found: Credentials, verdict: Verdict | None) -> None:
    assert await door(names).account(found) == (verdict or names.found)


async def test_without_a_master_his_name_is_anybodys(names: Names) -> None:
    found = Credentials(b"PLAIN", b"m", ANNA, b"s")
    assert await door(names, None).account(found) is Verdict.FAILED


async def test_a_directory_that_is_away_is_no_wrong_password(names: Names) -> None:
    names.is_away = True
    for account in (ANNA, b"m"):
        found = Credentials(b"PLAIN", account, ANNA, b"s")
        assert await door(names).account(found) is Verdict.UNAVAILABLE


async def test_a_master_opens_no_disabled_account(names: Names) -> None:
    names.found = Account("anna@example.org", status=Status.DISABLED)
    assert await door(names).account(Credentials(b"PLAIN", b"m", ANNA, b"s")) is Verdict.FORBIDDEN


class Talk:
    """A client on a real socket, and the server's end of it."""

    def __init__(self) -> None:
        self.server: asyncio.Server | None = None
        self.accepted: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.accepted.set_result(Connection(reader, writer))

        self.server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = self.server.sockets[0].getsockname()[1]
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.connection = await self.accepted
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.writer.close()
        await self.connection.close()
        assert self.server is not None
        self.server.close()


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async with Talk() as made:
        yield made


async def test_a_reader_is_evicted_in_the_middle(talk: Talk) -> None:
    reading = asyncio.create_task(talk.connection.read(WAIT_S))
    await asyncio.sleep(0)
    talk.connection.evict("go")
    with pytest.raises(Evicted, match="go"):
        await reading
    talk.connection.evict("again")
    with pytest.raises(Evicted, match="go"):
        await talk.connection.read(WAIT_S)
    await talk.connection.send(b"bye")
    assert await talk.reader.read(3) == b"bye"


async def test_silence_and_the_end_are_two_things(talk: Talk) -> None:
    with pytest.raises(Silent):
        await talk.connection.read(0.01)
    talk.writer.write(b"late")
    assert await talk.connection.read(WAIT_S) == b"late"
    talk.writer.close()
    with pytest.raises(ConnectionEnded) as raised:
        await talk.connection.read(WAIT_S)
    assert not isinstance(raised.value, Silent)


async def test_a_login_hands_over_what_came_with_it(talk: Talk, names: Names) -> None:
    """A wrong password first; then what was sent ahead is for the next reader."""
    seen: list[str] = []

    async def admit(account: Account) -> Verdict | LoggedIn:
        seen.append(account.name)
        return LoggedIn(b"in")

    talk.writer.write(
        b"1 LOGIN anna@example.org wrong\r\n2 LOGIN anna@example.org right\r\n"
        b"3 APPEND INBOX {4+}\r\na\r\nb\r\n4 UID fetch 1 {2}\r\n"
    )
    dialogue = ImapClientSide(ClientSettings(secrets_in_clear=True), Peer())
    rest = await log_in(talk.connection, dialogue, door(names), admit)
    assert rest is not None
    assert seen == ["anna@example.org"]
    for start in (b"* OK ", b"1 NO [AUTHENTICATIONFAILED]", b"2 OK in"):
        assert (await talk.reader.readline()).startswith(start)
    reader = ImapReader(talk.connection, 4, rest)
    command = await reader.next_command()
    assert (command.tag, command.name) == (b"3", "APPEND")
    assert command.arguments[1].value == b"a\r\nb"  # type: ignore[union-attr]
    following = asyncio.create_task(reader.next_command())
    assert (await talk.reader.readline()).startswith(b"+ ")
    talk.writer.write(b"()\r\n5 APPEND x {5}\r\n6 APPEND x {5+}\r\n")
    command = await following
    assert (command.tag, command.name, len(command.arguments)) == (b"4", "UID FETCH", 2)
    for tag, is_fatal in ((b"5", False), (b"6", True)):
        with pytest.raises(ImapRefusal) as raised:
            await reader.next_command()
        assert (raised.value.tag, raised.value.is_fatal) == (tag, is_fatal)


async def test_a_login_that_is_given_up_lets_nobody_in(talk: Talk, names: Names) -> None:
    async def admit(account: Account) -> Verdict | LoggedIn:
        return Verdict.UNAVAILABLE

    talk.writer.write(b"1 LOGIN anna@example.org right\r\n2 LOGOUT\r\n")
    dialogue = ImapClientSide(ClientSettings(secrets_in_clear=True), Peer())
    assert await log_in(talk.connection, dialogue, door(names), admit) is None
    await talk.reader.readline()
    assert (await talk.reader.readline()).startswith(b"1 NO [UNAVAILABLE]")
