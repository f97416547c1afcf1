"""Every director's word that nothing of an account is open at its servers any more.

Owns the waiting for it and the name of who is missing. A mark of the account is in the store
already, so whoever has seen it lets nobody in; who serves mail is on the roll (`mail.roll`).
Silence proves nothing: a director that is cut off from the store goes on with the sessions that it
has. So who is silent is named, and only whoever started the migration may go on without its word.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from l7lb.errors import MigrationRefused
from l7lb.mail import roll
from l7lb.mail.roll import Member, Word
from l7lb_storage import Store

LOOK_EVERY_S = 0.1
Awaited = Callable[[list[str]], None]
"""Told who is waited for, whenever that changes."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """`ignored`: directors whose word is not waited for, by their name or their host's."""

    store: Store
    ignored: Collection[str] = ()

    async def closed(self, account: str, mark: int, limit_s: float, awaited: Awaited) -> None:
        """Return when all have said, to the mark of this revision, that the account is closed.

        Raises MigrationRefused after `limit_s`, with what each says that has not; StorageError.
        """
        missing: list[str] = []
        try:
            async with asyncio.timeout(limit_s):
                while found := await self._missing(account, mark):
                    if found != missing:
                        missing = found
                        awaited(missing)
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError as error:
            raise MigrationRefused(_refusal(account, missing)) from error

    async def _missing(self, account: str, mark: int) -> list[str]:
        said = await roll.words(self.store, account)
        return [
            f"{member.director} {words}"
            for member in await roll.members(self.store)
            if not self._is_ignored(member) and (words := _lacking(said.get(str(member)), mark))
        ]

    def _is_ignored(self, member: Member) -> bool:
        return any(name in self.ignored for name in (member.director, host_of(member)))


def host_of(member: Member) -> str:
    return member.director.partition(":")[0]


def _lacking(word: Word | None, mark: int) -> str:
    """Empty: nothing."""
    if word is None or word.mark != mark:
        return "has not answered"
    if word.is_closed:
        return ""
    return f"still has {word.sessions} sessions and {word.deliveries} deliveries of it"


def _refusal(account: str, missing: list[str]) -> str:
    who = "; ".join(missing) or "the store does not say who serves mail"
    return (
        f"{account} is not closed on every director: {who}. One that is down, stands still or is "
        "cut off from the store cannot answer; if you know that it serves nobody, ignore it"
    )
