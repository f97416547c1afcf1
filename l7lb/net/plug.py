"""What a protocol gives to the one driver: the plug by which it fits into a virtual service.

Owns the interface and HTTP's plug; those of mail come from above. A plug does no I/O.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from l7lb_protocols.http.session import HttpSession

if TYPE_CHECKING:
    from l7lb.net.driver import Driver
    from l7lb.net.service import Service
    from l7lb_protocols.http.forwarded import ClientInfo
    from l7lb_protocols.wire import Session


class Plug(Protocol):
    """One protocol. Shared by all services that speak it."""

    port: str
    """Name in `ServerSpec.ports`; empty: servers have but one."""

    def open(self, driver: Driver, service: Service, client: ClientInfo) -> Session:
        """The session of a client that has come in; `Session.begin` is called next."""


class HttpPlug:
    port = ""

    def open(self, driver: Driver, service: Service, client: ClientInfo) -> Session:
        return HttpSession(driver, service.settings, client)


HTTP = HttpPlug()
