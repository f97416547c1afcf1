"""The parts of a director that stand still: no worker, no socket, a clock that a test moves."""

from __future__ import annotations

import os
import time
from pathlib import Path

from l7lb.director.admin_state import AdminState
from l7lb.director.crew import Crew, CrewCalls
from l7lb.director.embedded_store import EmbeddedStore
from l7lb.director.events import Events
from l7lb.director.listeners import Listeners
from l7lb.director.media_processes import MediaProcesses
from l7lb.director.messages import ToWorker
from l7lb.director.parts import Parts
from l7lb.director.pin_book import PinBook
from l7lb.director.running import Running
from l7lb.health.prober import Prober
from l7lb.health.resolve import Resolver
from l7lb.model import ClusterSpec
from l7lb.ports import ManualClock


class ToldCrew(Crew):
    """A crew without workers that remembers what they would have been told."""

    def __init__(self) -> None:
        calls = CrewCalls(print, print, print, print)
        super().__init__(calls, Events())
        self.told: list[ToWorker] = []

    def broadcast(self, message: ToWorker, without: object = None) -> None:
        self.told.append(message)


def standing_parts(folder: Path, spec: ClusterSpec) -> Parts:
    """Close `parts.running.memory` in the end, as `close_parts` does."""
    clock = ManualClock(500.0)
    running = Running(spec, AdminState(folder, time.time), clock)
    running.take(spec, running.plan(spec))
    pins = PinBook(clock.now)
    pins.reconcile(spec.pools)
    events = Events()
    return Parts(
        folder / "cluster.yaml",
        running,
        events,
        Listeners(),
        Prober(lambda event: None, clock),
        Resolver(lambda *_: None, clock),
        ToldCrew(),
        pins,
        EmbeddedStore(folder, events),
        MediaProcesses(events),
    )


def close_parts(parts: Parts) -> None:
    os.close(parts.running.memory)
