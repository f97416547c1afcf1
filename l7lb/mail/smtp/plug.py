"""SMTP for the one driver, in one worker: `start` with the engine, `close` before it ends."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from l7lb.mail.penalty import Penalty
from l7lb.mail.smtp.carriers import Carriers
from l7lb.mail.smtp.desk import Desk
from l7lb.mail.smtp.guard import Guard
from l7lb.mail.smtp.learning import SmtpLearning
from l7lb.mail.smtp.office import SmtpOffice
from l7lb.mail.smtp.recipients import Finder
from l7lb.mail.smtp.redelivery import Redelivery
from l7lb.mail.smtp.session import SmtpSession
from l7lb.mail.spool.spool import Entry
from l7lb.mail.tally import Tally
from l7lb.net.driver import Driver
from l7lb.net.host import Host
from l7lb.net.service import Service
from l7lb.pool.pool import Pool
from l7lb_protocols.http.forwarded import ClientInfo
from l7lb_protocols.wire import Session


class SmtpPlug:
    """A `net.plug.Plug`. Spooled messages wait until `start`, or the first client."""

    port = "smtp"

    def __init__(self, office: SmtpOffice) -> None:
        self._office = office
        self._desk: Desk | None = None
        self._redelivery: Redelivery | None = None
        self.learning: SmtpLearning | None = None
        """None: nobody was wanted yet."""

    def want(self, pools: Mapping[str, Pool], names: Sequence[str]) -> None:
        """After `start`: the pools that services use now; what their servers can is asked."""
        assert self._desk is not None
        if self.learning is None:
            if not names:
                return
            learnt = self._desk.carriers.learnt
            self.learning = SmtpLearning(pools, self._desk.name.encode("ascii", "replace"), learnt)
            self._office.spawn(self.learning.run())
        self.learning.want(names)

    def start(self, host: Host) -> Desk:
        """Only the first call does anything."""
        if self._desk is not None:
            return self._desk
        office = self._office
        tally = Tally(lambda: office.store, host.now)
        self._desk = desk = Desk(
            office,
            Carriers(host),
            Finder(office, host.random),
            Guard(tally, office.wall_s),
            Penalty(tally),
            socket.gethostname(),
            self._kept,
        )
        self.redeliver(host)
        return desk

    def redeliver(self, host: Host) -> None:
        """Begin to deliver what is spooled, as soon as the office has its spool."""
        spool = self._office.spool
        if spool is not None and self._redelivery is None:
            self._redelivery = Redelivery(self.start(host), host, spool)
            self._office.spawn(self._redelivery.run())

    def _kept(self, entry: Entry) -> None:
        if self._redelivery is not None:
            self._redelivery.kept(entry)

    def open(self, driver: Driver, service: Service, client: ClientInfo) -> Session:
        return SmtpSession(driver, self.start(driver.host), service, client)

    def close(self) -> None:
        if self._redelivery is not None:
            self._redelivery.stop()
        if self._desk is not None:
            self._desk.carriers.close()
