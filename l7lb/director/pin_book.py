"""What the workers have learnt: which value of an application's cookie belongs to which server.

Owns the supervisor's copy, from which a new worker is told. Must not know the store nor processes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping

from l7lb.director.messages import Learned
from l7lb.model import LEARNING, PersistenceSpec, PoolSpec


class PinBook:
    """For each pool whose persistence learns, as many values as one of its tables holds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._specs: dict[str, PersistenceSpec] = {}
        self._pins: dict[str, OrderedDict[bytes, tuple[str, float]]] = {}

    def reconcile(self, pools: Mapping[str, PoolSpec]) -> None:
        """Keep what belongs to these pools."""
        learning = {
            name: pool.persistence
            for name, pool in pools.items()
            if pool.persistence is not None and pool.persistence.kind in LEARNING
        }
        self._specs = learning
        self._pins = {name: self._pins.get(name, OrderedDict()) for name in learning}

    def note(self, pin: Learned) -> bool:
        """True when it is news: the value was not known, or belonged to another server."""
        spec = self._specs.get(pin.pool)
        if spec is None:
            return False
        pins = self._pins[pin.pool]
        known = pins.get(pin.value)
        pins[pin.value] = (pin.server, self._now())
        pins.move_to_end(pin.value)
        if len(pins) > spec.limit:
            pins.popitem(last=False)
        return known is None or known[0] != pin.server

    def keep_s(self, pool: str) -> float | None:
        """How long a value of this pool stays good after its last use; None: no such pool."""
        spec = self._specs.get(pool)
        return None if spec is None else spec.timeout_s

    def all(self) -> Iterator[Learned]:
        """What is still good, the longest unused first."""
        for pool, pins in self._pins.items():
            timeout_s = self._specs[pool].timeout_s
            oldest_s = self._now() - timeout_s if timeout_s > 0 else float("-inf")
            for value, (server, noted_s) in pins.items():
                if noted_s >= oldest_s:
                    yield Learned(pool, value, server)
