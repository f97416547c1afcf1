"""Wrong secrets are answered later and later, counted over all directors.

Owns the count of each network. Only a failure costs anything: nobody who knows their secret waits,
nor asks the store.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from ipaddress import ip_address, ip_network

from l7lb.model_mail import PenaltySpec
from l7lb.ports import Clock
from l7lb_storage import StorageError, Store

PREFIX = "mail/failed/"
NETWORKS = 10_000
"""Counted here at once while the store is away; the oldest is forgotten."""
log = logging.getLogger("l7lb.mail")


class Penalties:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._here: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """Failures, and until when they count."""

    async def failed(self, source: str, spec: PenaltySpec, store: Store | None) -> float:
        """Count one and say how many seconds the refusal shall wait."""
        if not spec.delays_s:
            return 0.0
        network = network_of(source, spec.prefix_length)
        count = self._count_here(network, spec.window_s)
        if store is not None:
            try:
                count = max(count, await store.add(PREFIX + network, 1, spec.window_s))
            except StorageError as error:
                log.info("failures are counted here alone", extra={"reason": str(error)})
        return spec.delays_s[min(count, len(spec.delays_s)) - 1]

    def _count_here(self, network: str, window_s: float) -> int:
        now_s = self._clock.now()
        count, until_s = self._here.pop(network, (0, 0.0))
        if now_s >= until_s:
            count, until_s = 0, now_s + window_s
        self._here[network] = (count + 1, until_s)
        if len(self._here) > NETWORKS:
            self._here.popitem(last=False)
        return count + 1


def network_of(source: str, prefix_length: tuple[int, int]) -> str:
    """As text; what is no address (a unix socket's client) is its own network."""
    try:
        address = ip_address(source)
    except ValueError:
        return source or "local"
    bits = prefix_length[0] if address.version == 4 else prefix_length[1]
    return str(ip_network(f"{address}/{bits}", strict=False))
