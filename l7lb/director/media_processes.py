"""Processes beside the workers that media needs: the relay, when a pool's modes name it.

Owns when they run. Knows nothing of sessions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from l7lb.director.events import Events
from l7lb.director.hot_ear import HotEar
from l7lb.director.media_kernel import Found, KernelDesk
from l7lb.director.media_ways import NO_RELAY, NOT_ASKED
from l7lb.director.paths import private_directory, state_path
from l7lb.errors import RelayAway
from l7lb.media.hot.receiver import Said
from l7lb.media.modes import choose
from l7lb.media.relay.process import RelayProcess
from l7lb.media.relay.spec import RelaySpec
from l7lb.model import ClusterSpec, DirectorSpec, ServiceSpec
from l7lb.model_media import Mode

FOLDER = "media"
RELAY_SOCKET = "relay.sock"


def relay_path(spec: DirectorSpec) -> Path:
    """Where the relay of this director is asked."""
    return state_path(spec) / FOLDER / RELAY_SOCKET


def pool_names(service: ServiceSpec) -> list[str]:
    """Those that an RTSP service uses, each once; others have no media."""
    if service.protocol != "rtsp":
        return []
    return list(dict.fromkeys(name for route in service.routes for name, _ in route.pools))


def wants_relay(spec: ClusterSpec) -> bool:
    names = {name for service in spec.services.values() for name in pool_names(service)}
    return any(Mode.RELAY in spec.pools[name].media.modes for name in names)


class MediaProcesses:
    """`reconcile` with each running file; once started, the relay stays until `close`, for the
    sessions that it has."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._relay: RelayProcess | None = None
        self.told: Callable[[Found], None] = _nobody
        """Called with what is found out about the servers' ways."""
        self.said: Callable[[Said], None] = _nothing
        """Called with what media servers say of their hot files."""
        self._kernel = KernelDesk(self._note, self._found)
        self.ear = HotEar(self._note, self._said)

    def _found(self, found: Found) -> None:
        self.told(found)

    def _said(self, said: Said) -> None:
        self.said(said)

    @property
    def found(self) -> Found:
        return self._kernel.found

    def reconcile(self, spec: ClusterSpec) -> None:
        """Never waits, never fails: where nothing opens a way for UDP, players take TCP."""
        self._kernel.reconcile(spec)
        self.ear.reconcile(spec)
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

    def view(self, spec: ClusterSpec) -> dict[str, object] | None:
        """JSON; None: not in use. `modes`: how media goes for each server, and why not better."""
        if not spec.has_media:
            return None
        relay = self._relay
        runs = relay is not None and relay.runs.is_set()
        pid, starts = (relay.pid, relay.starts) if relay is not None else (None, 0)
        return {
            "relay": {"runs": runs, "pid": pid, "starts": starts},
            "kernel": self._kernel.view(),
            "hot_files": self.ear.view(),
            "modes": self._modes(spec, "" if runs else NO_RELAY),
        }

    def _modes(self, spec: ClusterSpec, relay: str) -> dict[str, str]:
        found = {}
        for service in spec.services.values():
            for name in pool_names(service):
                modes = [mode.value for mode in spec.pools[name].media.modes]
                for server in spec.pools[name].servers:
                    known = self.found.get((service.name, name, server.name), NOT_ASKED)
                    words = choose(modes, replace(known, relay=relay)).words()
                    found[f"{service.name}/{name}/{server.name}"] = words
        return found

    async def close(self) -> None:
        """After everybody who uses it."""
        await self.ear.close()
        await self._kernel.close()
        if self._relay is not None:
            await self._relay.close()


def _nothing(said: Said) -> None:
    """Nobody listens yet."""


def _nobody(found: Found) -> None:
    """Nobody wants to know."""
