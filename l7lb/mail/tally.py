"""Counting over all directors: what the store counts, or this worker alone while it is away.

A store that is away makes limits weaker, never mail or logins stop. Must not know what is counted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from ipaddress import ip_address, ip_network

from l7lb_storage.errors import StorageError
from l7lb_storage.store import Store

LOCAL_KEYS = 10_000
COMPLAIN_EVERY_S = 60.0
log = logging.getLogger("l7lb.mail")


def network_of(source: str, prefix_length: tuple[int, int]) -> str:
    """The network that counts as one client; text that is no address counts as it stands."""
    try:
        version = ip_address(source).version
        bits = prefix_length[0] if version == 4 else prefix_length[1]
        return str(ip_network(f"{source}/{bits}", strict=False))
    except ValueError:
        return source


class Tally:
    """`store`: asked for at each count, since it may come and go."""

    def __init__(self, store: Callable[[], Store | None], now: Callable[[], float]) -> None:
        self.store = store
        self._now = now
        self._local: dict[str, tuple[float, int]] = {}
        self._complained_s = -COMPLAIN_EVERY_S

    async def add(self, key: str, n: int, window_s: float) -> int:
        """Count `n` more; how many there were in the last `window_s`. Never raises StorageError."""
        store = self.store()
        if store is not None:
            try:
                return await store.add(key, n, max(window_s, 1.0))
            except StorageError as problem:
                self.complain(problem)
        return self._add_here(key, n, window_s)

    def complain(self, problem: StorageError) -> None:
        """In the log, but not for each message."""
        if self._now() - self._complained_s >= COMPLAIN_EVERY_S:
            self._complained_s = self._now()
            log.warning(
                "the store is away, limits are this worker's", extra={"reason": str(problem)}
            )

    def _add_here(self, key: str, n: int, window_s: float) -> int:
        now_s = self._now()
        since_s, count = self._local.pop(key, (now_s, 0))
        if now_s - since_s >= window_s:
            since_s, count = now_s, 0
        while len(self._local) >= LOCAL_KEYS:
            del self._local[next(iter(self._local))]
        self._local[key] = since_s, count + n
        return count + n
