"""Specifications and disturbed servers for the tests of the directory."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from dataclasses import replace
from typing import Any

from l7lb.model_directory import (
    BindSpec,
    EntrySpec,
    LdapSpec,
    LdapTimeouts,
    ReplicaSpec,
    SecretSpec,
)
from l7lb_protocols.ldap.filters import FilterTemplate, template
from l7lb_protocols.ldap.urls import LdapUrl

PEOPLE = "ou=people,dc=example,dc=org"
DIRECTOR = BindSpec("cn=director,ou=services,dc=example,dc=org", SecretSpec(b"director-secret"))
USERS = BindSpec("cn=users,ou=services,dc=example,dc=org", SecretSpec(b"users-secret"))
QUICK = LdapTimeouts(
    connect_s=0.5,
    bind_s=0.5,
    search_s=0.5,
    write_s=2.0,
    check_s=0.1,
    retry_s=0.02,
    retry_max_s=0.05,
)
"""For servers that never answer."""
PATIENT = LdapTimeouts(30.0, 30.0, 30.0, 30.0, 3600.0, 0.02, 0.05)
"""For servers that answer when the test lets them: only the test's own limit ends a hang."""
NAMES = frozenset({"account", "address", "user", "domain"})


def filled(text: str) -> FilterTemplate:
    return template(text, NAMES)


def ldap_spec(*urls: LdapUrl, **changes: Any) -> LdapSpec:
    """As the rules file's defaults make it for the seed data."""
    spec = LdapSpec(
        replicas=tuple(map(ReplicaSpec, urls)),
        base=PEOPLE,
        account=filled("(mail={account})"),
        recipient=filled("(|(mail={address})(mailLocalAddress={address}))"),
        catch=filled("(mailLocalAddress=@{domain})"),
        listing=filled("(&(objectClass=inetLocalMailRecipient)(mail=*))"),
        entry=EntrySpec(kept=("departmentNumber",)),
        bind=DIRECTOR,
        write=USERS,
        timeouts=LdapTimeouts(),
    )
    return replace(spec, **changes)


class Proxy:
    """Before a server, in the test's own event loop: whoever blocks that loop waits for ever.

    `hold_after(n)` lets n more bytes from the server pass and keeps the rest until `release`.
    """

    def __init__(self, target: LdapUrl) -> None:
        self._target = target
        self._left: int | None = None
        self._released = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None
        self.held = asyncio.Event()
        """Set when something is being kept."""
        self.accepted = 0
        self.searches = 0
        """Search requests seen (plain LDAP only)."""

    async def start(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    @property
    def url(self) -> LdapUrl:
        assert self._server is not None
        return LdapUrl(self._target.scheme, "127.0.0.1", self._server.sockets[0].getsockname()[1])

    def hold_after(self, count: int) -> None:
        self._left = count
        self._released.clear()
        self.held.clear()

    def release(self) -> None:
        self._left = None
        self._released.set()

    def stop_accepting(self) -> None:
        assert self._server is not None
        self._server.close()

    def cut(self) -> None:
        """Every connection, at once."""
        for writer in self._writers:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.append(writer)
        serving = asyncio.current_task()
        assert serving is not None
        self._keep(serving)
        try:
            back = await asyncio.open_connection("127.0.0.1", self._target.port)
        except OSError:
            writer.close()
            return
        self._writers.append(back[1])
        self._keep(asyncio.create_task(self._up(reader, back[1])))
        self._keep(asyncio.create_task(self._down(back[0], writer)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                self.searches += data.count(b"\x63")
                writer.write(data)
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if self._left is not None:
                    passed, data = data[: self._left], data[self._left :]
                    self._left -= len(passed)
                    writer.write(passed)
                    if data:
                        self.held.set()
                        await self._released.wait()
                writer.write(data)
        writer.close()

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        await turns(5)  # what was accepted has its task by then
        self.release()
        self.cut()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self.cut()
        ended = (writer.wait_closed() for writer in self._writers)
        await asyncio.gather(*ended, return_exceptions=True)


class Silent:
    """Accepts connections and never says anything."""

    def __init__(self, scheme: str = "ldap") -> None:
        self._sock = socket.create_server(("127.0.0.1", 0))
        self._scheme = scheme

    @property
    def url(self) -> LdapUrl:
        return LdapUrl(self._scheme, "127.0.0.1", self._sock.getsockname()[1])

    def close(self) -> None:
        self._sock.close()


async def turns(count: int = 1000) -> None:
    """So many turns of the event loop: a loop that is blocked takes none."""
    for _ in range(count):
        await asyncio.sleep(0)
