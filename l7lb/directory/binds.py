"""Passwords checked by bind, on connections of their own: a bind changes who a connection is
(RFC 4511 §4.2.1), so each carries one at a time and never a search.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from l7lb.directory.connection import Connection, ConnectionLost
from l7lb.directory.libldap import BIND_REFUSED, LDAPError, reason_of
from l7lb.directory.replica import Opener, Replica
from l7lb.errors import DirectoryAway
from l7lb.model_directory import LdapSpec, Role


class Binds:
    """At most `bind_connections` at once, and `queue` that wait."""

    def __init__(self, replicas: Sequence[Replica], opener: Opener, spec: LdapSpec) -> None:
        self._replicas = [each for each in replicas if each.spec.role is not Role.WRITE]
        self._opener = opener
        self._spec = spec
        self._places = asyncio.Semaphore(spec.bind_connections)
        self._idle: list[tuple[Replica, Connection]] = []
        self._waiting = 0
        self._busy: dict[str, int] = {}
        self._is_closed = False
        self.done = 0

    @property
    def waiting(self) -> int:
        return self._waiting

    async def is_password(self, dn: str, password: bytes) -> bool:
        """Whether the server lets this entry in. Raises DirectoryAway within the deadline."""
        if not dn or not password:
            return False  # would be an anonymous bind, which succeeds
        if self._waiting >= self._spec.queue:
            raise DirectoryAway(f"more than {self._spec.queue} password checks wait")
        limits = self._spec.timeouts
        limit_s = limits.connect_s + limits.bind_s
        self._waiting += 1
        counted = True
        try:
            async with asyncio.timeout(limit_s), self._places:
                self._waiting -= 1
                counted = False
                return await self._bound(dn, password)
        except TimeoutError:
            raise DirectoryAway(f"no answer to a bind within {limit_s:g} s") from None
        finally:
            self._waiting -= counted

    async def _bound(self, dn: str, password: bytes) -> bool:
        failure: DirectoryAway | None = None
        hanging: Replica | None = None
        while self._idle:
            replica, connection = self._idle.pop()
            try:
                with self._counted(replica):
                    return await self._asked(replica, connection, dn, password)
            except ConnectionLost:
                continue  # it was closed while it lay idle
            except DirectoryAway as error:
                failure, hanging = error, replica
                self._forget(replica)
        for replica in self._candidates():
            if replica is hanging:
                continue
            try:
                with self._counted(replica):
                    connection = await self._opener.bare(replica.spec)
                    return await self._asked(replica, connection, dn, password)
            except DirectoryAway as error:
                failure = error
        raise failure or DirectoryAway("no directory server answers")

    @contextmanager
    def _counted(self, replica: Replica) -> Iterator[None]:
        """From the dial on, so that those who come together go to different servers."""
        url = str(replica.spec.url)
        self._busy[url] = self._busy.get(url, 0) + 1
        try:
            yield
        finally:
            self._busy[url] -= 1

    def _forget(self, replica: Replica) -> None:
        """Its other idle connections would hang as well."""
        for each, connection in [*self._idle]:
            if each is replica:
                self._idle.remove((each, connection))
                connection.close()

    async def _asked(
        self, replica: Replica, connection: Connection, dn: str, password: bytes
    ) -> bool:
        keep = False
        try:
            await connection.request(
                lambda handle: handle.bind(dn, password), self._spec.timeouts.bind_s
            )
            keep = True
        except BIND_REFUSED:
            keep = True
            return False
        except LDAPError as error:
            raise DirectoryAway(f"{replica.spec.url}: bind: {reason_of(error)}") from None
        finally:
            self.done += 1
            if keep and connection.is_open and not self._is_closed:
                self._idle.append((replica, connection))
            else:
                connection.close()
        return True

    def _candidates(self) -> list[Replica]:
        """Those that are well first, the least busy of them first."""
        hopeful = [each for each in self._replicas if each.is_hopeful]
        return sorted(
            hopeful, key=lambda each: (not each.is_up, self._busy.get(str(each.spec.url), 0))
        )

    def close(self) -> None:
        self._is_closed = True
        for _, connection in self._idle:
            connection.close()
        self._idle.clear()
