"""RTSP plugged into the driver: a session for each client, tags and settings for each service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l7lb.media.control.naming import Naming
from l7lb.media.control.office import Office
from l7lb.media.control.session import RtspSession
from l7lb_protocols.rtsp.reader import Limits
from l7lb_protocols.rtsp.session_id import Tags

if TYPE_CHECKING:
    from l7lb.net.driver import Driver
    from l7lb.net.service import Service
    from l7lb.pool.server import Server
    from l7lb_protocols.http.forwarded import ClientInfo


class Front:
    """One service's share: made anew by every reload."""

    def __init__(self, service: Service, office: Office) -> None:
        spec = service.spec
        self.service = spec.name
        self.office = office
        self.options = spec.rtsp
        self.limits = Limits(head_bytes=spec.rtsp.head_bytes, body_bytes=spec.rtsp.body_bytes)
        pools = {pool.name: pool for plan in service.plans for pool, _ in plan.pools}
        places = [(name, server.name) for name, pool in pools.items() for server in pool.servers]
        self.tags = Tags(office.secret, spec.name, places)

    @staticmethod
    def own_names(server: Server) -> frozenset[str]:
        """What a server calls itself: its address as the file says and as it is connected to."""
        found = {server.spec.address.host}
        if server.endpoint is not None and not isinstance(server.endpoint[1], str):
            found.add(server.endpoint[1][0])
        return frozenset(found)

    def naming(self, server: Server) -> Naming:
        return Naming(self.own_names(server))


class RtspPlug:
    """For `net.plug.Plug`. One for each worker."""

    port = ""

    def __init__(self, office: Office) -> None:
        self.office = office
        self._fronts: dict[Service, Front] = {}

    def front(self, service: Service) -> Front:
        front = self._fronts.get(service)
        if front is None:
            newest = {each: kept for each, kept in self._fronts.items() if _is_newest(each)}
            self._fronts = newest
            front = self._fronts[service] = Front(service, self.office)
        return front

    def open(self, driver: Driver, service: Service, client: ClientInfo) -> RtspSession:
        return RtspSession(driver, self, client)


def _is_newest(service: Service) -> bool:
    """What a reload has put aside is not kept."""
    return service.latest.service is service
