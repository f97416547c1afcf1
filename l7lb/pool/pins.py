"""Persistence of a pool: which server a request is pinned to.

Joins the kinds of `persistence` (which speak of names) to the live servers.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence

from l7lb.model import PersistenceKind, PersistenceSpec, PoolSpec
from l7lb.persistence.cookie import CookiePins
from l7lb.persistence.key import extractor
from l7lb.persistence.learned import LearnedPins, PinTable
from l7lb.persistence.published import PublishedPins, value_of
from l7lb.pool.environment import PoolEnvironment
from l7lb.pool.server import Server
from l7lb.scheduling.base import Inputs
from l7lb.scheduling.rendezvous import Rendezvous
from l7lb.scheduling.wlc import WeightedLeastConnections
from l7lb_protocols.facts import Facts


class Pins:
    """What the pool asks of a persistence."""

    def __init__(self, spec: PersistenceSpec) -> None:
        self.spec = spec

    def tell(self, used: Callable[[bytes, str], None]) -> None:
        """Call this now and then while a learnt value is used: others shall not forget it."""

    @abstractmethod
    def update(self, servers: Mapping[str, Server], *, is_backup: bool) -> None:
        """The servers, or which of them keep their clients, or the use of backups have changed."""

    @abstractmethod
    def find(self, facts: Facts) -> Server | None:
        """The server that the request is pinned to, whether it may have it or not."""

    @abstractmethod
    def explain(self, facts: Facts) -> tuple[Server | None, str]:
        """As `find`, with the reason in words, and without any effect."""

    def learn(self, server: str, value: bytes) -> bool:  # noqa: ARG002 - most kinds learn nothing
        """Note that the application gave `value` out on `server`; True when that is news."""
        return False

    def __len__(self) -> int:
        """Entries that are stored."""
        return 0


class PinnedByCookie(Pins):
    """Our own cookie."""

    def __init__(self, spec: PersistenceSpec, pool: str, secret: bytes) -> None:
        super().__init__(spec)
        self._cookies = CookiePins(spec, pool, secret)
        self._servers: Mapping[str, Server] = {}

    def update(self, servers: Mapping[str, Server], *, is_backup: bool) -> None:  # noqa: ARG002
        if self._servers.keys() != servers.keys():
            self._cookies.set_servers(servers)
        self._servers = servers
        for each in servers.values():
            if not each.cookie:
                each.cookie = self._cookies.set_cookie(each.name)

    def find(self, facts: Facts) -> Server | None:
        name = self._cookies.find(facts)
        return None if name is None else self._servers.get(name)

    def explain(self, facts: Facts) -> tuple[Server | None, str]:
        cookie = self._cookies.name.decode("latin-1")
        server = self.find(facts)
        if server is not None:
            return server, f"cookie {cookie} points to {server.name}"
        if facts.cookie(self._cookies.name) is None:
            return None, f"no cookie {cookie}"
        return None, f"cookie {cookie} has a value that no server of this pool has"


class PinnedByLearning(Pins):
    """The application's cookie."""

    def __init__(self, spec: PersistenceSpec, table: PinTable) -> None:
        super().__init__(spec)
        self._learned = LearnedPins(spec, table)
        self._servers: Mapping[str, Server] = {}

    def update(self, servers: Mapping[str, Server], *, is_backup: bool) -> None:  # noqa: ARG002
        self._servers = servers

    def find(self, facts: Facts) -> Server | None:
        name = self._learned.find(facts)
        return None if name is None else self._servers.get(name)

    def explain(self, facts: Facts) -> tuple[Server | None, str]:
        cookie = self._learned.name.decode("latin-1")
        name = self._learned.peek(facts)
        if name is not None and name in self._servers:
            return self._servers[name], f"cookie {cookie} was learnt from {name}"
        if facts.cookie(self._learned.name) is None:
            return None, f"no cookie {cookie}"
        return None, f"cookie {cookie} has a value that was never learnt, or is forgotten"

    def tell(self, used: Callable[[bytes, str], None]) -> None:
        self._learned.table.on_use = used

    def learn(self, server: str, value: bytes) -> bool:
        return bool(value) and self._learned.table.remember(value, server)

    def __len__(self) -> int:
        return len(self._learned.table)


class PinnedByPublisher(Pins):
    """Who has published the path."""

    def __init__(self, spec: PersistenceSpec, table: PinTable) -> None:
        super().__init__(spec)
        self._published = PublishedPins(table)
        self._servers: Mapping[str, Server] = {}

    def update(self, servers: Mapping[str, Server], *, is_backup: bool) -> None:  # noqa: ARG002
        self._servers = servers

    def find(self, facts: Facts) -> Server | None:
        name = self._published.find(facts)
        return None if name is None else self._servers.get(name)

    def explain(self, facts: Facts) -> tuple[Server | None, str]:
        name = self._published.peek(facts)
        if name is not None and name in self._servers:
            return self._servers[name], f"the path is published on {name}"
        return None, "nobody is known to publish the path"

    def tell(self, used: Callable[[bytes, str], None]) -> None:
        self._published.table.on_use = used

    def learn(self, server: str, value: bytes) -> bool:
        return bool(value) and self._published.table.remember(value_of(value), server)

    def __len__(self) -> int:
        return len(self._published.table)


class PinnedByHash(Pins):
    """A rendezvous hash over the servers that keep clients: a drained one keeps its keys."""

    def __init__(self, spec: PersistenceSpec, inputs: Inputs) -> None:
        super().__init__(spec)
        self._key = None if spec.key is None else extractor(spec.key)
        self._inputs = inputs
        self._shape: Sequence[tuple[Server, float]] = ()
        self._hash = self._build(())

    def update(self, servers: Mapping[str, Server], *, is_backup: bool) -> None:
        holders = [
            each
            for each in servers.values()
            if each.keeps and each.full_weight > 0 and (is_backup or not each.spec.backup)
        ]
        shape = [(each, each.full_weight) for each in holders]
        if shape != self._shape:
            self._shape = shape
            self._hash = self._build(holders)

    def find(self, facts: Facts) -> Server | None:
        key = self._key(facts) if self._key is not None else None
        return None if key is None else self._hash.choose(key)

    def explain(self, facts: Facts) -> tuple[Server | None, str]:
        kind = "key" if self.spec.key is None else str(self.spec.key.kind)
        server = self.find(facts)
        if server is None:
            why = "no server keeps clients" if not self._shape else f"the request has no {kind}"
            return None, f"{why}: nothing to hash"
        return server, f"hash of the {kind} points to {server.name}"

    def _build(self, servers: Sequence[Server]) -> Rendezvous[Server]:
        return Rendezvous(servers, self._inputs, WeightedLeastConnections((), self._inputs))


def make_pins(spec: PoolSpec, env: PoolEnvironment, inputs: Inputs) -> Pins | None:
    """The persistence that the pool's specification names; None: it names none."""
    persistence = spec.persistence
    if persistence is None:
        return None
    if persistence.kind is PersistenceKind.COOKIE:
        return PinnedByCookie(persistence, spec.name, env.secret)
    if persistence.kind is PersistenceKind.LEARNED:
        return PinnedByLearning(persistence, env.pin_table(persistence))
    if persistence.kind is PersistenceKind.PUBLISHED:
        return PinnedByPublisher(persistence, env.pin_table(persistence))
    return PinnedByHash(persistence, inputs)
