"""Who gets a viewing: in turn, by the hash of its path, or as a director of ours chooses."""

from __future__ import annotations

from benchmarks.hotfiles.cluster import EVERY_S, SECRET, SERVERS, Choose, Cluster, Server
from l7lb.media.hot.chooser import Chooser
from l7lb.media.hot.holdings import Holdings
from l7lb.scheduling.rendezvous import draw
from l7lb_protocols.announce.datagram import parse

FOREVER_S = 1e9
"""Nobody is silent here: a server whose state is as it was need not say it again."""
NAMES = [f"m{number}" for number in range(SERVERS)]


def in_turn() -> Choose:
    last = -1

    def choose(_cluster: Cluster, _file: int, _now_s: float) -> int:
        nonlocal last
        last = (last + 1) % SERVERS
        return last

    return choose


def by_path() -> Choose:
    def choose(_cluster: Cluster, file: int, _now_s: float) -> int:
        key = str(file).encode()
        return min(range(SERVERS), key=lambda number: draw(key, NAMES[number], 1.0))

    return choose


def ours() -> Choose:
    """The director's code: datagrams heard, holdings kept, a server chosen."""
    clock = [0.0]
    holdings = Holdings(FOREVER_S)
    chooser = Chooser(holdings, lambda: clock[0])

    def choose(cluster: Cluster, file: int, now_s: float) -> int:
        clock[0] = now_s
        for server in cluster.servers:
            if server.is_changed and now_s - server.said_s >= EVERY_S:
                _hear(holdings, server, now_s)
        name = chooser.choose("media", str(file).encode(), NAMES)
        assert name is not None
        return NAMES.index(name)

    return choose


def _hear(holdings: Holdings, server: Server, now_s: float) -> None:
    server.said_s, server.is_changed = now_s, False
    for data in server.datagrams():
        holdings.hear(parse(data, SECRET), now_s)
    while server.name in holdings.needs_list():
        holdings.learn(server.teller.listing(), now_s)
