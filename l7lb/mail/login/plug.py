"""IMAP and POP3 plugged into the driver: a session for each client, settings for each service.

Owns what is the same for all clients of a service. Must not know sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from l7lb.mail.login.admission import Admission
from l7lb.mail.login.learning import Learning
from l7lb.mail.login.session import LoginSession
from l7lb.mail.login.words import Dialect
from l7lb.mail.office import Office
from l7lb.net.preface import Network, is_trusted, networks
from l7lb_protocols.login.client_side import ClientSettings, Peer

if TYPE_CHECKING:
    from l7lb.net.driver import Driver
    from l7lb.net.service import Service
    from l7lb_protocols.http.forwarded import ClientInfo


class Front:
    """One service's share: made anew by every reload."""

    def __init__(self, service: Service, office: Office, learning: Learning) -> None:
        spec = service.spec
        self._learning = learning
        self._pools = tuple(dict.fromkeys(name for r in spec.routes for name, _ in r.pools))
        self.trusted: tuple[Network, ...] = networks(spec.login.trusted)
        pools = [office.spec.pools[name].spec for name in self._pools]
        checks = any(pool.login is not None for pool in pools)
        self.desk = Admission(office, spec, checks=checks)
        self._options = spec.login
        self._made: dict[bool, tuple[int, ClientSettings]] = {}

    def settings(self, *, starttls: bool) -> ClientSettings:
        """As servers are known now."""
        version = self._learning.version
        made = self._made.get(starttls)
        if made is None or made[0] != version:
            made = self._made[starttls] = (version, self._fresh(starttls))
        return made[1]

    def _fresh(self, starttls: bool) -> ClientSettings:
        options = self._options
        return ClientSettings(
            mechanisms=tuple(name.encode() for name in options.mechanisms),
            starttls=starttls,
            secrets_in_clear=options.secrets_in_clear,
            capabilities=self._learning.common(self._pools),
            max_failures=options.max_failures,
        )


class LoginPlug:
    """For `net.plug.Plug`. One for each protocol and worker."""

    def __init__(self, dialect: Dialect, office: Office) -> None:
        self.dialect = dialect
        self.port = dialect.name
        self.office = office
        self.learning = Learning(dialect, office.spec.pools)
        self._fronts: dict[Service, Front] = {}
        self._running = False

    def want(self, pools: Sequence[str]) -> None:
        """The pools that services of this protocol use now."""
        self._fronts.clear()
        self.learning.want(pools)
        if pools and not self._running:
            self._running = True
            self.office.spawn(self.learning.run())

    def open(self, driver: Driver, service: Service, client: ClientInfo) -> LoginSession:
        front = self._fronts.get(service)
        if front is None:
            self._fronts = {each: kept for each, kept in self._fronts.items() if _is_newest(each)}
            front = self._fronts[service] = Front(service, self.office, self.learning)
        is_trusted_peer = is_trusted(client.source, front.trusted) if front.trusted else False
        peer = Peer(client.tls, client.tls_name, is_trusted_peer)
        settings = front.settings(starttls=driver.starttls is not None)
        dialogue = self.dialect.to_client(settings, peer)
        session = LoginSession(driver, self.dialect, dialogue, front.desk)
        session.sni = client.sni
        return session


def _is_newest(service: Service) -> bool:
    """What a reload has put aside is not kept."""
    return service.latest.service is service
