"""What media servers say of their hot files, heard once for all workers of a director.

Lives in the supervisor; workers are handed each word, and a new worker what is known so far.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from l7lb.media.hot.errors import HotFilesError
from l7lb.media.hot.holdings import Holdings
from l7lb.media.hot.receiver import Receiver, Said
from l7lb.model import ClusterSpec
from l7lb.model_hot_files import AnnounceSpec

Note = Callable[[str, int, dict[str, object]], None]


class HotEar:
    """`reconcile` with each running file; `told` is called with each word that is good."""

    def __init__(self, note: Note, told: Callable[[Said], None]) -> None:
        self._note = note
        self._told = told
        self._spec: AnnounceSpec | None = None
        self._receiver: Receiver | None = None
        self._holdings = Holdings()
        self._closing: set[asyncio.Task[None]] = set()

    def reconcile(self, spec: ClusterSpec) -> None:
        """Never waits, never fails: without an ear the pool's scheduler decides."""
        hot = spec.hot_files
        wanted = hot.announce if hot is not None and spec.has_media else None
        if wanted == self._spec:
            return
        self._stop()
        self._spec = wanted
        if wanted is None:
            return
        self._holdings = Holdings()
        receiver = Receiver(wanted, self._holdings, on_said=self._told)
        try:
            port = receiver.open()
        except HotFilesError as error:
            self._note("hot-files-not-heard", logging.ERROR, {"reason": str(error)})
            return
        self._receiver = receiver
        self._note("hot-files-heard", logging.INFO, {"port": port})

    def known(self) -> list[Said]:
        """For a worker that begins."""
        return self._holdings.told()

    def view(self) -> dict[str, object] | None:
        """JSON, by server; None: not in use."""
        receiver = self._receiver
        if receiver is None:
            return None
        nodes = {
            node.name: {
                "age_s": round(node.age_s, 1),
                "believed": node.is_fresh,
                "sessions": node.sessions,
                "load": node.load,
                "files": node.files,
                "free_bytes": node.free_bytes,
            }
            for node in self._holdings.nodes(time.monotonic())
        }
        return {"servers": nodes, "refused": receiver.refused, "why": receiver.last_refusal}

    def _stop(self) -> None:
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            task = asyncio.get_running_loop().create_task(receiver.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        self._stop()
        await asyncio.gather(*self._closing, return_exceptions=True)
