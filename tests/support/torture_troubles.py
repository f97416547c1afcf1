"""What is done to the cluster of the torture test, and undone again.

Two lines of troubles run beside each other: one on mail servers, one on etcd and directors. Each
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
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from support.fence_trap import fence_held, has_open, is_stopped
from support.running_director import is_alive, until
from support.torture_clients import FLAGS, ImapTalk, World
from support.torture_cluster import TRAP, MailServer
from support.torture_history import Outcome

TRAP_S = 120.0
"""For all attempts: the owner may lose its lease by itself before it is stopped."""
BEGIN_S = 10.0
"""For a change to begin; less than its own wait for the fence."""
POLL_S = 0.005
TAG = b"x1"


class NotSprung(Exception):
    """The trap did not close on an owner inside a change."""


class Troubles:
    """One line: troubles one after the other, from a table of kinds."""

    def __init__(self, world: World, seed: int, kinds: list[str]) -> None:
        self.world = world
        self.cluster = world.cluster
        self.rng = random.Random(seed)
        self.kinds = kinds
        self.done: Counter[str] = Counter()

    def begin(self, count: int | None) -> threading.Thread:
        """All kinds in turn, so many; or until the world stops, in any order."""
        thread = threading.Thread(target=self._run, args=(count,), daemon=True)
        thread.start()
        return thread

    def _run(self, count: int | None) -> None:
        number = 0
        try:
            while not self.world.stop.is_set() and (count is None or number < count):
                in_turn = self.kinds[number % len(self.kinds)]
                kind = in_turn if number < len(self.kinds) else self.rng.choice(self.kinds)
                KINDS[kind](self)
                self.done[kind] += 1
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

    # ------------------------------------------------------------- mail servers

    def stop_server(self) -> None:
        server = self.rng.choice(self.cluster.servers)
        server.child.send_signal(signal.SIGSTOP)
        try:
            self._rest(self._beyond_s)
        finally:
            server.child.send_signal(signal.SIGCONT)

    def kill_server(self) -> None:
        server = self.rng.choice(self.cluster.servers)
        server.child.end(signal.SIGKILL)
        self._rest(2.0 * self.rng.random())
        server.start()

    def cut_off(self) -> None:
        server = self.rng.choice(self.cluster.servers)
        server.cut()
        try:
            self._rest(self._beyond_s)
        finally:
            server.mend()

    def stop_inside_a_change(self) -> None:
        """Until the fence has refused a stale owner."""
        end_s = time.monotonic() + TRAP_S
        while time.monotonic() < end_s:
            if self.world.stop.is_set():
                return
            with suppress(NotSprung, imaplib.IMAP4.error, OSError):
                self._trap()
                return
        self.world.history.complain("no owner could be stopped inside a change")

    def _trap(self) -> None:
        victim, other = self.rng.sample(self.cluster.servers, 2)
        for _ in range(2):  # the new owner changes the same message or another
            self.world.send(self.rng, [TRAP])
        stale = self._entered(victim)
        try:
            uids = stale.uids()
            if not uids:
                raise NotSprung
            uid = uids[-1]
            stale.look([uid])
            started_s = time.monotonic()
            flag, outcome = self.rng.choice(FLAGS), Outcome.UNKNOWN
            try:
                self._stopped_inside(victim, stale, uid, flag)
                self._take_over(other, self.rng.choice(uids))
                victim.child.send_signal(signal.SIGCONT)
                outcome = late_outcome(stale.client)
            finally:
                victim.child.send_signal(signal.SIGCONT)
                stale.changed(uid, flag, True, started_s, outcome)
        finally:
            stale.close()
        if outcome is Outcome.DONE:
            self.world.history.complain("a stale owner's change was acknowledged")

    def _entered(self, server: MailServer) -> ImapTalk:
        return ImapTalk(self.world, server.endpoint, TRAP)

    def _stopped_inside(self, victim: MailServer, stale: ImapTalk, uid: int, flag: str) -> None:
        """The fence is held by us until the owner wants it and is stopped."""
        fence = self.cluster.plan.folder / "mail" / TRAP / ".fence"
        with fence_held(fence):
            stale.client.send(TAG + b" UID STORE %d +FLAGS (%s)\r\n" % (uid, flag.encode()))
            end_s = time.monotonic() + BEGIN_S
            while not has_open(victim.child, fence):
                if time.monotonic() > end_s:
                    raise NotSprung
                time.sleep(POLL_S)
            victim.child.send_signal(signal.SIGSTOP)
            while not is_stopped(victim.child):  # else it may still get the fence
                if time.monotonic() > end_s:
                    raise NotSprung
                time.sleep(POLL_S)

    def _take_over(self, other: MailServer, uid: int) -> None:
        """As soon as the lease of the one that is stopped is over."""
        new = self._entered(other)
        try:
            new.set_flag(uid, self.rng.choice(FLAGS), value=True)
        finally:
            new.close()

    # ------------------------------------------------------------- etcd and directors

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

    def kill_worker(self) -> None:
        director = self.rng.choice(self.cluster.directors)
        workers = until(director.workers, "workers")
        pid = self.rng.choice(workers)
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_alive(pid), "the worker's end")
        until(lambda: len(director.workers()) == len(workers), "a new worker")


KINDS: dict[str, Callable[[Troubles], None]] = {
    "owner stopped inside a change": Troubles.stop_inside_a_change,
    "server killed": Troubles.kill_server,
    "server cut off from the store": Troubles.cut_off,
    "server stopped": Troubles.stop_server,
    "etcd member stopped": Troubles.stop_member,
    "worker killed": Troubles.kill_worker,
    "etcd member killed": Troubles.kill_member,
}
ON_SERVERS = [kind for kind in KINDS if kind.startswith(("owner", "server"))]
ON_OTHERS = [kind for kind in KINDS if kind not in ON_SERVERS]


def late_outcome(client: imaplib.IMAP4) -> Outcome:
    """The answer to the command with TAG, if one still comes."""
    try:
        while line := client.file.readline():
            if line.startswith(TAG + b" "):
                return Outcome.DONE if line.startswith(TAG + b" OK") else Outcome.REFUSED
    except OSError:
        pass
    return Outcome.UNKNOWN
