"""An engine with mail services in the test's own event loop, with its office."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from l7lb.accounts import Directory
from l7lb.directory import hashes
from l7lb.directory.opened import open_directory
from l7lb.mail.login.plug import LoginPlug
from l7lb.mail.login.words import IMAP, POP3
from l7lb.mail.office import Office, OfficeSpec
from l7lb.model import (
    AccessLog,
    Address,
    CheckKind,
    CheckSpec,
    ClusterSpec,
    ListenSpec,
    LogFormat,
    PoolSpec,
    ServerSpec,
    ServiceSpec,
)
from l7lb.model_directory import HashKind, SecretSpec, StaticSpec
from l7lb.model_mail import ServerLoginSpec
from l7lb.ports import SystemClock
from l7lb_storage.engine import Engine
from support.dovecot import MASTER, Dovecot
from support.rig import Rig, route

MASTER_LOGIN = ServerLoginSpec(MASTER[0], SecretSpec(MASTER[1].encode()))


def mail_pool(*servers: Dovecot, **more: Any) -> PoolSpec:
    """Servers m1, m2 …"""
    specs = tuple(
        ServerSpec(
            f"m{n}",
            Address("127.0.0.1", each.imap),
            ports=(("imap", each.imap), ("pop3", each.pop3), ("lmtp", each.lmtp)),
        )
        for n, each in enumerate(servers, 1)
    )
    return PoolSpec("mail", specs, check=CheckSpec(CheckKind.NONE), **more)


def mail_service(protocol: str, *listens: ListenSpec, **more: Any) -> ServiceSpec:
    more.setdefault("access_log", AccessLog(LogFormat.OFF))
    given = listens or (ListenSpec(Address("127.0.0.1", 0)),)
    return ServiceSpec(protocol, protocol, given, (route("mail"),), **more)


def mail_cluster(pool: PoolSpec, *services: ServiceSpec) -> ClusterSpec:
    return ClusterSpec({pool.name: pool}, {each.name: each for each in services})


class MailRig(Rig):
    """`port_of(protocol)` after entering."""

    def __init__(
        self,
        spec: ClusterSpec,
        directory: Directory | None = None,
        store: Engine | None = None,
    ) -> None:
        super().__init__(spec)
        self._directory = directory
        self._store = store

    async def prepare(self) -> None:
        pools = self.engine.pools
        chance = random.Random(1).random
        spec = OfficeSpec("test", b"s" * 32, pools, SystemClock(), chance, hold_s=0.0)
        self.office = Office(spec)
        self.login_plugs = [LoginPlug(each, self.office) for each in (IMAP, POP3)]
        self.plugs.update({plug.dialect.name: plug for plug in self.login_plugs})
        self.office.set_directory(self._directory)
        self.office.set_store(self._store)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        with patch("l7lb.mail.asking.ANSWER_S", 0.5):
            for plug in self.login_plugs:
                if plug.dialect.name in self.spec.services:
                    await plug.learning.ask([*self.spec.pools])
        if self._store is not None:
            await self.until(lambda: self.office.store is not None)
        return self

    async def __aexit__(self, error: object, *rest: object) -> None:
        try:
            await super().__aexit__(error, *rest)
        finally:
            await self.office.close()

    def port_of(self, service: str) -> int:
        return self.ports[[*self.spec.services].index(service)]


def static_directory(
    folder: Path, users: dict[str, str], disabled: Sequence[str] = (), **servers: str
) -> Directory:
    """Accounts by name and password; `servers` by the part before the @."""
    lines = ["users:"]
    for name, password in users.items():
        server = servers.get(name.partition("@")[0])
        lines.append(f"  {name}:")
        lines.append(f"    password: '{hashes.new(HashKind.SCRAM, password.encode()).decode()}'")
        if name.partition("@")[0] in disabled:
            lines.append("    status: disabled")
        if server:
            lines.append(f"    server: {server}")
    path = folder / "accounts.yaml"
    path.write_text("\n".join(lines) + "\n")
    return open_directory(StaticSpec(str(path))).directory


def scripted_pool(*ports: int, **more: Any) -> PoolSpec:
    """Servers m1, m2 … that speak IMAP only."""
    servers = tuple(
        ServerSpec(f"m{n}", Address("127.0.0.1", port), ports=(("imap", port),))
        for n, port in enumerate(ports, 1)
    )
    return PoolSpec("mail", servers, check=CheckSpec(CheckKind.NONE), **more)
