"""One AUTH of an SMTP client: SASL steps, with the directory's word at the end.

Must not know the dialogue, penalties or sockets.
"""

from __future__ import annotations

from l7lb.accounts import Account, Status
from l7lb.errors import DirectoryError
from l7lb.mail.scram import keys_of, nonce
from l7lb.mail.smtp.office import SmtpOffice
from l7lb_protocols.sasl.errors import SaslProblem
from l7lb_protocols.sasl.offer import exchange
from l7lb_protocols.sasl.steps import Challenge, Credentials, KeysWanted
from l7lb_protocols.sasl.steps import Step as SaslStep
from l7lb_protocols.smtp import auth


class SmtpLogin:
    """`step` for each answer of the client, until Done or Failed. `account` is who it claims to
    be, for the log; `secret` is right when it is Done, and empty where none was said."""

    def __init__(
        self,
        office: SmtpOffice,
        mechanism: bytes,
        certificate: bytes = b"",
        domain: str = "",
    ) -> None:
        self.account = b""
        self.secret = b""
        self._directory = office.directory
        self._seed = office.secret
        self._domain = domain
        self._exchange = exchange(mechanism, certificate)
        self._begun = False

    async def step(self, response: bytes | None) -> auth.Step:
        try:
            wanted = self._next(response)
            if isinstance(wanted, KeysWanted):
                wanted = await self._keys(wanted)
            if isinstance(wanted, Challenge):
                return auth.Challenge(wanted.message)
            assert isinstance(wanted, Credentials)
            return await self._check(wanted)
        except SaslProblem:
            return auth.Failed()
        except (DirectoryError, ValueError):  # away, or with keys that are none
            return auth.Failed(temporary=True)

    def _next(self, response: bytes | None) -> SaslStep:
        if not self._begun:
            self._begun = True
            return self._exchange.begin(response)
        return self._exchange.respond(response or b"")

    def _full_name(self, name: bytes) -> str:
        self.account = name
        text = name.decode("utf-8", "replace")
        return f"{text}@{self._domain}" if self._domain and "@" not in text else text

    async def _keys(self, wanted: KeysWanted) -> Challenge:
        """Whoever has no keys gets some that no proof fits."""
        account = await self._account(self._full_name(wanted.account))
        return self._exchange.supply(keys_of(account, wanted.account, self._seed), nonce())

    async def _account(self, name: str) -> Account | None:
        return await self._directory.account(name) if self._directory is not None else None

    async def _check(self, said: Credentials) -> auth.Step:
        name = self._full_name(said.account)
        if self._directory is None or said.is_on_behalf:
            return auth.Failed()
        if said.proven:
            account = await self._account(name)
        else:
            verdict = await self._directory.verify(name, said.secret)
            account = verdict.account if verdict else None
        if account is None or account.status is Status.DISABLED:
            return auth.Failed()
        self.account = account.name.encode()
        self.secret = said.secret
        return auth.Done(self.account)
