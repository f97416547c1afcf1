"""The spool of one worker: messages that were accepted and are not delivered to everybody yet.

Owns the files of its lane and what is known of each; bounded in number and bytes. File work runs
in a few threads. Must not know how mail is delivered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from l7lb.mail.spool import files
from l7lb.mail.spool.draft import Draft
from l7lb.mail.spool.lane import Lane
from l7lb_protocols.smtp.spool_record import SpoolRecord

THREADS = 4
log = logging.getLogger("l7lb.mail")
T = TypeVar("T")


class SpoolFull(Exception):
    """No room, by our limits or the disk's: 452 4.3.1."""


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Of one worker, messages that are coming included."""

    messages: int = 10_000
    total_bytes: int = 4 << 30


@dataclass(slots=True, eq=False)
class Entry:
    """One spooled message. `busy`: somebody delivers it now."""

    queue_id: str
    service: str
    record: SpoolRecord
    path: Path
    starts_at: int
    busy: bool = False
    report_at_ms: int = 0
    """Not before, since the report could not be kept."""


class Spool:
    """`start` once, in the event loop that uses it; `close` at the end."""

    def __init__(self, folder: Path, limits: SpoolLimits | None = None) -> None:
        self.limits = limits or SpoolLimits()
        self.entries: dict[str, Entry] = {}
        self.used_bytes = 0
        self.set_aside_count = 0
        self._closed = False
        self._lane = Lane(folder)
        self._unread: list[Path] = []
        """In our lane, and no entry yet."""
        self._threads = ThreadPoolExecutor(THREADS, "spool")

    async def start(self) -> None:
        """Make the lane, and take over what others left. Raises OSError."""
        await self._run(self._lane.open)
        await self.take_over()

    async def take_over(self) -> list[Entry]:
        """What dead workers left. A file that cannot be read now is tried again by the next call.
        Raises OSError."""
        await self._run(lambda: self._lane.take_over(self._unread))
        paths, self._unread = self._unread, []
        found = [await self._taken(path) for path in paths]
        return [entry for entry in found if entry is not None]

    async def _taken(self, path: Path) -> Entry | None:
        try:
            return await self._load(path)
        except OSError as problem:
            self._unread.append(path)
            reason = {"file": str(path), "reason": str(problem)}
            log.error("spooled file cannot be read", extra=reason)
            return None

    async def _load(self, path: Path) -> Entry | None:
        try:
            queue_id, service = files.parts_of(path.name)
            found = await self._run(lambda: files.read(path))
        except files.TornFile as problem:
            await self._report(path, str(problem))
            return None
        if found.torn_bytes:
            log.warning("end of a spooled file was torn", extra={"file": str(path)})
            await self._run(lambda: files.cut(path, found.whole_bytes))
        if found.record.is_settled:
            await self._run(lambda: files.remove(path))
            return None
        entry = Entry(queue_id, service, found.record, path, found.first_bytes)
        self.entries[queue_id] = entry
        self.used_bytes += found.record.message_bytes
        return entry

    async def _report(self, path: Path, reason: str) -> None:
        self.set_aside_count += 1
        target = await self._run(lambda: self._lane.set_aside(path))
        log.error("spooled file set aside", extra={"file": str(target), "reason": reason})

    def draft(self) -> Draft:
        """For a message that is coming. Raises SpoolFull."""
        if len(self.entries) >= self.limits.messages:
            raise SpoolFull("too many messages are spooled")
        return Draft(self._lane.root, self._count)

    def _count(self, size: int) -> None:
        if size > 0 and self.used_bytes + size > self.limits.total_bytes:
            raise SpoolFull("the spool is full")
        self.used_bytes += size

    async def spill(self, draft: Draft) -> None:
        """To disk what the draft holds in memory. Raises SpoolFull."""
        pieces = draft.take()
        await self._written(lambda: draft.spill(pieces))

    async def keep(self, draft: Draft, service: str, queue_id: str, record: SpoolRecord) -> Entry:
        """Safe on disk when this returns; the draft is used up. Raises SpoolFull."""
        path = self._lane.folder / files.file_name(queue_id, service)
        starts_at = await self._written(lambda: files.create(path, record, draft.content()))
        size = draft.size
        draft.close()
        self.used_bytes += size
        entry = Entry(queue_id, service, record, path, starts_at, busy=True)
        self.entries[queue_id] = entry
        return entry

    async def update(self, entry: Entry, record: SpoolRecord) -> None:
        """The entry's new state; a settled one is removed.

        A disk that takes no more is logged: then a restart begins from the state before.
        """
        entry.record = record
        if record.is_settled:
            await self.remove(entry)
            return
        try:
            await self._run(lambda: files.append(entry.path, record))
        except OSError as problem:
            log.error(
                "state of a spooled message not written",
                extra={"file": str(entry.path), "reason": str(problem)},
            )

    async def remove(self, entry: Entry) -> None:
        if self.entries.pop(entry.queue_id, None) is not None:
            self.used_bytes -= entry.record.message_bytes
            await self._run(lambda: files.remove(entry.path))

    async def set_aside(self, entry: Entry, reason: str) -> None:
        """Nobody will ever take it: keep it for a person to look at."""
        if self.entries.pop(entry.queue_id, None) is not None:
            self.used_bytes -= entry.record.message_bytes
            await self._report(entry.path, reason)

    async def pieces(self, entry: Entry) -> AsyncIterator[bytes]:
        """The message. Raises OSError."""
        source = files.message(entry.path, entry.starts_at, entry.record.message_bytes)
        while (piece := await self._run(lambda: _next(source))) is not None:
            yield piece

    async def head(self, entry: Entry, limit: int) -> bytes:
        """The message's first octets. Raises OSError."""
        size = min(limit, entry.record.message_bytes)
        return await self._run(lambda: b"".join(files.message(entry.path, entry.starts_at, size)))

    async def close(self) -> None:
        """What is left is taken over by whoever comes next, once no file is being written any
        more. Only the first call counts."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._threads.shutdown)
            self._lane.close()

    async def _written(self, work: Callable[[], T]) -> T:
        try:
            return await self._run(work)
        except OSError as problem:
            log.error("spool cannot be written", extra={"reason": str(problem)})
            raise SpoolFull(str(problem)) from problem

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)


def _next(source: Iterator[bytes]) -> bytes | None:
    return next(source, None)
