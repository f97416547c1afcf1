"""DNS names of servers: looked up again and again, the last good answer kept.

Knows nothing of probes. Look-ups block, so they run in a few threads of their own, under a
deadline; a dead name server holds up nothing but other look-ups.
"""

from __future__ import annotations

import asyncio
import logging
import random as random_source
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from l7lb.model import Address, Endpoint, PoolSpec
from l7lb.pool.server import literal_endpoint
from l7lb.ports import Clock

THREADS = 4
DEADLINE_S = 5.0
JITTER = 0.1
"""Share of the interval by which each wait is spread."""
FIRST_RETRY_S = 1.0
"""After a failed look-up; doubles up to the pool's interval."""

log = logging.getLogger(__name__)

Lookup = Callable[[str, int], list[Endpoint]]
"""Blocking; raises OSError."""


def system_lookup(host: str, port: int) -> list[Endpoint]:
    """All addresses by the system's resolver, in its order, each once. Raises OSError."""
    found: dict[Endpoint, None] = {}
    for family, _, _, _, sockaddr in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if family == socket.AF_INET:
            found[(int(family), (str(sockaddr[0]), port))] = None
        elif len(sockaddr) == 4:
            found[(int(family), (str(sockaddr[0]), port, sockaddr[2], sockaddr[3]))] = None
    return list(found)


@dataclass(frozen=True, slots=True)
class ResolverEnvironment:
    """Shared by all names of a resolver."""

    clock: Clock
    random: Callable[[], float]
    lookup: Callable[[Address], asyncio.Future[list[Endpoint]]]
    on_change: Callable[[str, str, Endpoint], None]


class Name:
    """One server's name: its addresses now, and the endless asking for them."""

    def __init__(
        self, pool: str, server: str, address: Address, interval_s: float, env: ResolverEnvironment
    ) -> None:
        self.pool, self.server, self.address = pool, server, address
        self.interval_s = interval_s
        """May be changed; holds from the next wait on."""
        self.endpoint: Endpoint | None = None
        self._env = env
        self._all: list[Endpoint] = []
        self._good_at: float | None = None
        self._failures = 0
        self._error = ""
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"resolve {address.host}"
        )

    def stop(self) -> asyncio.Task[None]:
        """End the asking; the task may be awaited."""
        self._task.cancel()
        return self._task

    async def _run(self) -> None:
        while True:
            await self._ask()
            await asyncio.sleep(self._pause_s())

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(DEADLINE_S):
                found = await self._env.lookup(self.address)
        except TimeoutError:
            self._failed(f"no answer within {DEADLINE_S:g} s")
        except (OSError, UnicodeError) as error:
            # UnicodeError: a label that no host name can have (empty, or over 63 bytes).
            self._failed(getattr(error, "strerror", None) or str(error))
        else:
            self._found(found) if found else self._failed("the name has no address")

    def _failed(self, error: str) -> None:
        self._failures += 1
        if error != self._error:
            kept = "the last answer stays" if self._all else "the server has no address"
            log.warning("look-up of %s failed: %s; %s", self.address.host, error, kept)
        self._error = error

    def _found(self, endpoints: list[Endpoint]) -> None:
        """Use the first, but stay where we are as long as that is still an answer: many name
        servers rotate their answers, and a server must not move each time."""
        self._failures, self._error = 0, ""
        self._good_at = self._env.clock.now()
        self._all = endpoints
        if self.endpoint in endpoints:
            return
        self.endpoint = endpoints[0]
        try:
            self._env.on_change(self.pool, self.server, self.endpoint)
        except Exception:
            log.exception("address of %s/%s could not be passed on", self.pool, self.server)

    def _pause_s(self) -> float:
        pause_s = self.interval_s
        if self._failures:
            pause_s = min(pause_s, FIRST_RETRY_S * 2 ** min(self._failures - 1, 16))
        return pause_s * (1 + JITTER * (2 * self._env.random() - 1))

    def view(self) -> dict[str, object]:
        """JSON: the addresses, how old the answer is, and why the last look-up failed if it did."""
        age_s = None if self._good_at is None else self._env.clock.now() - self._good_at
        return {
            "name": self.address.host,
            "addresses": [str(sockaddr[0]) for _, sockaddr in self._all],
            "used": None if self.endpoint is None else str(self.endpoint[1][0]),
            "age_s": age_s,
            "error": self._error,
        }


class Resolver:
    """Asks for the DNS names of all servers; literal addresses need no asking and are not here.

    `on_change(pool, server, endpoint)` is called in the event loop whenever a name gets its first
    or another address. Must be made and used in a running event loop.
    """

    def __init__(
        self,
        on_change: Callable[[str, str, Endpoint], None],
        clock: Clock,
        random: Callable[[], float] = random_source.random,
        lookup: Lookup = system_lookup,
    ) -> None:
        self._names: dict[tuple[str, str], Name] = {}
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")
        self._lookup = lookup
        self._env = ResolverEnvironment(clock, random, self._submit, on_change)
        self._stopping: set[asyncio.Task[None]] = set()

    def reconcile(self, pools: Mapping[str, PoolSpec]) -> None:
        """Ask for exactly the names in `pools`; a name that stays keeps its answer."""
        wanted = {
            (pool.name, server.name): (server.address, pool.resolve_s)
            for pool in pools.values()
            for server in pool.servers
            if literal_endpoint(server.address) is None
        }
        for key, name in list(self._names.items()):
            if key not in wanted or wanted[key][0] != name.address:
                self._end(self._names.pop(key))
        for (pool_name, server_name), (address, interval_s) in wanted.items():
            key = (pool_name, server_name)
            if key in self._names:
                self._names[key].interval_s = interval_s
            else:
                self._names[key] = Name(pool_name, server_name, address, interval_s, self._env)

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """By (pool, server), what is known now: the snapshot for a worker that starts."""
        return {key: name.endpoint for key, name in self._names.items() if name.endpoint}

    def view(self) -> dict[str, dict[str, dict[str, object]]]:
        """JSON: pool → server → name, addresses, age of the answer, error of the last look-up."""
        found: dict[str, dict[str, dict[str, object]]] = {}
        for (pool, server), name in self._names.items():
            found.setdefault(pool, {})[server] = name.view()
        return found

    async def close(self) -> None:
        """Stop asking. A look-up that blocks in its thread is left to end by itself."""
        for name in self._names.values():
            self._end(name)
        self._names.clear()
        await asyncio.gather(*self._stopping, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _submit(self, address: Address) -> asyncio.Future[list[Endpoint]]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._threads, self._lookup, address.host, address.port)

    def _end(self, name: Name) -> None:
        task = name.stop()
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
