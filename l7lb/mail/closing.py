"""What of an account that moves is still open at a server, told to the store whenever it changes.

One for each worker. A session counts until its server has ended its side; a delivery from before
its message is sent until the server has answered or is given up. Owns those counts and the words
(`roll`); must not know protocols, nor who waits for the words.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable

from l7lb.mail.roll import Member, Word
from l7lb.mail.sessions import Sessions
from l7lb_storage import StorageError, Store

PAUSE_S = 0.2
"""Before the store is told again what it did not take."""
log = logging.getLogger("l7lb.mail")
Place = Callable[[], tuple[Store, int] | None]
"""The store and the lease under which words are said; None: it is away."""


class Closing:
    def __init__(self, member: Member, sessions: Sessions, place: Place) -> None:
        self._member = member
        self._sessions = sessions
        self._place = place
        self._marks: dict[str, int] = {}
        self._parting: Counter[str] = Counter()
        self._delivering: Counter[str] = Counter()
        self._told: dict[str, Word] = {}
        self._owed: set[str] = set()
        """Accounts of which the store may have to be told something."""
        self._wake = asyncio.Event()

    # ------------------------------------------------------------------ what happens

    def marked(self, account: str, revision: int | None) -> None:
        """A mark says that the account moves, or (None) has gone. Its sessions end."""
        if revision is None:
            self._marks.pop(account, None)
        else:
            self._marks[account] = revision
            self._sessions.end_all("the account moves", self._sessions.of_account(account))
        self._owe(account)

    def changed(self, account: str) -> None:
        """A session of it has left."""
        if account in self._marks:
            self._owe(account)

    def parting(self, account: str) -> Callable[[], None]:
        """A session has left, its server not yet; call the result when it has."""
        return self._counted(self._parting, (account,))

    def delivering(self, accounts: Iterable[str]) -> Callable[[], None]:
        """A message is on its way to them; call the result when it is there, or given up."""
        return self._counted(self._delivering, tuple(accounts))

    def _counted(self, counts: Counter[str], accounts: tuple[str, ...]) -> Callable[[], None]:
        counts.update(accounts)

        def over() -> None:
            for account in accounts:
                counts[account] -= 1
                if not counts[account]:
                    del counts[account]
                self.changed(account)

        return over

    # ------------------------------------------------------------------ what is told

    def again(self) -> None:
        """There is a new lease: what was said under the one before is gone."""
        self._told.clear()
        for account in self._marks:
            self._owe(account)

    def _owe(self, account: str) -> None:
        self._owed.add(account)
        self._wake.set()

    async def tell(self) -> None:
        """For ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                done = await self._tell_all()
            except StorageError as error:
                log.info("the store is away", extra={"reason": str(error)})
                done = False
            if not done:
                await asyncio.sleep(PAUSE_S)
                self._wake.set()

    async def _tell_all(self) -> bool:
        """False: not now. What is owed stays owed until the store has taken it."""
        for account in [*self._owed]:
            place = self._place()
            if place is None:
                return False
            self._owed.discard(account)
            try:
                await self._say(account, *place)
            except BaseException:
                self._owed.add(account)
                raise
        return True

    async def _say(self, account: str, store: Store, lease: int) -> None:
        key = self._member.word_key(account)
        word = self._word(account)
        told = self._told.get(account)
        if word is None and told is not None:
            await store.delete(key)
            del self._told[account]
        elif word is not None and word != told:
            await store.put(key, word.encode(), lease=lease)
            self._told[account] = word

    def _word(self, account: str) -> Word | None:
        """None: the account does not move."""
        mark = self._marks.get(account)
        if mark is None:
            return None
        live = len(self._sessions.of_account(account))
        return Word(mark, live + self._parting[account], self._delivering[account])
