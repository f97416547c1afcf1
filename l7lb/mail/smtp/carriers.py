"""All connections of a worker to its mail servers: opened when needed, kept for the next message.

Also what is learnt of each server's extensions. Owns the idle ones; must not know messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from l7lb.errors import NoServer
from l7lb.mail.smtp.carrier import Carrier, CarrierLimits, CarrierLost
from l7lb.mail.smtp.entrance import NOBODY, Holder, NoLogin, login_for
from l7lb.mail.smtp.recipients import NO_SERVER, Target
from l7lb.net.host import Host
from l7lb.pool.pool import Pool
from l7lb.pool.server import Server
from l7lb.pool.slot import Slot
from l7lb_protocols.smtp.client_session import ClientSettings, Login, Tls
from l7lb_protocols.smtp.extensions import Extensions
from l7lb_protocols.smtp.replies import reply
from l7lb_protocols.smtp.xclient import Attributes
from l7lb_protocols.wire import PHASE_CONNECT, PHASE_FIRST_BYTE

Origin = tuple[tuple[bytes, bytes], ...]
ANYBODY: Origin = ()
LOST = reply(451, b"4.4.2", "connection to the server lost")


@dataclass(frozen=True, slots=True)
class Sending:
    """For whom a connection is opened: our name, what XCLIENT and PROXY tell of the client, and
    with what it logged in."""

    name: bytes
    attributes: Attributes
    source: str = ""
    source_port: int = 0
    holder: Holder = NOBODY

    @property
    def origin(self) -> Origin:
        return tuple(sorted(self.attributes.items()))


@dataclass(slots=True, eq=False)
class Idle:
    carrier: Carrier
    origin: Origin
    """Only the same client may use it again; ANYBODY: the server knows of none."""
    login: Login | None
    """Who is logged in there; only for the same one is it used again."""


class Carriers:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._idle: dict[Server, list[Idle]] = {}
        self._learnt: dict[tuple[str, str], Extensions] = {}
        self._origins: dict[Carrier, Origin] = {}
        """Of all that are open."""
        self._logins: dict[Carrier, Login | None] = {}

    @property
    def idle(self) -> int:
        return sum(map(len, self._idle.values()))

    def known(self, pools: Iterable[Pool]) -> list[Extensions]:
        """What the servers of these pools said last; those not asked yet are left out."""
        found = (self._learnt.get((p.name, s.name)) for p in pools for s in p.servers)
        return [extensions for extensions in found if extensions is not None]

    def learnt(self, pool: Pool, server: Server, extensions: Extensions) -> None:
        """Its newest word."""
        self._learnt[pool.name, server.name] = extensions

    async def open(self, target: Target, sending: Sending) -> Carrier:
        """A connection that is ready to `begin`. Another server is tried when one cannot be
        reached and the recipient is bound to none. Raises CarrierLost."""
        tried: list[Server] = []
        pool = target.pool
        try:
            login = login_for(pool.spec.smtp_login, sending.holder)
        except NoLogin as problem:
            raise CarrierLost(problem.reply) from problem
        pool.count_request()
        while True:
            slot = await self._slot(target, tried)
            carrier = self._reuse(slot, sending, login)
            if carrier is not None:
                return carrier
            try:
                return await self._connect(target, slot, sending, login)
            except CarrierLost:
                tried.append(slot.server)
                limits = target.plan.retry or pool.spec.retry
                is_bound = bool(target.facts.server)
                if is_bound or len(tried) > limits.attempts or not pool.retry_allowed(limits):
                    raise

    async def _slot(self, target: Target, tried: list[Server]) -> Slot:
        """Waits in the pool's line when its servers are full."""
        pool = target.pool
        try:
            slot = pool.take(target.facts, tried)
            if slot is not None:
                return slot
            granted: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
            ticket = pool.wait(target.facts, granted.set_result, tried)
        except NoServer as problem:
            raise CarrierLost(NO_SERVER) from problem
        try:
            async with asyncio.timeout(pool.spec.queue_timeout_s):
                return await granted
        except TimeoutError as problem:
            ticket.cancel()
            raise CarrierLost(NO_SERVER) from problem

    def _reuse(self, slot: Slot, sending: Sending, login: Login | None) -> Carrier | None:
        idle = self._idle.get(slot.server, [])
        for one in reversed(idle):
            is_same = one.origin in (ANYBODY, sending.origin) and one.login == login
            if one.carrier.is_usable and is_same:
                idle.remove(one)
                one.carrier.employ(slot)
                return one.carrier
        return None

    async def _connect(
        self, target: Target, slot: Slot, sending: Sending, login: Login | None
    ) -> Carrier:
        pool, server = target.pool, slot.server.spec
        lmtp = server.port("lmtp")
        tls = pool.spec.tls
        settings = ClientSettings(
            sending.name,
            lmtp=bool(lmtp),
            tls=Tls.MUST if tls is not None and tls.starttls else Tls.NEVER,
            attributes=sending.attributes,
            login=login,
            plain_auth=pool.spec.smtp_login is not None and pool.spec.smtp_login.in_clear,
        )
        carrier = Carrier(self._host, pool, slot, settings, _limits(target))
        carrier.leg.source, carrier.leg.source_port = sending.source, sending.source_port
        carrier.on_free = self._freed
        self._origins[carrier] = ANYBODY
        self._logins[carrier] = login
        carrier.connect(lmtp or server.port("smtp"))
        extensions = await carrier.ready()
        if not carrier.is_usable:  # it was ready, and ended before we could wake up
            raise CarrierLost(LOST)
        self.learnt(pool, slot.server, extensions)
        if extensions.xclient or pool.spec.send_proxy:
            self._origins[carrier] = sending.origin
        return carrier

    def _freed(self, carrier: Carrier, usable: bool) -> None:
        """A transaction is over, or the connection."""
        server, spec = carrier.leg.server, carrier.leg.pool.spec
        idle = self._idle.setdefault(server, [])
        if not usable:
            self._idle[server] = [one for one in idle if one.carrier is not carrier]
            self._forget(carrier)
        elif not spec.reuse or len(idle) >= spec.max_idle or server.removed:
            self._forget(carrier)
            carrier.quit()
        else:
            carrier.rest()
            idle.append(Idle(carrier, self._origins[carrier], self._logins[carrier]))
        if not self._idle[server]:
            del self._idle[server]

    def _forget(self, carrier: Carrier) -> None:
        self._origins.pop(carrier, None)
        self._logins.pop(carrier, None)

    def close(self) -> None:
        """Let all go, those in use too."""
        for carrier in list(self._origins):
            if carrier.is_usable:
                carrier.quit()
            else:
                carrier.give_up()
        self._origins.clear()
        self._logins.clear()
        self._idle.clear()


def _limits(target: Target) -> CarrierLimits:
    limits = target.plan.limits
    return CarrierLimits(
        limits[PHASE_CONNECT], limits[PHASE_FIRST_BYTE], max(target.plan.server_idle_s, 1.0)
    )
