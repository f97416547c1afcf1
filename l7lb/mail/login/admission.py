"""Who may come in, and as whom to the server: the questions to directory and store before a login.

Owns the order of the questions. Every wait in it has a deadline of its own. Must not know the
client's connection, nor how servers are reached.
"""

from __future__ import annotations

from dataclasses import dataclass

from l7lb.accounts import Account, Outcome, Status, attribute_facts, normal_name
from l7lb.mail.office import Office
from l7lb.mail.scram import keys_of
from l7lb.model import PoolSpec, ServiceSpec
from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.login.events import Verdict
from l7lb_protocols.login.server_side import ServerLogin
from l7lb_protocols.sasl.keys import ScramKeys
from l7lb_protocols.sasl.steps import Credentials


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody whose secret is right, or will be checked by the server."""

    name: str
    """The one name of the account."""
    account: Account | None
    """None: no directory was asked."""

    @property
    def home(self) -> str | None:
        return None if self.account is None else self.account.server


@dataclass(frozen=True, slots=True)
class Guest:
    """What is known of the client before it says who it is."""

    source: str
    method: bytes
    sni: bytes = b""
    tls_name: bytes = b""

    def facts(self, identity: Identity) -> PlainFacts:
        account = identity.account
        return PlainFacts(
            method=self.method,
            source=self.source,
            sni=self.sni,
            tls_name=self.tls_name,
            account=identity.name.encode(),
            attributes=attribute_facts(account),
        )


class Admission:
    """For one service: `checks` says that the director checks secrets, for the servers do not."""

    def __init__(self, office: Office, service: ServiceSpec, *, checks: bool) -> None:
        self.office = office
        self._options = service.login
        self.checks = checks

    async def identify(self, said: Credentials) -> Identity | Verdict:
        """Raises DirectoryError."""
        name = self._name(said.account)
        if name is None:
            return Verdict.FAILED
        if said.is_on_behalf and self._name(said.authorize_as) != name:
            return Verdict.FORBIDDEN
        if said.proven or self.checks:
            return await self._checked(name, said)
        if self.office.directory is None:
            return Identity(name, None)
        account = await self.office.directory.account(name)
        if account is None:
            return Verdict.FAILED
        return Identity(account.name, account)

    def known(self, said: Credentials) -> Identity | None:
        """What `identify` says, where that is known without asking anybody; None: it must ask, or
        lets nobody in."""
        directory = self.office.directory
        name = self._name(said.account)
        if name is None or said.is_on_behalf or said.proven or self.checks or directory is None:
            return None
        account = directory.remembered(name)
        return None if account is None else Identity(account.name, account)

    async def _checked(self, name: str, said: Credentials) -> Identity | Verdict:
        directory = self.office.asked()
        if said.proven:
            account = await directory.account(name)
            if account is None:
                return Verdict.FAILED
            is_disabled = account.status is Status.DISABLED
            return Verdict.FORBIDDEN if is_disabled else Identity(account.name, account)
        found = await directory.verify(name, said.secret)
        if found.outcome is Outcome.DISABLED:
            return Verdict.FORBIDDEN
        if not found or found.account is None:
            return Verdict.FAILED
        return Identity(found.account.name, found.account)

    async def keys(self, account: bytes) -> ScramKeys:
        """For SCRAM; fake ones where there are none, so that nobody can tell. Raises
        DirectoryError."""
        name = self._name(account)
        found = None if name is None else await self.office.asked().account(name)
        return keys_of(found, account, self.office.spec.secret)

    def _name(self, said: bytes) -> str | None:
        """The name to look up; None: nobody can have it."""
        try:
            text = said.decode("utf-8")
        except UnicodeDecodeError:
            return None
        if self._options.default_domain and text and "@" not in text:
            text = f"{text}@{self._options.default_domain}"
        return normal_name(text)


def server_login(pool: PoolSpec, identity: Identity, said: Credentials) -> ServerLogin | None:
    """How to log in at the pool's servers; None: what the client gave cannot be passed on."""
    master = pool.login
    if master is not None:
        return ServerLogin(
            master.master.encode(),
            master.secret.value,
            identity.name.encode(),
            separator=master.separator.encode(),
        )
    if said.proven:
        return None
    return ServerLogin(identity.name.encode(), said.secret)
