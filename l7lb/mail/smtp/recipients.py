"""One recipient's way: directory → account → rules → pool → server.

Used when RCPT comes and again for each try of a spooled message, so that both always agree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from l7lb.accounts import Account, Status, attribute_facts
from l7lb.errors import DirectoryError
from l7lb.mail.smtp.office import Box, SmtpOffice
from l7lb.net.service import RoutePlan, Service
from l7lb.pool.pool import Pool
from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.smtp.address import Address
from l7lb_protocols.smtp.replies import Reply, reply

UNKNOWN = reply(550, b"5.1.1", "no such recipient here")
DISABLED = reply(550, b"5.2.1", "mailbox is disabled")
NO_ROUTE = reply(550, b"5.7.1", "mail for this recipient is not taken here")
NO_SERVER = reply(451, b"4.4.1", "no server for this recipient at the moment")


class Refused(Exception):
    def __init__(self, answer: Reply) -> None:
        super().__init__(str(answer))
        self.reply = answer


@dataclass(frozen=True, slots=True)
class Client:
    """Who sends: as the rules see it. `account`: who logged in."""

    source: str = ""
    sni: bytes = b""
    tls_name: bytes = b""
    account: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Where a recipient's mail goes. Those with one `key` go over one connection."""

    plan: RoutePlan
    pool: Pool
    facts: PlainFacts
    box: Box | None = None
    """None: the recipient has no account here."""

    @property
    def key(self) -> tuple[str, bytes]:
        return self.pool.name, self.facts.server


class Finder:
    """`random`: for routes with several pools."""

    def __init__(self, office: SmtpOffice, random: Callable[[], float]) -> None:
        self._office = office
        self._random = random

    async def account_of(self, address: Address) -> Account | None:
        """None: unknown. Raises Refused (the directory is away, the account disabled)."""
        directory = self._office.directory
        if directory is None:
            return None
        try:
            account = await directory.recipient(address.text.decode("utf-8", "replace"))
        except DirectoryError as problem:
            code, enhanced = problem.smtp
            raise Refused(reply(code, enhanced.encode(), "directory: try again later")) from problem
        if account is not None and account.status is Status.DISABLED:
            raise Refused(DISABLED)
        return account

    async def find(
        self, service: Service, client: Client, address: Address, *, unknown_too: bool
    ) -> Target:
        """`unknown_too`: recipients that the directory does not know go by the rules as well.
        Raises Refused."""
        account = await self.account_of(address)
        if account is None and not unknown_too:
            raise Refused(UNKNOWN)
        facts = PlainFacts(
            recipient=address.key,
            account=account.name.encode() if account is not None else client.account,
            source=client.source,
            sni=client.sni,
            tls_name=client.tls_name,
            attributes=attribute_facts(account),
        )
        plan = self._plan(service, facts)
        pool = plan.choose_for(facts.account or facts.recipient)
        box: Box | None = None
        if account is not None:
            box = await self._office.box_of(account, pool, facts)
            if box is None:
                raise Refused(NO_SERVER)
            facts.server = box.server.encode()
        return Target(plan, pool, facts, box)

    def _plan(self, service: Service, facts: PlainFacts) -> RoutePlan:
        found = service.table.find(facts)
        if found is None:
            raise Refused(NO_ROUTE)
        plan = service.plans[found.position]
        decision = plan.decide(facts, self._random)
        if decision.reply is not None or not plan.pools:
            text = decision.reply[2] if decision.reply is not None else b""
            raise Refused(reply(550, b"5.7.1", text) if text else NO_ROUTE)
        return plan
