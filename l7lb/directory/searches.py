"""Searches over the replicas: least outstanding first, another server when one fails.

Owns: the choice, the line of those who wait for room, retries. Must not know: what is searched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from l7lb.directory.connection import Connection, ConnectionLost
from l7lb.directory.libldap import TEMPORARY, Answer, Search, reason_of
from l7lb.directory.replica import Replica
from l7lb.directory.turns import Turns
from l7lb.errors import DirectoryAway
from l7lb.model_directory import LdapSpec

ATTEMPTS = 3


class Searches:
    """`search` from any number of tasks."""

    def __init__(self, replicas: Sequence[Replica], spec: LdapSpec) -> None:
        self._replicas = replicas
        self._spec = spec
        self._waiting = Turns()
        self.retried = 0
        for replica in replicas:
            replica.on_change = self._wake_all

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def search(self, search: Search) -> Answer:
        """Raises DirectoryAway within `timeouts.search_s`, and LDAPError for a refusal."""
        limit_s = self._spec.timeouts.search_s
        try:
            async with asyncio.timeout(limit_s):
                return await self._tried(search)
        except TimeoutError:
            raise DirectoryAway(f"no answer within {limit_s:g} s") from None

    async def _tried(self, search: Search) -> Answer:
        failure: DirectoryAway | None = None
        for attempt in range(ATTEMPTS):
            replica, connection = await self._room()
            self.retried += attempt > 0
            try:
                return await self._asked(replica, connection, search)
            except ConnectionLost as error:
                failure = DirectoryAway(f"{replica.spec.url}: {error}")
            except TEMPORARY as error:
                failure = DirectoryAway(f"{replica.spec.url}: {reason_of(error)}")
            except DirectoryAway as error:
                failure = DirectoryAway(f"{replica.spec.url}: {error}")
        assert failure is not None
        raise failure

    async def _asked(self, replica: Replica, connection: Connection, search: Search) -> Answer:
        """With time left for another server, when there is one."""
        alone = sum(each.is_up for each in self._replicas) == 1
        limit_s = self._spec.timeouts.search_s * (1.0 if alone else 0.5)
        try:
            answer = await connection.request(lambda handle: handle.search(search), limit_s)
        finally:
            self._waiting.give()
        replica.served += 1
        return answer

    # ----------------------------------------------------------------- room

    async def _room(self) -> tuple[Replica, Connection]:
        """A connection that takes one more request; nothing may be awaited before it is sent."""
        while True:
            best = self._best()
            if best is not None:
                return best
            if not any(replica.is_hopeful for replica in self._replicas):
                reasons = "; ".join(each.reason for each in self._replicas if each.reason)
                raise DirectoryAway(f"no directory server answers: {reasons}")
            if len(self._waiting) >= self._spec.queue:
                raise DirectoryAway(f"more than {self._spec.queue} look-ups wait")
            await self._waiting.wait(self._waiting.give)

    def _best(self) -> tuple[Replica, Connection] | None:
        found = [
            (connection.outstanding, replica.served, replica, connection)
            for replica in self._replicas
            for connection in replica.connections
            if connection.is_open and connection.outstanding < self._spec.outstanding
        ]
        if not found:
            return None
        _, _, replica, connection = min(found, key=lambda each: each[:2])
        return replica, connection

    def _wake_all(self) -> None:
        for _ in range(len(self._waiting)):
            self._waiting.give()
