"""Numbers of servers and services in the shared counters, stable over reloads.

Owns who has which number. Must not know what is counted under it, nor who counts.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from l7lb.model import ClusterSpec

ServerKey = tuple[str, str]
"""Pool name and server name."""

COOL_DOWN_S = 60.0
"""A freed number rests this long, so that a worker that is late cannot count for the next owner."""

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Indices:
    """The numbers of one generation of the rules file, as the workers get them."""

    servers: Mapping[ServerKey, int] = field(default_factory=dict)
    services: Mapping[str, int] = field(default_factory=dict)


class TooMany(Exception):
    """The shared counters have no room for this many names."""


class Numbers(Generic[Key]):
    """Numbers from 0 up to `capacity` for names that come and go."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._owned: dict[Key, int] = {}
        self._freed: dict[Key, tuple[int, float]] = {}

    def plan(
        self, names: Iterable[Key], now_s: float, busy: Callable[[int], bool]
    ) -> dict[Key, int]:
        """Numbers for exactly `names`; nothing changes until `commit`. Raises TooMany."""
        wanted = list(names)
        known = {key: number for key in wanted if (number := self._remembered(key)) is not None}
        unused = self._unused(set(known.values()), now_s, busy)
        planned: dict[Key, int] = {}
        for key in wanted:
            number = known.get(key)
            if number is None:
                if not unused:
                    raise TooMany(f"more than {self._capacity}")
                number = unused.pop()
            planned[key] = number
        return planned

    def commit(self, planned: Mapping[Key, int], now_s: float) -> list[int]:
        """Make a plan true. Returns the numbers that got a new owner: their counts start anew."""
        fresh = [number for key, number in planned.items() if self._remembered(key) is None]
        gone = {key: (number, now_s) for key, number in self._owned.items() if key not in planned}
        taken = set(planned.values())
        remembered = {**self._freed, **gone}
        self._freed = {key: rest for key, rest in remembered.items() if rest[0] not in taken}
        self._owned = dict(planned)
        return fresh

    def numbers(self) -> list[int]:
        """All that are in use or at rest."""
        return [*self._owned.values(), *(number for number, _ in self._freed.values())]

    def _remembered(self, key: Key) -> int | None:
        number = self._owned.get(key)
        if number is None and key in self._freed:
            number = self._freed[key][0]
        return number

    def _unused(self, kept: set[int], now_s: float, busy: Callable[[int], bool]) -> list[int]:
        """Numbers that may get a new owner; the end of the list is to be used first."""
        rested = [
            number
            for number, freed_s in self._freed.values()
            if number not in kept and now_s - freed_s >= COOL_DOWN_S and not busy(number)
        ]
        held = set(self._owned.values()) | {number for number, _ in self._freed.values()}
        return rested + [n for n in range(self._capacity - 1, -1, -1) if n not in held]


class IndexTable:
    """Gives every server and service of the running file its number."""

    def __init__(self, servers: int, services: int) -> None:
        self._servers: Numbers[ServerKey] = Numbers(servers)
        self._services: Numbers[str] = Numbers(services)

    def plan(
        self,
        spec: ClusterSpec,
        now_s: float,
        server_busy: Callable[[int], bool],
        service_busy: Callable[[int], bool],
    ) -> Indices:
        """Numbers for `spec`; nothing changes until `commit`. Raises TooMany."""
        keys = [(pool.name, server.name) for pool in spec.pools.values() for server in pool.servers]
        try:
            servers = self._servers.plan(keys, now_s, server_busy)
        except TooMany as error:
            raise TooMany(f"{error} servers") from None
        try:
            services = self._services.plan(spec.services, now_s, service_busy)
        except TooMany as error:
            raise TooMany(f"{error} services") from None
        return Indices(servers, services)

    def commit(self, indices: Indices, now_s: float) -> tuple[list[int], list[int]]:
        """Make a plan true. Returns the numbers of new servers and of new services."""
        return (
            self._servers.commit(indices.servers, now_s),
            self._services.commit(indices.services, now_s),
        )

    def numbers(self) -> tuple[list[int], list[int]]:
        """The numbers of servers and of services under which anything may be counted now."""
        return self._servers.numbers(), self._services.numbers()
