"""One directory server as we see it: its search connections, kept open, and whether it is well.

Owns: opening (with bind and proof of life), probing, waiting longer after each failure. A server
that comes back is used again by itself. Must not know: the other servers, and what is searched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from l7lb.directory.connection import Connection
from l7lb.directory.dial import Dialer
from l7lb.directory.libldap import LDAPError, reason_of
from l7lb.errors import DirectoryAway
from l7lb.model_directory import BindSpec, LdapTimeouts, ReplicaSpec, Role

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Opener:
    """Opens connections to any server."""

    dialer: Dialer
    timeouts: LdapTimeouts

    async def open(self, replica: ReplicaSpec, bind: BindSpec | None) -> Connection:
        """Bound, or proved to be alive. Raises DirectoryAway, which says what failed."""
        connection = await self.bare(replica)
        try:
            if bind is None:
                await connection.probe(self.timeouts.bind_s)
            else:
                dn, password = bind.dn, bind.password.value
                await connection.request(lambda h: h.bind(dn, password), self.timeouts.bind_s)
        except LDAPError as error:
            connection.close()
            raise DirectoryAway(f"{replica.url}: bind: {reason_of(error)}") from None
        except DirectoryAway as error:
            connection.close()
            raise DirectoryAway(f"{replica.url}: {error}") from None
        except BaseException:
            connection.close()
            raise
        return connection

    async def bare(self, replica: ReplicaSpec) -> Connection:
        """Connected, not bound. Raises DirectoryAway."""
        try:
            wire = await self.dialer.dial(replica.url)
        except TimeoutError:
            limit = f"within {self.timeouts.connect_s:g} s"
            raise DirectoryAway(f"{replica.url}: no connection {limit}") from None
        except OSError as error:
            raise DirectoryAway(f"{replica.url}: {error}") from None
        try:
            return Connection(wire)
        except LDAPError as error:
            wire.close()
            raise DirectoryAway(f"{replica.url}: {reason_of(error)}") from None


class Replica:
    """Keeps `size` search connections open from `start` to `close`."""

    def __init__(self, spec: ReplicaSpec, opener: Opener, bind: BindSpec | None, size: int) -> None:
        self.spec = spec
        self._opener = opener
        self._bind = bind
        self._size = size if spec.role is not Role.WRITE else 0
        self._keepers: list[asyncio.Task[None]] = []
        self.connections: list[Connection] = []
        self.reason = ""
        """Why the newest attempt failed; empty: it did not, or there was none."""
        self.changed_s = 0.0
        """When it last went up or down, on the loop's clock."""
        self.served = 0
        self.on_change: Callable[[], None] = lambda: None

    def start(self) -> None:
        self.changed_s = asyncio.get_running_loop().time()
        self._keepers = [asyncio.create_task(self._keep()) for _ in range(self._size)]

    @property
    def is_up(self) -> bool:
        return bool(self.connections)

    @property
    def is_hopeful(self) -> bool:
        """Up, or not yet known to be down."""
        return self._size > 0 and (self.is_up or not self.reason)

    @property
    def outstanding(self) -> int:
        return sum(each.outstanding for each in self.connections)

    async def _keep(self) -> None:
        """One connection, for ever."""
        timeouts = self._opener.timeouts
        wait_s = timeouts.retry_s
        while True:
            try:
                connection = await self._opener.open(self.spec, self._bind)
            except DirectoryAway as error:
                self._went_wrong(str(error))
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, timeouts.retry_max_s)
                continue
            wait_s = timeouts.retry_s
            self._opened(connection)
            try:
                await self._watch(connection)
            finally:
                connection.close()
                self.connections.remove(connection)
                self._note()

    async def _watch(self, connection: Connection) -> None:
        """Until it is lost; asks it whether it is alive when it says nothing by itself."""
        timeouts = self._opener.timeouts
        while connection.is_open:
            wait_s = max(timeouts.check_s - connection.silent_s, 0.0)
            try:
                async with asyncio.timeout(max(wait_s, 0.001)):
                    await connection.closed.wait()
            except TimeoutError:
                if connection.silent_s >= timeouts.check_s:
                    await self._probe(connection)

    async def _probe(self, connection: Connection) -> None:
        try:
            await connection.probe(self._opener.timeouts.search_s)
        except DirectoryAway as error:
            connection.close(str(error))

    def _opened(self, connection: Connection) -> None:
        if self.reason:
            log.warning("directory server %s is back", self.spec.url)
        self.connections.append(connection)
        self.reason = ""
        self._note()

    def _went_wrong(self, reason: str) -> None:
        if not self.reason:
            log.warning("directory server is away: %s", reason)
        self.reason = reason
        self._note()

    def _note(self) -> None:
        self.changed_s = asyncio.get_running_loop().time()
        self.on_change()

    async def close(self) -> None:
        self.reason = "closed"
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []

    def state(self) -> dict[str, object]:
        """For status: JSON values."""
        age_s = asyncio.get_running_loop().time() - self.changed_s
        return {
            "url": str(self.spec.url),
            "role": self.spec.role.value,
            "up": self.is_up,
            "connections": len(self.connections),
            "outstanding": self.outstanding,
            "served": self.served,
            "since_s": round(age_s, 1),
            "reason": self.reason,
        }
