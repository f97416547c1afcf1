"""The endless probing of one server of one pool: when to probe, and what the verdict is.

Knows one server; which servers there are, and who wants to hear of changes, the prober knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from l7lb.health import probe
from l7lb.health.events import HealthEvent
from l7lb.health.threshold import Threshold
from l7lb.model import Address, CheckKind, CheckSpec, Endpoint, Health
from l7lb.ports import Clock

FIRST_WITHIN_S = 0.1
"""First probes are spread over this time, so that a start is quick and no burst."""
SHORTEST_PAUSE = 0.1
"""Share of the interval that lies at least between the end of a probe and the next."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WatchSpec:
    """What is probed and how; equal means that nothing has to change."""

    pool: str
    server: str
    address: Address
    check: CheckSpec


@dataclass(frozen=True, slots=True)
class WatchEnvironment:
    """Shared by all watches of a prober."""

    clock: Clock
    random: Callable[[], float]
    """Uniform in [0, 1)."""
    probes: Mapping[CheckKind, probe.Probe]
    at_once: asyncio.Semaphore
    on_change: Callable[[HealthEvent], None]


class Watch:
    """Probes one server until it is stopped. A verdict is kept while the endpoint is away."""

    def __init__(
        self,
        spec: WatchSpec,
        env: WatchEnvironment,
        endpoint: Endpoint | None,
        before: Watch | None = None,
    ) -> None:
        """`before` watched the same server by another check: its verdict stays for now."""
        self.spec = spec
        self.endpoint = endpoint
        self._env = env
        health = before.health if before else Health.UNKNOWN
        self._threshold = Threshold(spec.check.rise, spec.check.fall, health)
        self._since: float = before._since if before else env.clock.now()
        self._last: probe.Result | None = before._last if before else None
        self._last_at: float = before._last_at if before else 0.0
        self._probes = 0
        self._moved = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(
            self._run(), name=f"probe {spec.pool}/{spec.server}"
        )

    @property
    def health(self) -> Health:
        return self._threshold.health

    def move(self, endpoint: Endpoint) -> None:
        """The server has (another) endpoint: probe it at once."""
        if endpoint != self.endpoint:
            self.endpoint = endpoint
            self._moved.set()

    def stop(self) -> asyncio.Task[None]:
        """End the probing, a probe under way included; the task may be awaited."""
        self._task.cancel()
        return self._task

    async def _run(self) -> None:
        await asyncio.sleep(self._env.random() * FIRST_WITHIN_S)
        while True:
            self._moved.clear()
            pause_s = None
            if self.endpoint is not None:
                result = await self._probe(self.endpoint)
                self._record(result)
                pause_s = self._pause_s(result.elapsed_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._moved.wait()

    async def _probe(self, endpoint: Endpoint) -> probe.Result:
        spec = self.spec
        target = probe.Target(endpoint, spec.address.host, spec.check)
        async with self._env.at_once:
            try:
                return await probe.run(target, self._env.probes)
            except Exception as error:
                # A bug in a probe must neither end the watch nor pass for a sound server.
                log.exception("probe of %s/%s broke", spec.pool, spec.server)
                return probe.Result(False, f"the probe itself failed: {error!r}")

    def _record(self, result: probe.Result) -> None:
        self._last = result
        self._last_at = self._env.clock.now()
        self._probes += 1
        old = self.health
        if not self._threshold.record(result.ok):
            return
        self._since = self._last_at
        spec = self.spec
        event = HealthEvent(spec.pool, spec.server, old, self.health, result.detail, self._last_at)
        self._env.on_change(event)

    def _pause_s(self, elapsed_s: float) -> float:
        """To the start of the next probe: interval from start to start, spread by the jitter."""
        check = self.spec.check
        interval_s = check.fast_interval_s if self._threshold.is_in_doubt else check.interval_s
        interval_s = min(interval_s, check.interval_s)
        interval_s *= 1 + check.jitter * (2 * self._env.random() - 1)
        return max(interval_s - elapsed_s, interval_s * SHORTEST_PAUSE)

    def view(self) -> dict[str, object]:
        """JSON for display; ages in seconds, None for what never happened."""
        now = self._env.clock.now()
        last = self._last
        return {
            "health": self.health.value,
            "since_s": now - self._since,
            "streak": self._threshold.streak,
            "check": self.spec.check.kind.value,
            "probes": self._probes,
            "ok": last.ok if last else None,
            "detail": last.detail if last else self._why_none(),
            "reply": last.reply.decode("ascii", "backslashreplace") if last else "",
            "elapsed_s": last.elapsed_s if last else None,
            "age_s": now - self._last_at if last else None,
        }

    def _why_none(self) -> str:
        return "first probe under way" if self.endpoint is not None else "no address yet"
