"""The SMTP director on a rig, with servers that say what the test wants, and users in a dict."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from l7lb.accounts import Account, Outcome, Verdict
from l7lb.errors import DirectoryAway
from l7lb.mail.smtp.learning import SmtpLearning
from l7lb.mail.smtp.office import Box
from l7lb.mail.smtp.plug import SmtpPlug
from l7lb.mail.spool.spool import Spool
from l7lb.model import (
    AccessLog,
    Address,
    CheckKind,
    CheckSpec,
    ListenSpec,
    LogFormat,
    PoolSpec,
    ServerSpec,
    Timeouts,
)
from l7lb.model_mail import LoginOptions, SmtpOptions
from l7lb.pool.pool import Pool
from l7lb_protocols.facts import Facts
from l7lb_storage.store import Store
from support.peers import within
from support.rig import Rig, cluster, route, service

WORDS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "SIZE 50000000")
HANG = None
"""As a reply: say nothing."""
DROP = b""
"""As a reply: close the connection."""
SECRET = b"correct horse"


@dataclass
class Delivered:
    sender: str
    recipients: list[str]
    data: bytes


@dataclass
class MailServer:
    """SMTP or LMTP. `says` replaces replies, `once` those of one time: by verb, `RCPT <address>`,
    `END <address>`, `greeting`."""

    lmtp: bool = True
    words: tuple[str, ...] = WORDS
    says: dict[str, bytes | None] = field(default_factory=dict)
    once: dict[str, bytes | None] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    port: int = 0
    messages: list[Delivered] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=1 << 20
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.writers: set[asyncio.StreamWriter] = set()
        self.arrived = asyncio.Event()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self.writers):
            writer.close()

    @property
    def inboxes(self) -> dict[str, int]:
        """How often each recipient got something."""
        found: dict[str, int] = {}
        for message in self.messages:
            for recipient in message.recipients:
                found[recipient] = found.get(recipient, 0) + 1
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.add(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._talk(reader, writer)
        self.writers.discard(writer)
        writer.close()

    async def _say(self, writer: asyncio.StreamWriter, key: str, usual: bytes) -> bool:
        """Whether the usual way goes on."""
        verb = key.split(" ", maxsplit=1)[0]
        said = self.says.get(key, self.says.get(verb, usual))
        said = self.once.pop(key, self.once.pop(verb, said))
        if said is HANG:
            await asyncio.Event().wait()
        if said == DROP:
            raise ConnectionResetError
        writer.write(said + b"\r\n")
        await writer.drain()
        return said[:1] in b"23"

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._say(writer, "greeting", b"220 server")
        message = Delivered("", [], b"")
        while line := await reader.readline():
            text = line.decode().rstrip("\r\n")
            self.commands.append(text)
            verb = text.split(" ")[0].upper()
            address = text[text.find("<") + 1 : text.find(">")]
            if verb in ("EHLO", "LHLO"):
                words = (*self.words, *(("STARTTLS",) if self.tls else ()))
                await self._say(
                    writer,
                    verb,
                    "\r\n".join(
                        ["250-server", *(f"250-{word}" for word in words), "250 HELP"]
                    ).encode(),
                )
            elif verb == "STARTTLS" and self.tls is not None:
                await self._say(writer, verb, b"220 go")
                await writer.start_tls(self.tls)
            elif verb == "MAIL":
                message = Delivered(address, [], b"")
                await self._say(writer, verb, b"250 2.1.0 ok")
            elif verb == "RCPT":
                if await self._say(writer, f"RCPT {address}", b"250 2.1.5 ok"):
                    message.recipients.append(address)
            elif verb == "DATA":
                if await self._say(writer, verb, b"354 go"):
                    await self._data(reader, writer, message)
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            else:
                await self._say(writer, verb, b"250 2.0.0 ok")

    async def _data(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: Delivered
    ) -> None:
        lines = []
        while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line[1:] if line.startswith(b".") else line)
        message.data = b"".join(lines)
        wanted = list(message.recipients)
        message.recipients = []
        for recipient in wanted if self.lmtp else wanted[:1]:
            if await self._say(writer, f"END {recipient}", b"250 2.0.0 taken"):
                message.recipients += [recipient] if self.lmtp else wanted
        if message.recipients:
            self.messages.append(message)
            self.arrived.set()


@dataclass
class Elsewhere:
    """A server that the test runs in some other way."""

    port: int
    lmtp: bool = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...


class Users:
    """`accounts.Directory` on a dict; every password is SECRET."""

    def __init__(self, servers: Mapping[str, str | None]) -> None:
        self.accounts = {name: Account(name, server=server) for name, server in servers.items()}
        self.away = False

    async def account(self, name: str) -> Account | None:
        if self.away:
            raise DirectoryAway("gone")
        return self.accounts.get(name.lower())

    recipient = account

    async def verify(self, name: str, password: bytes) -> Verdict:
        account = await self.account(name)
        if account is None:
            return Verdict(Outcome.UNKNOWN)
        return Verdict(Outcome.OK if password == SECRET else Outcome.WRONG, account)

    def state(self) -> Mapping[str, object]:
        return {}

    async def close(self) -> None: ...


class Office:
    def __init__(
        self, directory: Users | None, spool: Spool | None = None, store: Store | None = None
    ) -> None:
        self.directory = directory
        self.spool = spool
        self.store = store
        self.secret = b"s" * 32
        self.tasks: set[asyncio.Task[None]] = set()
        self.faults: list[BaseException] = []
        self.offset_s = 0.0
        self.moving: set[str] = set()
        self.open: list[Collection[Box]] = []
        self.delivered_bytes: list[tuple[str, int]] = []

    async def box_of(self, account: Account, pool: Pool, facts: Facts) -> Box | None:
        if account.server and pool.keeps(account.server):
            return Box(account.name, account.server)
        server = None if account.server else pool.propose(account.name.encode())
        return server and Box(account.name, server)

    def deliver_to(self, boxes: Collection[Box]) -> Callable[[], None] | None:
        if any(box.account in self.moving for box in boxes):
            return None
        self.open.append(boxes)
        return lambda: self.open.remove(boxes)

    def delivered(self, box: Box, size_bytes: int) -> None:
        self.delivered_bytes.append((box.account, size_bytes))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            logging.getLogger("l7lb.mail").error("task failed", exc_info=fault)
            self.faults.append(fault)

    def wall_s(self) -> float:
        return time.time() + self.offset_s

    def random(self) -> float:
        return random.random()


def mail_pool(*servers: MailServer | Elsewhere, **more: Any) -> PoolSpec:
    specs = tuple(
        ServerSpec(
            f"m{n}",
            Address("127.0.0.1", 1),
            ports=(("lmtp" if server.lmtp else "smtp", server.port),),
        )
        for n, server in enumerate(servers, 1)
    )
    return PoolSpec("mail", specs, check=CheckSpec(CheckKind.NONE), **more)


@dataclass
class MailRig:
    """`async with MailRig([server, …], {"alice@example.org": "m1"}, folder) as rig`."""

    servers: Sequence[MailServer | Elsewhere]
    users: Mapping[str, str | None]
    spool_folder: Path | None = None
    smtp: SmtpOptions = SmtpOptions(host_name="mx.example.org")
    login: LoginOptions = LoginOptions()
    timeouts: Timeouts = field(default_factory=Timeouts)
    listen: ListenSpec = field(default_factory=lambda: ListenSpec(Address("127.0.0.1", 0)))
    pool: dict[str, Any] = field(default_factory=dict)
    store: Store | None = None
    log: Path | None = None

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        for server in self.servers:
            await self._stack.enter_async_context(server)
        spool = None
        if self.spool_folder is not None:
            spool = Spool(self.spool_folder)
            await spool.start()
        self.office = Office(Users(self.users), spool, self.store)
        self.plug = SmtpPlug(self.office)
        access = AccessLog(LogFormat.JSON, str(self.log)) if self.log else AccessLog(LogFormat.OFF)
        spec = replace(
            service(route("mail"), listen=(self.listen,), access_log=access),
            protocol="smtp",
            smtp=self.smtp,
            login=self.login,
            timeouts=self.timeouts,
        )
        spec_cluster = cluster(spec, mail_pool(*self.servers, **self.pool))
        self.rig = Rig(spec_cluster, plugs={"smtp": self.plug})
        await self.rig.__aenter__()
        self.plug.start(self.rig.engine)
        return self

    def learn(self) -> SmtpLearning:
        """Ask the servers what they can, as a director does from its start."""
        self.plug.want(self.rig.engine.pools, [*self.rig.spec.pools])
        assert self.plug.learning is not None
        return self.plug.learning

    @property
    def port(self) -> int:
        return self.rig.port

    @property
    def spool(self) -> Spool:
        assert self.office.spool is not None
        return self.office.spool

    async def __aexit__(self, error: object, *rest: object) -> None:
        self.plug.close()
        if error is None:
            await self.rig.until(lambda: not self.rig.engine.drivers)
            forever = 0 if self.plug.learning is None else 1
            await self.rig.until(lambda: len(self.office.tasks) <= forever)
            assert not self.office.faults
        for task in list(self.office.tasks):
            task.cancel()
        await self.rig.__aexit__(error, *rest)
        if self.office.spool is not None:
            await self.office.spool.close()
        await self._stack.aclose()

    async def client(self) -> SmtpClient:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 20)
        return SmtpClient(reader, writer)

    async def until(self, condition: Any) -> None:
        await self.rig.until(condition)


class SmtpClient:
    """Lines as the test says them."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def __aenter__(self) -> Self:
        assert (await self.reply()).startswith("220 ")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def reply(self) -> str:
        """One whole reply, lines joined by `|`; empty: the end."""
        lines: list[str] = []
        while line := (await within(self.reader.readline())).decode():
            lines.append(line.rstrip("\r\n"))
            if line[3:4] == " ":
                break
        return "|".join(lines)

    async def say(self, *lines: str) -> list[str]:
        """Send all at once; a reply for each."""
        self.writer.write("".join(f"{line}\r\n" for line in lines).encode())
        return [await self.reply() for _ in lines]

    async def codes(self, *lines: str) -> list[str]:
        return [answer[:3] for answer in await self.say(*lines)]

    async def raw(self, data: bytes) -> str:
        self.writer.write(data)
        return await self.reply()

    async def message(self, data: str = "Subject: x\r\n\r\nhello\r\n") -> str:
        """DATA, the message, and what is said at its end."""
        assert (await self.codes("DATA")) == ["354"]
        return await self.raw(f"{data}.\r\n".encode())

    async def secure(self, context: ssl.SSLContext) -> None:
        await self.writer.start_tls(context)


ENVELOPE = ("EHLO client.example", "MAIL FROM:<sam@sender.example>")
