"""What is done to the cluster of the torture test, and undone again.

Three lines of troubles run beside each other: on mail servers, on etcd, and on directors. Each
trouble heals what it did, also when the run ends meanwhile.
"""

from __future__ import annotations

import imaplib
import os
import random
import signal
import threading
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress

from support.running_director import is_alive
from support.torture_traps import NotSprung, kill_with_a_full_spool, stop_inside_a_change
from support.torture_world import World

TRAP_S = 240.0
"""For all attempts: the owner may lose its lease by itself before it is stopped."""


class Troubles:
    """One line: troubles one after the other, from a table of kinds."""

    def __init__(self, world: World, seed: int, kinds: list[str]) -> None:
        self.world = world
        self.cluster = world.cluster
        self.rng = random.Random(seed)
        self.kinds = kinds
        self.done: Counter[str] = Counter()
        self.took_s: dict[str, float] = defaultdict(float)

    def begin(self, *, each_once: bool) -> threading.Thread:
        """All kinds in turn, once; or in any order until the world stops."""
        count = len(self.kinds) if each_once else None
        thread = threading.Thread(target=self._run, args=(count,), daemon=True)
        thread.start()
        return thread

    def _run(self, count: int | None) -> None:
        number = 0
        try:
            while not self.world.stop.is_set() and (count is None or number < count):
                in_turn = self.kinds[number % len(self.kinds)]
                kind = in_turn if number < len(self.kinds) else self.rng.choice(self.kinds)
                started_s = time.monotonic()
                KINDS[kind](self)
                self.done[kind] += 1
                self.took_s[kind] += time.monotonic() - started_s
                number += 1
                self._rest(self.cluster.plan.ttl_s * (0.1 + 0.3 * self.rng.random()))
        except Exception:  # noqa: BLE001 - whatever it is, the verdict is bad
            self.world.history.complain(traceback.format_exc())

    def _rest(self, wait_s: float) -> None:
        self.world.stop.wait(wait_s)

    @property
    def _beyond_s(self) -> float:
        """Longer than a lease lasts."""
        return self.cluster.plan.ttl_s * (1.2 + self.rng.random())

    @property
    def _directors_s(self) -> float:
        return self.cluster.plan.director_s * (0.2 + self.rng.random())

    def _sprung(self, trap: Callable[[World, random.Random], None]) -> None:
        """Tried until it closes."""
        end_s = time.monotonic() + TRAP_S
        while time.monotonic() < end_s:
            if self.world.stop.is_set():
                return
            with suppress(NotSprung, imaplib.IMAP4.error, OSError):
                trap(self.world, self.rng)
                return
        self.world.history.complain(f"in vain: {trap.__name__}")

    # ------------------------------------------------------------- mail servers

    def stop_inside_a_change(self) -> None:
        self._sprung(stop_inside_a_change)

    def kill_with_a_full_spool(self) -> None:
        self._sprung(kill_with_a_full_spool)

    def stop_server(self) -> None:
        server = self.rng.choice(self.cluster.servers)
        server.child.send_signal(signal.SIGSTOP)
        try:
            self._rest(self._beyond_s)
        finally:
            server.child.send_signal(signal.SIGCONT)

    def kill_server(self) -> None:
        server = self.rng.choice(self.cluster.servers)
        server.kill()
        self._rest(2.0 * self.rng.random())
        server.revive()

    def cut_off_server(self) -> None:
        server = self.rng.choice(self.cluster.servers)
        server.cut()
        try:
            self._rest(self._beyond_s)
        finally:
            server.mend()

    # ------------------------------------------------------------- etcd

    def stop_member(self) -> None:
        member = self.rng.choice(self.cluster.members)
        member.stop()
        try:
            self._rest(2.0 + 4.0 * self.rng.random())
        finally:
            member.go_on()

    def kill_member(self) -> None:
        member = self.rng.choice(self.cluster.members)
        member.kill()
        self._rest(2.0 * self.rng.random())
        member.start()

    # ------------------------------------------------------------- directors

    def kill_worker(self) -> None:
        director = self.rng.choice(self.cluster.directors)
        with director.alone:
            workers = director.until(director.workers, "workers")
            pid = self.rng.choice(workers)
            os.kill(pid, signal.SIGKILL)
            director.until(lambda: not is_alive(pid), "the worker's end")
            director.until(lambda: len(director.workers()) == len(workers), "a new worker")

    def kill_director(self) -> None:
        director = self.rng.choice(self.cluster.directors)
        with director.alone:
            director.kill()
            self._rest(2.0 * self.rng.random())
            director.revive()

    def orphan_workers(self) -> None:
        director = self.rng.choice(self.cluster.directors)
        with director.alone:
            director.revive(director.orphan())

    def stop_director(self) -> None:
        director = self.rng.choice(self.cluster.directors)
        with director.alone:
            director.stop()
            try:
                self._rest(self._directors_s)
            finally:
                director.go_on()

    def cut_off_director(self) -> None:
        director = self.rng.choice(self.cluster.directors)
        with director.alone:
            director.cut()
            try:
                self._rest(self._directors_s)
            finally:
                director.mend()


KINDS: dict[str, Callable[[Troubles], None]] = {
    "owner stopped inside a change": Troubles.stop_inside_a_change,
    "server killed": Troubles.kill_server,
    "server cut off from the store": Troubles.cut_off_server,
    "server stopped": Troubles.stop_server,
    "server and director killed, the spool full": Troubles.kill_with_a_full_spool,
    "etcd member stopped": Troubles.stop_member,
    "etcd member killed": Troubles.kill_member,
    "director killed": Troubles.kill_director,
    "director stopped": Troubles.stop_director,
    "director cut off from the store": Troubles.cut_off_director,
    "director's supervisor killed": Troubles.orphan_workers,
    "director's worker killed": Troubles.kill_worker,
}
ON_SERVERS = [kind for kind in KINDS if kind.startswith(("owner", "server"))]
ON_ETCD = [kind for kind in KINDS if kind.startswith("etcd")]
ON_DIRECTORS = [kind for kind in KINDS if kind.startswith("director")]
LINES = (ON_SERVERS, ON_ETCD, ON_DIRECTORS)
