"""The director's ear: datagrams in, lists fetched, holdings kept.

Owns the socket and the fetching. What it takes in it also hands on, as values that can be pickled,
so that one process may hear for several. It must not know how servers are chosen.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from l7lb.media.hot.holdings import Heard, Holdings
from l7lb.media.hot.lists import NoList, fetch_list
from l7lb.media.hot.sockets import listener
from l7lb.model_hot_files import AnnounceSpec
from l7lb_protocols.announce.datagram import DATAGRAM_BYTES, Announcement, parse
from l7lb_protocols.announce.errors import AnnounceRefusal
from l7lb_protocols.announce.listing import Listing

log = logging.getLogger("l7lb.media.hot")
READ_MOST = 256
"""Datagrams read before others have their turn."""
AGAIN_S = 1.0
"""A list of one node is asked for no sooner than so long after the last time."""
COMPLAIN_EVERY_S = 60.0
Said = Announcement | Listing


class Receiver:
    """Call `open` in a running loop. Raises CannotStart there."""

    def __init__(
        self,
        spec: AnnounceSpec,
        holdings: Holdings,
        now: Callable[[], float] = time.monotonic,
        on_said: Callable[[Said], None] = lambda _: None,
    ) -> None:
        self._spec = spec
        self._holdings = holdings
        self._now = now
        self._on_said = on_said
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._complained_s = float("-inf")
        self.refused = 0
        self.old = 0
        self.last_refusal = ""

    def open(self) -> int:
        """The port."""
        spec = self._spec
        self._sock = listener(spec.listen, spec.to, spec.interface)
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._read)
        return int(self._sock.getsockname()[1])

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._sock.close()
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _read(self) -> None:
        for _ in range(READ_MOST):
            try:
                data, where = self._sock.recvfrom(DATAGRAM_BYTES + 1)
            except BlockingIOError:
                return
            except OSError as error:
                self._refuse(str(error))
                return
            self._hear(data, where[0])

    def _hear(self, data: bytes, host: str) -> None:
        try:
            said = parse(data, self._spec.secret.value)
        except AnnounceRefusal as refusal:
            self._refuse(f"from {host}: {refusal}")
            return
        heard = self._holdings.hear(said, self._now())
        if heard is Heard.OLD:
            self.old += 1
            return
        if heard is Heard.CROWD:
            self._refuse(f"from {host}: too many nodes")
            return
        self._on_said(said)
        if heard is Heard.LIST and said.node not in self._fetching:
            task = asyncio.get_running_loop().create_task(self._fetch(said.node, host))
            self._fetching[said.node] = task

    async def _fetch(self, node: str, host: str) -> None:
        try:
            port = self._holdings.list_port(node)
            listing = await fetch_list(host, port, self._spec.secret.value)
            if listing.node == node:
                self._holdings.learn(listing, self._now())
                self._on_said(listing)
            await asyncio.sleep(AGAIN_S)
        except NoList as error:
            self._complain(f"no list of {node}: {error}")
            await asyncio.sleep(AGAIN_S)
        finally:
            self._fetching.pop(node, None)

    def _refuse(self, why: str) -> None:
        self.refused += 1
        self.last_refusal = why
        self._complain(f"refused {why}")

    def _complain(self, what: str) -> None:
        """Once a minute: whoever sends nonsense must not fill the log."""
        if self._now() - self._complained_s >= COMPLAIN_EVERY_S:
            self._complained_s = self._now()
            log.warning("announcements", extra={"reason": what})
