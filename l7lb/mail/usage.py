"""What one worker counts of its accounts (`traffic`), and where all workers' counts can be summed.

Each seat of a director has one key in the store, written every few minutes; the next process on
the seat goes on from it. Counts are for planning: what was counted since the last report is lost
with a worker that is killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from l7lb.mail.sessions import Sessions
from l7lb.mail.traffic import Sketch, Use, decode, encode, total
from l7lb_storage import Store

TRAFFIC = "traffic/"
REPORT_S = 300.0
KEEP_S = 14 * 86400.0
PAGE = 16
"""Values are large."""
AT_ONCE = 1000
"""Sessions that are looked at before others get their turn."""


class Usage:
    """For one worker. `wall_s`: seconds since 1970."""

    def __init__(self, seat: str, wall_s: Callable[[], float]) -> None:
        self._key = TRAFFIC + seat
        self._wall_s = wall_s
        self._sketch = Sketch()
        self._has_adopted = False
        self._due_s = 0.0

    def ended(self, account: str, size_bytes: int) -> None:
        """A session, with the bytes that were not counted while it went on."""
        self._sketch.add(account, Use(bytes=size_bytes, sessions=1.0), self._wall_s())

    def delivered(self, account: str, size_bytes: int) -> None:
        self._sketch.add(account, Use(bytes=size_bytes, deliveries=1.0), self._wall_s())

    async def report(self, store: Store, sessions: Sessions, *, now: bool = False) -> None:
        """When it is due. Raises StorageError; what is counted stays for the next time."""
        wall_s = self._wall_s()
        if not self._has_adopted:
            await self._adopt(store)
            self._due_s = wall_s + REPORT_S
        if not now and wall_s < self._due_s:
            return
        self._due_s = wall_s + REPORT_S
        await self._sample(sessions)
        if len(self._sketch):
            value = encode(self._sketch.uses(wall_s), wall_s)
            await store.put(self._key, value, keep_s=KEEP_S)

    async def _adopt(self, store: Store) -> None:
        """What this seat counted before us."""
        item = await store.get(self._key)
        self._has_adopted = True
        if item is not None:
            now_s = self._wall_s()
            for account, use in decode(item.value, now_s).items():
                self._sketch.add(account, use, now_s)

    async def _sample(self, sessions: Sessions) -> None:
        """Those that go on for days count as they go."""
        for number, key in enumerate([*sessions.keys]):
            moved = sum(session.moved_bytes() for session in sessions.of(key))
            if moved:
                self._sketch.add(key[1], Use(bytes=moved), self._wall_s())
            if number % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)


async def usage(store: Store, now_s: float) -> dict[str, Use]:
    """Of all accounts that any worker counts, summed. Raises StorageError."""
    parts: list[dict[str, Use]] = []
    after, more = "", True
    while more:
        page = await store.range(TRAFFIC, after=after, limit=PAGE)
        parts += [decode(item.value, now_s) for item in page.items]
        after, more = (page.items[-1].key if page.items else ""), page.more
    return total(parts)
