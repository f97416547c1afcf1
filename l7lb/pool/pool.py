"""A pool: its servers, and every decision about which of them a request gets.

Owns live state and selection; decides at once, without I/O. Must not know protocols, connections
or where updates come from: they are applied from outside, and what traffic shows is called out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from l7lb.errors import NoServer
from l7lb.model import PersistenceKind, PoolSpec
from l7lb.model_failures import RetrySpec
from l7lb.persistence.key import extractor
from l7lb.persistence.learned import short
from l7lb.pool import outlier, report
from l7lb.pool.budget import RetryBudget
from l7lb.pool.environment import PoolEnvironment
from l7lb.pool.membership import Selection, keeps_clients, select
from l7lb.pool.pins import Pins, make_pins
from l7lb.pool.queue import Ticket, WaitingLine
from l7lb.pool.server import Admin, Server, ServerUpdate
from l7lb.pool.slot import Home, Outcome, Slot
from l7lb.scheduling.base import Inputs, Scheduler
from l7lb.scheduling.registry import build, key_of
from l7lb.scheduling.rendezvous import Rendezvous
from l7lb.scheduling.wlc import WeightedLeastConnections
from l7lb_protocols.facts import Facts

__all__ = ["Pool", "PoolEnvironment"]

OK = Outcome.OK
CANCELLED = Outcome.CANCELLED


class Pool(Home):
    """One pool in one worker. Call `tick` about ten times a second.

    Limits are checked against the sum of all workers before a slot is counted, so that workers
    that decide in the same instant may pass `max_connections` by one each.
    """

    def __init__(self, spec: PoolSpec, indices: Mapping[str, int], env: PoolEnvironment) -> None:
        super().__init__()
        self.spec = spec
        self.name = spec.name
        self.env = env
        self.servers: list[Server] = []
        """In the order of the file; servers that were removed are not here."""
        self.on_outlier: Callable[[Server, float], None] | None = None
        """Told that a server was ejected here, and until when."""
        self.on_learn: Callable[[bytes, str], None] | None = None
        """Told that a value was learnt, and from which server: `remember` is for the others."""
        self.pins: Pins | None = None
        self.learns = b""
        """Name of the application's cookie when persistence learns it, else empty."""
        self.selection = Selection()
        self.line = WaitingLine()
        self.budget = RetryBudget(spec.retry, env.workers, env.clock.now())
        self._now = env.clock.now
        self._counters = env.counters
        self._stale = True
        self._next_change_s = 0.0
        self._round_since_s = env.clock.now()
        self._scheduler: Scheduler[Server] | None = None
        self._proposer: Rendezvous[Server] | None = None
        self._weights: tuple[tuple[int, float, float], ...] = ()
        self.reconfigure(spec, indices)

    # ---------------------------------------------------------------- slots, hot

    def take(self, facts: Facts, exclude: Collection[Server] = ()) -> Slot | None:
        """A slot on the server that persistence or else the scheduler names.

        None: every usable server (or the one that the request is pinned to) is at
        `max_connections`; the caller may `wait`. Raises NoServer when none is usable.
        `exclude` are servers that have failed this request: they are never chosen.
        """
        if self._stale:
            self._settle()
        if self.line.length:
            self._serve()
        return self._try(facts, exclude)

    def _try(self, facts: Facts, exclude: Collection[Server]) -> Slot | None:
        pins = self.pins
        server: Server | None
        if facts.server:
            return self._given(facts.server, exclude)
        if pins is not None:
            server = pins.find(facts)
            if server is not None and server.keeps and server not in exclude:
                is_full = server.max_connections and self.is_full(server)
                return None if is_full else self._open(server, b"")
        key = self._key
        server = self._choose(None if key is None else key(facts), exclude)
        if server is None or (server.max_connections and self.is_full(server)):
            server = self._choose_other(None if key is None else key(facts), exclude)
            if server is None:
                return None
        return self._open(server, server.cookie)

    def _given(self, name: bytes, exclude: Collection[Server]) -> Slot | None:
        """The server that this account has been given, and no other."""
        server = self._by_name.get(name.decode("utf-8", "replace"))
        if server is None or not server.keeps or server in exclude:
            raise NoServer(f"pool {self.spec.name}: the account's server is not usable")
        return None if self.is_full(server) else self._open(server, b"")

    def _open(self, server: Server, cookie: bytes) -> Slot:
        server.sessions += 1
        server.taken += 1
        self._counters.add(server.index, 1)
        return Slot(self, server, cookie, self._now() if self._is_timed else 0.0)

    def give_back(self, server: Server, outcome: Outcome) -> None:
        """Called by the slot, once."""
        server.sessions -= 1
        self._counters.add(server.index, -1)
        if outcome is OK:
            record = server.outlier
            if record.errors:
                record.succeeded()
        elif outcome is not CANCELLED:
            self._note_failure(server, outcome)
        if self.line.length:
            self._serve()

    def measured(self, server: Server, taken_s: float) -> None:
        """Called by the slot: its response has begun."""
        now_s = self._now()
        server.latency.observe(now_s - taken_s, now_s)
        server.outlier.measured(now_s - taken_s)

    def is_full(self, server: Server) -> bool:
        """Is the server at `max_connections`, over all workers?"""
        limit = server.max_connections
        return limit > 0 and self._counters.active(server.index) >= limit

    def _choose_other(self, key: bytes | None, exclude: Collection[Server]) -> Server | None:
        """The first choice is full or excluded: the next that is not; healthy backups last."""
        tried = set(exclude)
        while (server := self._choose(key, tried)) is not None:
            if not self.is_full(server):
                return server
            tried.add(server)
        if len(tried) > len(set(exclude)):
            return None
        spares = [each for each in self.selection.spares if each not in tried]
        if spares:
            return next((each for each in spares if not self.is_full(each)), None)
        if self.selection.candidates:
            raise NoServer(f"pool {self.spec.name}: every usable server has failed this request")
        raise NoServer(f"pool {self.spec.name}: no server is usable")

    # ---------------------------------------------------------------- accounts

    def keeps(self, name: str) -> bool:
        """May accounts that have this server stay there?"""
        if self._stale:
            self._settle()
        server = self._by_name.get(name)
        return server is not None and server.keeps

    def propose(self, account: bytes) -> str | None:
        """The server for an account that has none: weighted rendezvous over those that take new
        sessions, so that all directors that see the same servers say the same. None: none does."""
        if self._stale:
            self._settle()
        if self._proposer is None:
            inputs = self._inputs(self.spec)
            candidates = self.selection.candidates
            self._proposer = Rendezvous(
                candidates, inputs, WeightedLeastConnections(candidates, inputs)
            )
        server = self._proposer.choose(account)
        return None if server is None else server.name

    # ---------------------------------------------------------------- waiting and retries

    def wait(
        self, facts: Facts, granted: Callable[[Slot], None], exclude: Collection[Server] = ()
    ) -> Ticket:
        """Stand in line for a slot; the deadline is the caller's, who cancels the ticket then.

        `granted` is called once, never from inside `wait`, by whatever call frees a place; what it
        raises comes out of that call. `facts` must stay valid until then.
        Raises NoServer when the line is full (this worker's part of `max_queue`).
        """
        if self._stale:
            self._settle()
        if self.line.length >= -(-self.spec.max_queue // self.env.workers):
            raise NoServer(f"pool {self.spec.name}: {self.line.length} requests wait already")
        pinned = self.pins.find(facts) if self.pins is not None else None
        if pinned is not None and (not pinned.keeps or pinned in exclude):
            pinned = None
        ticket = Ticket(facts, tuple(exclude), granted, pinned)
        self.line.add(ticket)
        return ticket

    def _serve(self) -> None:
        """Give free places to those who wait, the longest wait first."""
        while True:
            if self._stale:
                self._settle()
            for ticket in self.line.heads():
                if ticket.pinned is not None and self.is_full(ticket.pinned):
                    continue
                slot = self._try_waiting(ticket)
                if slot is not None:
                    self.line.remove(ticket)
                    ticket.granted(slot)
                    break
            else:
                return

    def _try_waiting(self, ticket: Ticket) -> Slot | None:
        try:
            return self._try(ticket.facts, ticket.exclude)
        except NoServer:
            return None  # a server may come back before the ticket's deadline

    def count_request(self) -> None:
        """One request came for this pool: it earns its share of a retry."""
        self.budget.count_request()

    def retry_allowed(self, spec: RetrySpec | None = None) -> bool:
        """May a retry go out now? Counts it if so. `spec`: the route's own, if it has one."""
        return self.budget.allow_retry(spec)

    # ---------------------------------------------------------------- persistence that learns

    def learn(self, server: Server, value: bytes) -> None:
        """Called by the slot: the application gave `value` out."""
        if self.pins is not None and self.pins.learn(server.name, value) and self.on_learn:
            self.on_learn(short(value), server.name)

    def _pin_used(self, value: bytes, server: str) -> None:
        if self.on_learn:
            self.on_learn(value, server)

    def remember(self, value: bytes, server: str) -> None:
        """Another worker learnt that `value` belongs to `server`."""
        if self.pins is not None:
            self.pins.learn(server, value)

    # ---------------------------------------------------------------- failures

    def _note_failure(self, server: Server, outcome: Outcome) -> None:
        if server.ejected_until > self._now():
            return
        server.outlier.failed(connected=outcome is not Outcome.CONNECT_FAILED)
        if outlier.has_failed(server.outlier, self.spec.outlier):
            self._eject(server)

    def _eject(self, server: Server) -> None:
        until_s = outlier.ejection_end(server, self.servers, self.spec.outlier, self._now())
        if until_s is None:
            return
        self.apply(ServerUpdate(server.name, ejected_until=until_s))
        if self.on_outlier is not None:
            self.on_outlier(server, until_s)

    def _compare_latencies(self, now_s: float) -> None:
        if now_s - self._round_since_s < outlier.ROUND_S:
            return
        self._round_since_s = now_s
        for server in outlier.slow_ones(self.servers, self.spec.outlier.latency_factor, now_s):
            self._eject(server)
        for server in self.servers:
            server.outlier.begin_round()

    # ---------------------------------------------------------------- state

    def apply(self, update: ServerUpdate) -> None:
        """Change what the update names. Raises KeyError for a server that is not here."""
        server = self._by_name[update.name]
        server.update(update, self._now(), self.spec.drain_deadline_s)
        self._stale = True

    def tick(self) -> None:
        """Time passes: slow start, ends of ejections and drains, latencies, budget, the line."""
        now_s = self._now()
        self.budget.tick(now_s)
        self._compare_latencies(now_s)
        if self._stale or now_s >= self._next_change_s:
            self._settle()
        if self.line.length:
            self._serve()

    def reconfigure(self, spec: PoolSpec, indices: Mapping[str, int]) -> list[Server]:
        """Take a new specification; returns the servers that left.

        Servers with the same name and address stay what they are, with health, drain, weight
        override, ejection and open slots. One that left takes nothing new, not even from
        persistent clients; its open slots are released as ever.
        """
        now_s = self._now()
        joined_running = bool(self.servers)
        old = {(each.name, each.spec.address): each for each in self.servers}
        self.servers = []
        for server_spec in spec.servers:
            server = old.pop((server_spec.name, server_spec.address), None)
            index = indices[server_spec.name]
            if server is None:
                server = Server(server_spec, index, now_s)
                server.ramp_since = now_s if joined_running else None
            else:
                server.respecify(server_spec)
                self._renumber(server, index)
            self.servers.append(server)
        self._by_name = {each.name: each for each in self.servers}
        for server in old.values():
            server.removed = True
            server.keeps = False
        self._respecify(spec)
        return list(old.values())

    def _renumber(self, server: Server, index: int) -> None:
        if index != server.index:
            self._counters.add(server.index, -server.sessions)
            self._counters.add(index, server.sessions)
            server.index = index

    def _respecify(self, spec: PoolSpec) -> None:
        if self.pins is None or self.pins.spec != spec.persistence:
            self.pins = make_pins(spec, self.env, self._inputs(spec))
            if self.pins is not None:
                self.pins.tell(self._pin_used)
            for server in self.servers:
                server.cookie = b""
        persistence = spec.persistence
        is_learned = persistence is not None and persistence.kind is PersistenceKind.LEARNED
        self.learns = persistence.name if persistence is not None and is_learned else b""
        if self._scheduler is not None and spec.scheduler != self.spec.scheduler:
            self._scheduler = None
        self.spec = spec
        self.budget.spec = spec.retry
        key = key_of(spec.scheduler)
        self._key = None if key is None else extractor(key)
        self._settle()

    def _inputs(self, spec: PoolSpec) -> Inputs:
        return Inputs(self._counters, self.env.random, self._now, len(spec.servers))

    def _settle(self) -> None:
        """Work out anew what follows from the states: weights, candidates, scheduler, pins."""
        self._stale = False
        now_s = self._now()
        for server in self.servers:
            server.weigh(self.spec.slow_start_s, now_s)
        self.selection = select(self.servers, self.spec.panic_threshold, now_s)
        for server in self.servers:
            server.keeps = keeps_clients(server, is_panic=self.selection.is_panic, now_s=now_s)
        self._settle_scheduler()
        if self.pins is not None:
            self.pins.update(self._by_name, is_backup=self.selection.is_backup)
        if self.line.length:
            self.line.unpin(lambda server: not server.keeps)
        self._next_change_s = self._next_change(now_s)

    def _settle_scheduler(self) -> None:
        candidates = self.selection.candidates
        scheduler = self._scheduler
        weights = tuple((each.index, each.weight, each.full_weight) for each in candidates)
        if scheduler is None or scheduler.candidates != candidates:
            scheduler = build(self.spec.scheduler, candidates, self._inputs(self.spec))
        elif weights != self._weights:
            scheduler.reweigh()
        if weights != self._weights:
            self._proposer = None
        self._scheduler = scheduler
        self._weights = weights
        self._choose = scheduler.choose
        wants_latency = self.spec.outlier.latency_factor > 0
        self._is_timed = wants_latency or scheduler.reads_latency

    def _next_change(self, now_s: float) -> float:
        """When time alone will change something."""
        times = [each.ejected_until for each in self.servers]
        times += [each.drain_until for each in self.servers if each.admin is Admin.DRAIN]
        if any(each.ramp_since is not None for each in self.servers):
            return now_s
        return min((each for each in times if each > now_s), default=float("inf"))

    # ---------------------------------------------------------------- looking in

    def view(self) -> dict[str, object]:
        """Everything that is known, ready for JSON; ages in seconds."""
        if self._stale:
            self._settle()
        return report.view(self, self._now())

    @property
    def takes_key(self) -> bool:
        """Does the scheduler hang on a key?"""
        return self._key is not None

    def peek(self, key: bytes | None) -> Server | None:
        """The scheduler's choice, where it hangs on the key and asking changes nothing."""
        if key is None or self._scheduler is None or not self._scheduler.by_key:
            return None
        full = [each for each in self.selection.candidates if self.is_full(each)]
        return self._scheduler.choose(key, full)

    def explain(self, facts: Facts) -> report.Explanation:
        """Which server this request would get, and why; nothing changes."""
        if self._stale:
            self._settle()
        key = None if self._key is None else self._key(facts)
        return report.explain(self, facts, key, self._now())
