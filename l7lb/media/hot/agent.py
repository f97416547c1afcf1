"""The agent beside a media server: sees what is read, keeps the hot files on the local disk,
presents the best copy of each, and says so.

Owns the loops, and what is done when the shared directory is away: nothing, until it is back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from l7lb.media.hot.copier import Copier
from l7lb.media.hot.errors import CannotStart, SharedAway
from l7lb.media.hot.hot_set import HotSet, HotSetSpec
from l7lb.media.hot.lists import ListServer
from l7lb.media.hot.originals import Walk
from l7lb.media.hot.popular_file import REMEMBERED, remember, remembered
from l7lb.media.hot.readings import WHOLE, Counted
from l7lb.media.hot.residency import Access, ResidencySpec
from l7lb.media.hot.rooms import Room
from l7lb.media.hot.shelf import Settled, Shelf
from l7lb.media.hot.sockets import Sender
from l7lb.media.hot.status import Status, write
from l7lb.media.hot.telling import State, Teller
from l7lb.media.hot.watch import Watch
from l7lb.model_hot_files import HotFilesSpec
from l7lb_protocols.announce.datagram import NODE_BYTES
from l7lb_protocols.announce.digest import path_digest

log = logging.getLogger("l7lb.media.hot")
WALK_S = 120.0
LOOK_S = 10.0
"""For one file of the shared directory."""
CALM_S = 0.1
"""From a change to the walk that looks at it: changes come in crowds."""
STATUS_S = 1.0
REMEMBER_S = 30.0
SMOOTH = 0.2
"""Weight of the newest figure in the rate that is announced."""
HOT_SHOWN = 20


class Agent:
    """`run` goes on until it is cancelled. Raises CannotStart."""

    def __init__(
        self, spec: HotFilesSpec, node: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        if not 1 <= len(node.encode()) <= NODE_BYTES or not node.isprintable():
            raise CannotStart(f"{node!r} is no name of a server")
        self._spec = spec
        self._node = node
        self._now = now
        residency = ResidencySpec(spec.capacity_bytes)
        self._hot = HotSet(HotSetSpec(residency, spec.half_life_s))
        self._shared_room, self._local_room = Room("l7lb-shared"), Room("l7lb-local")
        self._changed = asyncio.Event()
        self._sizes: dict[str, int] = {}
        """Of files that are read now."""
        self._digests: dict[str, int] = {}
        """Of copies."""
        self._rate_bytes_s = 0.0
        self.status = Status(node, capacity_bytes=spec.capacity_bytes, every_s=STATUS_S)

    async def run(self, on_ready: Callable[[int], None] = lambda _: None) -> None:
        """`on_ready` is told the port of the lists when all files are presented."""
        shelf = self._shelf = await self._local_room.run(lambda: Shelf(self._spec, self._node))
        try:
            self._watch = Watch(shelf.shared, shelf.copies.root, shelf.name, self._now)
            self._copier = Copier(
                self._spec, self._hot, shelf, self._watch, self._local_room, self._now
            )
            await self._serve(on_ready)
        finally:
            shelf.close()
            self._shared_room.close()
            self._local_room.close()

    async def _serve(self, on_ready: Callable[[int], None]) -> None:
        announce = self._spec.announce
        secret = announce.secret.value
        teller = self._teller = Teller(self._node, self._shelf.copies.epoch, secret)
        lists = ListServer(teller.listing, secret)
        teller.list_port = port = await lists.open(announce.lists)
        sender = Sender(announce.to, announce.interface)
        self._watch.open(self._changed.set)
        try:
            self._take_in()
            await self._settle_once()
            self._copier.wake()
            await self._write(sender)
            on_ready(port)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._count_often(sender))
                tasks.create_task(self._settle_often())
                tasks.create_task(self._copier.run())
                tasks.create_task(self._write_often(sender))
                tasks.create_task(self._remember_often())
        finally:
            await self._copier.stop()
            self._watch.close()
            sender.close()
            await lists.close()
            with suppress(OSError):
                write(self._told(), self._shelf.local)
                remember(self._top(), self._shelf.local, time.time())

    # ----------------------------------------------------------------- what is read

    async def _count_often(self, sender: Sender) -> None:
        before_s = self._now()
        while True:
            await asyncio.sleep(self._spec.announce.every_s)
            counted = await self._watch.count()
            await self._credit(counted)
            read = sum(count for _, count in counted.read if count != WHOLE)
            now_s = self._now()
            rate = read / max(now_s - before_s, 1e-3)
            self._rate_bytes_s += SMOOTH * (rate - self._rate_bytes_s)
            before_s = now_s
            sender.send(self._teller.datagrams(self._held(), self._state()))

    async def _credit(self, counted: Counted) -> None:
        """Accesses and bytes to the hot set. What is read of a file counts after its access."""
        for name in counted.accesses:
            size = await self._size(name)
            if size:
                self.status.accesses += 1
                access = self._hot.opened(name, size, self._now())
                self.status.hits += access is Access.HIT
        for name, count in counted.read:
            size = self._sizes.get(name, 0)
            if size:
                viewings = 1.0 if count == WHOLE else min(1.0, count / size)
                self._hot.streamed(name, viewings, self._now())
        self._sizes = {n: s for n, s in self._sizes.items() if self._watch.readings.is_open(n)}
        if counted.accesses:
            self._copier.wake()

    async def _size(self, name: str) -> int:
        """0: it is gone, empty, or cannot be asked for now."""
        held = self._shelf.held.get(name)
        if held is None and name not in self._sizes and self._shared_room.is_free:
            with suppress(SharedAway, TimeoutError):
                original = await self._shared_room.run(lambda: self._shelf.look(name), LOOK_S)
                self._sizes[name] = original.size if original else 0
        elif held is not None:
            self._sizes[name] = held.size
        return self._sizes.get(name, 0)

    def _held(self) -> list[int]:
        """The numbers of all copies."""
        held = self._shelf.held
        for name in self._digests.keys() - held.keys():
            del self._digests[name]
        for name in held.keys() - self._digests.keys():
            self._digests[name] = path_digest(self._url(name))
        return list(self._digests.values())

    def _url(self, name: str) -> bytes:
        """As a client asks for it; its characters stand for themselves."""
        path = f"{self._spec.url.strip('/')}/{name}".replace("%", "%25")
        return path.encode("utf-8", "surrogateescape")

    # ----------------------------------------------------------------- the shared directory

    def _take_in(self) -> None:
        """Copies and popularity of an earlier life; the first walk says which copies are true."""
        popularity, now_s = self._hot.popularity, self._now()
        for name, score in remembered(self._shelf.local, self._spec.half_life_s, time.time()):
            popularity.add(name, score, now_s)
        held = self._shelf.held
        for name in sorted(held, key=lambda each: popularity.score(each, now_s)):
            self._hot.found(name, held[name].size)

    async def _settle_often(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._spec.rescan_s):
                    await self._changed.wait()
            await asyncio.sleep(CALM_S)
            self._changed.clear()
            await self._settle_once()

    async def _settle_once(self) -> None:
        walked = await self._walk()
        try:
            settled = await self._local_room.run(partial(self._shelf.settle, walked))
        except (OSError, SharedAway) as error:
            self.status.last_failure = f"not all presented: {error}"
            log.warning("not all presented", extra={"reason": str(error)})
            return
        if walked is not None:
            self._watch.directories([*walked.directories, *settled.directories])
        self._note(settled)

    async def _walk(self) -> Walk | None:
        """None: it is away, which `status` says."""
        if not self._shared_room.is_free:
            return None
        try:
            walked = await self._shared_room.run(self._shelf.walk, WALK_S)
        except (SharedAway, TimeoutError) as error:
            reason = str(error) or f"no answer in {WALK_S:.0f} s"
            if self.status.shared == "there":
                log.warning("shared directory away", extra={"reason": reason})
            self.status.shared = reason
            return None
        self.status.shared = "there"
        return walked

    def _note(self, settled: Settled) -> None:
        for name in settled.dropped:
            self._hot.forget(name)
            self._watch.removed(self._shelf.copies.path(name))
            log.info("original changed or gone", extra={"file": name})
        for name in settled.blocked[:HOT_SHOWN]:
            log.warning("not presented: something else has its name", extra={"file": name})
        self.status.files = len(settled.names)

    # ----------------------------------------------------------------- what is said

    def _state(self) -> State:
        spec, sessions = self._spec, self._watch.readings.sessions
        shares = [0.0]
        if spec.busy_sessions:
            shares.append(sessions / spec.busy_sessions)
        if spec.busy_rate_bytes_s:
            shares.append(self._rate_bytes_s / spec.busy_rate_bytes_s)
        free = max(0, spec.capacity_bytes - self._hot.bytes)
        return State(sessions, int(1000 * max(shares)), int(8 * self._rate_bytes_s), free)

    async def _write_often(self, sender: Sender) -> None:
        while True:
            await asyncio.sleep(STATUS_S)
            await self._write(sender)

    async def _write(self, sender: Sender) -> None:
        self.status.unreachable = dict(sender.failed)
        told = self._told()
        with suppress(OSError):  # a full disk is told by its copies, and the file grows old
            await self._local_room.run(partial(write, told, self._shelf.local))

    async def _remember_often(self) -> None:
        while True:
            await asyncio.sleep(REMEMBER_S)
            with suppress(OSError):
                work = partial(remember, self._top(), self._shelf.local, time.time())
                await self._local_room.run(work)

    def _top(self) -> list[tuple[str, float]]:
        return self._hot.popularity.top(REMEMBERED, self._now())

    def _told(self) -> Status:
        status, done, state = self.status, self._copier.done, self._state()
        status.time_s = time.time()
        status.epoch = self._shelf.copies.epoch
        status.copies, status.copied_bytes = len(self._shelf.held), self._hot.residency.bytes
        status.free_bytes, status.sessions = state.free_bytes, state.sessions
        status.rate_bits_s, status.load_permille = state.rate_bits_s, state.load_permille
        status.disk, status.copying = done.disk, done.copying
        status.copies_made, status.copies_failed = done.made, done.failed
        status.evicted, status.last_failure = done.evicted, done.last_failure
        status.refused, status.watches = self._hot.refused, self._watch.state
        status.hot = [
            (name, round(score, 3), name in self._shelf.held)
            for name, score in self._hot.popularity.top(HOT_SHOWN, self._now())
        ]
        return status
