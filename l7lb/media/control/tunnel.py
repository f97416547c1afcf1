"""RTSP over HTTP: the two connections of a tunnel go to one server, wherever they come in.

GET and POST may reach different workers or directors, so no table joins them: rules say the pool,
and the server follows from their x-sessioncookie. After the head all passes unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.rtsp import http_tunnel
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.http_tunnel import TunnelHead
from l7lb_protocols.tunnel import TunnelSession
from l7lb_protocols.wire import CLIENT, FAILED, OUTCOME_CANCELLED, PENDING

if TYPE_CHECKING:
    from l7lb.media.control.session import RtspSession
    from l7lb.net.driver import Driver


def begin_tunnel(session: RtspSession, data: bytes) -> bool:
    """Hand the connection to a tunnel; False: its head is not whole yet."""
    driver = session.driver
    try:
        head = http_tunnel.read(data, session.front.limits)
    except RtspRefusal as refusal:
        session.flags = "B"
        session.status = refusal.status
        driver.send(CLIENT, http_tunnel.refusal(refusal.status))
        driver.log(session)
        driver.close(True)
        return True
    if head is None:
        return False
    facts = PlainFacts(
        host=head.host,
        path=head.path,
        method=head.method,
        source=driver.source,
        sni=session.client.sni,
        tls_name=session.client.tls_name,
        headers={name: head.message.get(name) or b"" for name, *_ in head.message.fields},
    )
    tunnel = RtspTunnel(driver, facts, head)
    driver.session = tunnel
    tunnel.start(data)
    return True


class RtspTunnel(TunnelSession):
    def __init__(self, driver: Driver, facts: PlainFacts, head: TunnelHead) -> None:
        super().__init__(driver, facts)
        self.driver = driver
        self.method = head.method
        self.target = head.target
        self.host = head.host
        self.agent = head.message.get(b"user-agent")
        self._cookie = head.cookie

    def start(self, initial: bytes) -> None:
        self._initial = initial
        driver = self.driver
        reply = driver.decide(self.facts).reply
        if reply is not None:
            self._refused(reply[0])
            return
        pool = driver.pool_for(self._cookie)
        name = pool.propose(self._cookie)
        if name is None:
            self._refused(503)
            return
        self.facts.server = name.encode()
        self._dispatched(driver.connect(self.facts, True))

    def _dispatched(self, code: int) -> None:
        if code == FAILED:
            self._refused(503)
        elif code != PENDING:
            self.server_ready()

    def server_ready(self) -> None:
        self.status = 200
        super().server_ready()

    def server_failed(self, status: int) -> None:
        """The other half would not follow to another server."""
        self._refused(503)

    def _refused(self, status: int) -> None:
        self.status = status
        self.flags += "R"
        self.wire.send(CLIENT, http_tunnel.refusal(status))
        self.wire.release(OUTCOME_CANCELLED, False)
        self.wire.log(self)
        self.wire.close(True)
