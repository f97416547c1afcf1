"""A worker's mail: office and plugs, made when the rules file has a mail service and kept in step
with it.

Owns the choice of adapters: which directory and which store are opened. Must not know sessions.
"""

from __future__ import annotations

import logging
import os
import socket
from dataclasses import dataclass

from l7lb.accounts import Directory
from l7lb.director import incarnation
from l7lb.director.paths import state_directory, state_path
from l7lb.director.store import engine_of
from l7lb.directory.opened import open_directory
from l7lb.mail.login.plug import LoginPlug
from l7lb.mail.login.words import IMAP, POP3
from l7lb.mail.office import Office, OfficeSpec
from l7lb.mail.roll import Member
from l7lb.mail.smtp.plug import SmtpPlug
from l7lb.mail.spool.spool import Spool
from l7lb.model import ClusterSpec
from l7lb.model_directory import DirectorySpec
from l7lb.model_store import StoreSpec
from l7lb.net.engine import Engine
from l7lb.net.plug import Plug
from l7lb.ports import SystemClock
from l7lb_storage.engine import Engine as StoreEngine

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a new rules file asks for, opened as far as that can fail."""

    spec: ClusterSpec
    directory: Directory | None
    """New, or None when it is the old one that stays."""
    store: StoreEngine | None


class MailRoom:
    """`prepare`, then let the engine apply the file, then `take`."""

    def __init__(self, engine: Engine, plugs: dict[str, Plug], secret: bytes, slot: int) -> None:
        self._engine = engine
        self._plugs = plugs
        self._secret = secret
        self._slot = slot
        self._office: Office | None = None
        self._logins: list[LoginPlug] = []
        self._smtp: SmtpPlug | None = None
        self._spool: Spool | None = None
        self._directory: DirectorySpec | None = None
        self._store: StoreSpec | None = None

    def prepare(self, spec: ClusterSpec) -> Prepared:
        """Raises ValueError or OSError, and L7lbError for a directory that cannot be used;
        nothing has changed then."""
        if not spec.has_mail:
            return Prepared(spec, None, None)
        if self._office is None:
            self._open(spec)
        new_store = spec.store if spec.store != self._store else None
        store = None if new_store is None else engine_of(new_store)
        new_directory = spec.directory if spec.directory != self._directory else None
        directory = None if new_directory is None else open_directory(new_directory).directory
        return Prepared(spec, directory, store)

    def _open(self, spec: ClusterSpec) -> None:
        engine, host = self._engine, socket.gethostname()
        director = f"{host}:{state_path(spec.director)}"
        office = self._office = Office(
            OfficeSpec(
                holder=f"{host}/{os.getpid()}",
                secret=self._secret,
                pools=engine.pools,
                clock=SystemClock(),
                random=engine.random,
                member=Member(director, incarnation.own()),
                seat=f"{director}#{self._slot}",
                is_alive=incarnation.is_alive,
            )
        )
        self._logins = [LoginPlug(dialect, office) for dialect in (IMAP, POP3)]
        self._plugs.update({plug.dialect.name: plug for plug in self._logins})
        self._smtp = self._plugs["smtp"] = SmtpPlug(office)

    def drop(self, prepared: Prepared) -> None:
        """The engine has refused the file."""
        if self._office is not None and prepared.directory is not None:
            self._office.spawn(prepared.directory.close())

    def take(self, prepared: Prepared) -> None:
        """The engine has taken the file."""
        office, spec = self._office, prepared.spec
        if office is None:
            return
        if prepared.directory is not None or spec.directory is None:
            office.set_directory(prepared.directory)
        if prepared.store is not None or spec.store is None:
            office.set_store(prepared.store)
        self._directory, self._store = spec.directory, spec.store
        for plug in self._logins:
            plug.want(_pools_of(spec, plug.dialect.name))
        names = _pools_of(spec, "smtp")
        if self._smtp is not None and names:
            self._smtp.start(self._engine)
            self._open_spool(office, self._smtp, spec)
            self._smtp.want(self._engine.pools, names)

    def _open_spool(self, office: Office, smtp: SmtpPlug, spec: ClusterSpec) -> None:
        if self._spool is not None:
            return
        try:
            folder = state_directory(spec.director) / "spool"
        except OSError as error:
            log.error("no spool", extra={"reason": str(error)})
            return
        self._spool = Spool(folder)
        office.spawn(self._started(office, smtp, self._spool))

    async def _started(self, office: Office, smtp: SmtpPlug, spool: Spool) -> None:
        """Without a spool, messages for several servers are taken one server at a time."""
        try:
            await spool.start()
        except OSError as error:
            log.error("no spool", extra={"reason": str(error)})
            return
        office.spool = spool
        smtp.redeliver(self._engine)

    def state(self) -> dict[str, object]:
        """For status: JSON values; empty without mail."""
        return {} if self._office is None else {"mail": self._office.state()}

    async def close(self) -> None:
        """After the engine: the last sessions still give back what they hold."""
        if self._smtp is not None:
            self._smtp.close()
        if self._office is not None:
            await self._office.close()
        if self._spool is not None:
            await self._spool.close()


def _pools_of(spec: ClusterSpec, protocol: str) -> tuple[str, ...]:
    names = [
        name
        for service in spec.services.values()
        if service.protocol == protocol
        for route in service.routes
        for name, _ in route.pools
    ]
    return tuple(dict.fromkeys(names))
