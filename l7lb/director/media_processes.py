"""Processes beside the workers that media needs: the relay, when a pool's modes name it.

Owns when they run. Knows nothing of sessions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from l7lb.director.events import Events
from l7lb.director.media_kernel import Found, KernelDesk
from l7lb.director.paths import private_directory, state_path
from l7lb.errors import RelayAway
from l7lb.media.relay.process import RelayProcess
from l7lb.media.relay.spec import RelaySpec
from l7lb.model import ClusterSpec, DirectorSpec, PoolSpec
from l7lb.model_media import Mode

FOLDER = "media"
RELAY_SOCKET = "relay.sock"


def relay_path(spec: DirectorSpec) -> Path:
    """Where the relay of this director is asked."""
    return state_path(spec) / FOLDER / RELAY_SOCKET


def media_pools(spec: ClusterSpec) -> Iterator[PoolSpec]:
    """Those that RTSP services use, each once."""
    names = {
        name
        for service in spec.services.values()
        if service.protocol == "rtsp"
        for route in service.routes
        for name, _ in route.pools
    }
    return (spec.pools[name] for name in sorted(names))


def wants_relay(spec: ClusterSpec) -> bool:
    return any(Mode.RELAY in pool.media.modes for pool in media_pools(spec))


class MediaProcesses:
    """`reconcile` with each running file; once started, the relay stays until `close`, for the
    sessions that it has."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._relay: RelayProcess | None = None
        self.told: Callable[[Found], None] = _nobody
        """Called with what is found out about the servers' ways."""
        self._kernel = KernelDesk(self._note, self._found)

    def _found(self, found: Found) -> None:
        self.told(found)

    @property
    def found(self) -> Found:
        return self._kernel.found

    def reconcile(self, spec: ClusterSpec) -> None:
        """Never waits, never fails: where nothing opens a way for UDP, players take TCP."""
        self._kernel.reconcile(spec)
        if self._relay is not None or not wants_relay(spec):
            return
        path = relay_path(spec.director)
        first, last = spec.director.media.relay_ports
        relay = RelayProcess(path, RelaySpec(first_port=first, last_port=last), self._note)
        try:
            private_directory(path.parent)
            relay.start()
        except (OSError, RelayAway) as error:
            self._note("relay-not-started", logging.ERROR, {"reason": str(error)})
            return
        self._relay = relay

    def _note(self, event: str, level: int, fields: dict[str, object]) -> None:
        self._events.emit(event, level, **fields)

    def view(self) -> dict[str, object] | None:
        """JSON; None: not in use."""
        relay, kernel = self._relay, self._kernel.view()
        if relay is None and kernel is None:
            return None
        runs = relay is not None and relay.runs.is_set()
        pid, starts = (relay.pid, relay.starts) if relay is not None else (None, 0)
        return {"relay": {"runs": runs, "pid": pid, "starts": starts}, "kernel": kernel}

    async def close(self) -> None:
        """After everybody who uses it."""
        await self._kernel.close()
        if self._relay is not None:
            await self._relay.close()


def _nobody(found: Found) -> None:
    """Nobody wants to know."""
