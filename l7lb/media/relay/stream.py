"""One stream of a session: four sides, RTP and RTCP towards the client and towards the server.

Owns their sockets and ports, and what was counted of them. Must not know verbs or timeouts.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

from l7lb.media.relay.packets import Mover, Side
from l7lb.media.relay.pairs import Pairs, PairsExhausted
from l7lb.media.relay.reports import Reports
from l7lb.media.relay.sockets import bound_pair, dropped
from l7lb.media.relay.spec import RelaySpec
from l7lb.media.relay.verbs import Open, Ports, Refusal, RelayRefusal
from l7lb.ports import Clock

TRIES = 32
"""Pairs found to be in somebody else's hands, before the stream is refused."""
ADDRESSES = 256
"""Local addresses, each with all ports of the range."""
KINDS = ("rtp", "rtcp")


class Ground:
    """The port pairs of each local address."""

    def __init__(self, spec: RelaySpec, clock: Clock) -> None:
        self._spec = spec
        self._clock = clock
        self._pairs: dict[str, Pairs] = {}

    def bind(self, host: str) -> tuple[int, tuple[int, int]]:
        """An even port, and the descriptors bound to it and to the next. Raises RelayRefusal."""
        pairs = self._of(host)
        for _ in range(TRIES):
            try:
                port = pairs.take()
            except PairsExhausted as error:
                raise RelayRefusal(Refusal.NO_PORTS, f"{host}: {error}") from None
            found = self._bind(host, port, pairs)
            if found is not None:
                return port, found
        raise RelayRefusal(Refusal.NO_PORTS, f"{host}: {TRIES} pairs in turn are not ours")

    def _bind(self, host: str, port: int, pairs: Pairs) -> tuple[int, int] | None:
        try:
            found = bound_pair(host, port)
        except OSError as error:
            pairs.give_back(port)
            if error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}:
                raise RelayRefusal(Refusal.NO_PORTS, str(error)) from None
            raise RelayRefusal(Refusal.NO_ADDRESS, f"{host}: {error.strerror}") from None
        if found is None:
            pairs.give_back(port)
        return found

    def give_back(self, host: str, port: int) -> None:
        self._pairs[host].give_back(port)

    @property
    def used(self) -> int:
        """Pairs, over all addresses."""
        return sum(pairs.used for pairs in self._pairs.values())

    def _of(self, host: str) -> Pairs:
        found = self._pairs.get(host)
        if found is not None:
            return found
        if len(self._pairs) >= ADDRESSES:
            raise RelayRefusal(Refusal.TOO_MANY, f"more than {ADDRESSES} local addresses")
        spec = self._spec
        made = Pairs(spec.first_port, spec.last_port, spec.cooling_s, self._clock)
        self._pairs[host] = made
        return made


@dataclass(slots=True)
class End:
    """One end of a stream: the peer's two sides, our port pair towards it, its reports."""

    name: str
    """`client` or `server`."""
    local: str
    port: int
    sides: tuple[Side, Side]
    reports: Reports
    told: Ports = (0, 0)
    known: set[int] = field(default_factory=set)
    """Sides whose latching is news no more."""

    @property
    def ports(self) -> Ports:
        return self.port, self.port + 1

    def aim(self, ports: Ports) -> None:
        """Where the peer says that it is; 0: it does not say."""
        self.told = (ports[0] or self.told[0], ports[1] or self.told[1])
        for side, port in zip(self.sides, ports, strict=True):
            if port:
                side.aim(port)

    def last_s(self) -> float:
        """When the peer's last packet came, 0: none did."""
        return max(self.sides[0].last_s, self.sides[1].last_s)

    def figures(self, now_s: float) -> dict[str, object]:
        """JSON: what came from this end."""
        found: dict[str, object] = {
            kind: _side_figures(side, now_s) for kind, side in zip(KINDS, self.sides, strict=True)
        }
        return found | {"reports": self.reports.figures(now_s)}


class Stream:
    """Open it with `open_stream`, end it with `close`."""

    def __init__(self, client: End, server: End) -> None:
        self.client = client
        self.server = server
        for one, other in zip(client.sides, server.sides, strict=True):
            one.other, other.other = other, one

    def sides(self) -> tuple[Side, ...]:
        return (*self.client.sides, *self.server.sides)

    def ends(self) -> tuple[End, End]:
        return self.client, self.server

    def figures(self, now_s: float) -> dict[str, object]:
        """JSON: what came from either end."""
        return {end.name: end.figures(now_s) for end in self.ends()}

    def totals(self) -> tuple[int, int, int, int]:
        """Packets and octets from the client, packets and octets from the server."""
        client, server = self.client.sides, self.server.sides
        return (
            client[0].packets + client[1].packets,
            client[0].octets + client[1].octets,
            server[0].packets + server[1].packets,
            server[0].octets + server[1].octets,
        )

    def close(self, ground: Ground, mover: Mover) -> None:
        """Its ports rest from now on."""
        for side in self.sides():
            mover.forget(side)
            side.other = None
            side.close()
        for end in self.ends():
            ground.give_back(end.local, end.port)


def open_stream(ask: Open, ground: Ground, mover: Mover) -> Stream:
    """Bound and watched. Raises RelayRefusal; then nothing is left behind."""
    client = _open_end("client", ask.client, ask.client_local, ground)
    try:
        server = _open_end("server", ask.server, ask.server_local, ground)
    except RelayRefusal:
        _drop(client, ground)
        raise
    stream = Stream(client, server)
    try:
        for side in stream.sides():
            mover.watch(side)
    except OSError as error:  # fs.epoll.max_user_watches
        stream.close(ground, mover)
        raise RelayRefusal(Refusal.NO_PORTS, str(error)) from None
    return stream


def _open_end(name: str, peer: str, local: str, ground: Ground) -> End:
    if (":" in peer) != (":" in local):
        raise RelayRefusal(Refusal.BAD_REQUEST, f"{peer} and {local} are of two families")
    port, (rtp, rtcp) = ground.bind(local)
    sides = (Side(rtp, peer, False), Side(rtcp, peer, True))
    return End(name, local, port, sides, Reports())


def _drop(end: End, ground: Ground) -> None:
    for side in end.sides:
        side.close()
    ground.give_back(end.local, end.port)


def _side_figures(side: Side, now_s: float) -> dict[str, object]:
    return {
        "packets": side.packets,
        "octets": side.octets,
        "lost": side.lost,
        "strangers": side.strangers,
        "dropped": dropped(side.fd),
        "age_s": round(now_s - side.last_s, 3) if side.last_s else None,
    }
