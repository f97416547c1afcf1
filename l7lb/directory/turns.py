"""Those who wait for their turn, first come, first served.

Owns the line. Must not know what a turn is for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Its length is how many wait."""

    def __init__(self) -> None:
        self._line: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._line)

    async def wait(self, pass_on: Callable[[], object]) -> None:
        """Until `give`. `pass_on` is called by one that is cancelled when its turn has come."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                pass_on()
            elif turn in self._line:
                self._line.remove(turn)
            raise

    def give(self) -> bool:
        """To the first that waits. False: nobody does."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                turn.set_result(None)
                return True
        return False
