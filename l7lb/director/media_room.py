"""A worker's media: office and plug of RTSP, made when the rules file has such a service.

Owns the choice of adapters. Must not know sessions.
"""

from __future__ import annotations

from collections.abc import Mapping

from l7lb.director.media_kernel import kernel_path, kernel_servers
from l7lb.director.media_processes import relay_path, wants_relay
from l7lb.director.media_relay import RelayWay
from l7lb.director.media_ways import KernelWay, Spot, Ways
from l7lb.media.control.office import Office, Parts
from l7lb.media.control.plug import RtspPlug
from l7lb.media.hot.chooser import Chooser
from l7lb.media.hot.holdings import Holdings
from l7lb.media.hot.receiver import Said
from l7lb.media.modes import Known
from l7lb.model import ClusterSpec
from l7lb.net.engine import Engine
from l7lb.net.plug import Plug
from l7lb_protocols.announce.listing import Listing


class MediaRoom:
    """`prepare` before the engine applies a file, `take` when it has taken it."""

    def __init__(self, engine: Engine, plugs: dict[str, Plug], secret: bytes) -> None:
        self._engine = engine
        self._plugs = plugs
        self._secret = secret
        self._office: Office | None = None
        self._relay: RelayWay | None = None
        self._kernel: KernelWay | None = None
        self._chooser: Chooser | None = None
        self._ways = Ways(self._has_relay)
        self._parts = Parts(modes=self._ways)

    def _has_relay(self) -> bool:
        return self._relay is not None and self._relay.is_there

    def hear(self, found: Mapping[Spot, Known]) -> None:
        """What the supervisor has found out about the servers' ways."""
        self._ways.found = found

    def hear_hot(self, said: Said) -> None:
        """A media server's word on what it holds."""
        if self._chooser is None:
            return
        now_s, holdings = self._engine.now(), self._chooser.holdings
        if isinstance(said, Listing):
            holdings.learn(said, now_s)
        else:
            holdings.hear(said, now_s)

    def prepare(self, spec: ClusterSpec) -> None:
        """The plug must be there when services are made."""
        if spec.has_media and self._office is None:
            self._office = Office(self._secret, self._engine.now, self._parts)
            self._plugs["rtsp"] = RtspPlug(self._office)
        if spec.hot_files is not None and self._chooser is None:
            self._parts.holdings = self._chooser = Chooser(Holdings(), self._engine.now)

    def take(self, spec: ClusterSpec) -> None:
        """The engine has taken the file."""
        if spec.hot_files is None:
            self._parts.holdings = self._chooser = None
        office = self._office
        if office is not None and self._relay is None and wants_relay(spec):
            self._relay = RelayWay(relay_path(spec.director), office.silent, office.ended)
            self._parts.relays = self._relay
        if office is not None and self._kernel is None and any(True for _ in kernel_servers(spec)):
            self._parts.kernel = self._kernel = KernelWay(kernel_path(spec.director))

    def state(self) -> dict[str, object]:
        """For status: JSON values; empty without media."""
        return {} if self._office is None else {"media": self._office.state()}

    async def close(self) -> None:
        """After the engine: the last sessions still give back what they hold."""
        if self._office is not None:
            await self._office.close()
        if self._relay is not None:
            await self._relay.stop()
        if self._kernel is not None:
            self._kernel.close()
