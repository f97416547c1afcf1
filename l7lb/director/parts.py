"""The parts of a running director, as those who coordinate them see them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from l7lb.director.crew import Crew
from l7lb.director.embedded_store import EmbeddedStore
from l7lb.director.events import Events
from l7lb.director.listeners import Listeners
from l7lb.director.media_processes import MediaProcesses
from l7lb.director.pin_book import PinBook
from l7lb.director.running import Running
from l7lb.health.prober import Prober
from l7lb.health.resolve import Resolver


@dataclass(frozen=True, slots=True)
class Parts:
    path: Path
    """The rules file."""
    running: Running
    events: Events
    listeners: Listeners
    prober: Prober
    resolver: Resolver
    crew: Crew
    pins: PinBook
    store: EmbeddedStore
    media: MediaProcesses
