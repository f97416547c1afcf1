"""Random work with locks, recorded, and the automaton that says whether it could have happened so.

Each event is noted when it is certain: a grant after it was told, a release before it is asked
for. So what the record shows as held was held, and any overlap in it was a real one.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from l7lb_storage import (
    ConversionRefused,
    DeadlinePassed,
    LeaseLost,
    Lock,
    Mode,
    NotGranted,
    Session,
    StaleToken,
    Unavailable,
    guard,
)
from l7lb_storage.modes import compatible

MODES = (Mode.EX, Mode.EX, Mode.PR, Mode.PR, Mode.CR, Mode.CW, Mode.PW, Mode.NL)
WRITERS = {Mode.EX, Mode.PW}


@dataclass
class Automaton:
    """Holders by resource. It fails at the first event that must not be."""

    held: defaultdict[str, dict[object, tuple[Mode, int]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    highest: defaultdict[tuple[str, Mode], int] = field(default_factory=lambda: defaultdict(int))
    grants: int = 0
    lost: int = 0

    def granted(self, lock: Lock) -> None:
        """Compatible with all holders; no token of those whom it excludes is above its own."""
        others = self.held[lock.resource]
        for mode, token in others.values():
            assert compatible(lock.mode, mode), (lock.resource, lock.mode, others, token)
        for mode in Mode:
            if not compatible(lock.mode, mode):
                assert lock.token >= self.highest[lock.resource, mode]
        self.highest[lock.resource, lock.mode] = max(
            lock.token, self.highest[lock.resource, lock.mode]
        )
        others[lock] = (lock.mode, lock.token)
        self.grants += 1

    def releasing(self, lock: Lock) -> None:
        self.held[lock.resource].pop(lock, None)

    def session_lost(self, session: Session) -> None:
        self.lost += 1
        for holders in self.held.values():
            for lock in [each for each in holders if each.session is session]:  # type: ignore[attr-defined]
                del holders[lock]


@dataclass
class Work:
    """`home`: writers count there under the fence, so a lost update is seen."""

    automaton: Automaton
    home: Path
    seed: int
    resources: int = 3
    written: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    stale: int = 0

    async def run(self, session: Session, rounds: int, number: int) -> None:
        dice = random.Random(self.seed * 1000 + number)
        session.on_lost(self.automaton.session_lost)
        for _ in range(rounds):
            try:
                await self._round(session, dice)
            except (NotGranted, DeadlinePassed, Unavailable):
                await asyncio.sleep(0.001)
            except LeaseLost:
                return

    async def _round(self, session: Session, dice: random.Random) -> None:
        resource = f"r{dice.randrange(self.resources)}"
        mode = dice.choice(MODES)
        kind = dice.random()
        timeout_s = 0.01 if kind < 0.15 else 10.0
        lock = await session.acquire(resource, mode, timeout_s=timeout_s, try_only=kind > 0.85)
        self.automaton.granted(lock)
        try:
            await asyncio.sleep(dice.random() * 0.003)
            if dice.random() < 0.3:
                await self._convert(lock, dice.choice(MODES))
            self._write(lock)
        finally:
            self.automaton.releasing(lock)
            await lock.release()

    async def _convert(self, lock: Lock, mode: Mode) -> None:
        """Until the answer is there the weaker of the two modes may be relied on."""
        self.automaton.releasing(lock)
        try:
            await lock.convert(mode)
        except ConversionRefused:
            pass
        except Unavailable:
            return
        if lock.valid:
            self.automaton.granted(lock)

    def _write(self, lock: Lock) -> None:
        """A read-modify-write that loses updates unless it is alone. No await in between."""
        if lock.mode not in WRITERS or not lock.valid:
            return
        file = self.home / lock.resource
        try:
            with guard(self.home, lock.token, name=f"{lock.resource}.fence"):
                count = int(file.read_text()) if file.exists() else 0
                file.write_text(str(count + 1))
                self.written[lock.resource] += 1
        except StaleToken:
            self.stale += 1

    def check(self) -> None:
        """What was written is there, each time."""
        for resource, count in self.written.items():
            assert int((self.home / resource).read_text()) == count
