"""One LDAP connection in the event loop: many requests under way, none of which blocks.

Owns: message ids and who waits for them, the deadline of each request, the size of what comes.
Must not know: which server, why, and what answers mean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from l7lb.directory.dial import Wire
from l7lb.directory.libldap import (
    BASE,
    NO_ATTRIBUTES,
    Answer,
    Entry,
    Handle,
    LDAPError,
    Part,
    Search,
    message_of,
    reason_of,
)
from l7lb.errors import DirectoryAway

ANSWER_LIMIT_BYTES = 8 << 20
"""Of one message that has not ended yet."""
ENTRIES_LIMIT = 10_000
"""Of one answer: a look-up has two at most, a page of a listing has its size."""
BURST = 128
"""Messages taken before the loop may do something else."""
PROBE = Search("", BASE, "(objectClass=*)", (NO_ATTRIBUTES,), 1)
"""The root DSE (RFC 4512 §5.1), of which nothing is wanted."""

Send = Callable[[Handle], int]


class ConnectionLost(DirectoryAway):
    """Nothing came back; another connection may be asked."""


class Connection:
    """Made with a wire that is connected; `close` gives all up."""

    def __init__(self, wire: Wire) -> None:
        """Raises LDAPError."""
        self._loop = asyncio.get_running_loop()
        self._wire = wire
        self._handle = Handle(wire.sock.fileno())
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._entries: dict[int, list[Entry]] = {}
        """What has come of answers that have not ended."""
        self._heard_s = self._loop.time()
        self._heard_count = 0
        self._partial_from: int | None = None
        """Bytes received when the message that has not ended was first seen."""
        self._lost = ""
        self.closed = asyncio.Event()
        self._loop.add_reader(wire.sock.fileno(), self._readable)

    @property
    def outstanding(self) -> int:
        return len(self._pending)

    @property
    def is_open(self) -> bool:
        return not self._lost

    @property
    def silent_s(self) -> float:
        """Since anything was heard."""
        return self._loop.time() - self._heard_s

    async def request(self, send: Send, deadline_s: float) -> Answer:
        """Send one request and wait for its whole result.

        Raises LDAPError for a result that is an error, ConnectionLost, and DirectoryAway at the
        deadline: the request is abandoned then, and the connection closed if it said nothing at
        all in the meantime.
        """
        if self._lost:
            raise ConnectionLost(self._lost)
        message = self._sent(send)
        heard = self._heard_count
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._pending[message] = answer
        try:
            async with asyncio.timeout(deadline_s):
                return await answer
        except TimeoutError:
            if self._heard_count == heard:
                self.close(f"silent for {deadline_s:g} s")
            raise DirectoryAway(f"no answer within {deadline_s:g} s") from None
        finally:
            self._entries.pop(message, None)
            if self._pending.pop(message, None) is not None and not self._lost:
                self._abandon(message)

    def _sent(self, send: Send) -> int:
        """An error in sending is the connection's end, unless the request itself is at fault."""
        try:
            return send(self._handle)
        except LDAPError as error:
            if type(error).__name__ in {"FILTER_ERROR", "PARAM_ERROR", "ENCODING_ERROR"}:
                raise
            self.close(reason_of(error))
            raise ConnectionLost(self._lost) from None

    def _abandon(self, message: int) -> None:
        try:
            self._handle.abandon(message)
        except LDAPError as error:
            self.close(reason_of(error))

    async def probe(self, deadline_s: float) -> None:
        """Whether it is alive. Raises DirectoryAway."""
        try:
            await self.request(lambda handle: handle.search(PROBE), deadline_s)
        except LDAPError:
            return  # a refusal is an answer

    # ----------------------------------------------------------------- reading

    def _readable(self) -> None:
        for taken in range(BURST):
            if self._lost:
                return
            try:
                found = self._handle.result()
            except LDAPError as error:
                self._failed(error)
                continue
            if found is None:
                if not taken:
                    self._check_partial()
                return
            self._heard()
            self._take(found)
        self._loop.call_soon(self._readable)

    def _take(self, part: Part) -> None:
        if part.message not in self._pending:
            return
        entries = self._entries.setdefault(part.message, [])
        entries += part.entries
        if len(entries) > ENTRIES_LIMIT:
            self.close(f"an answer of more than {ENTRIES_LIMIT} entries")
        elif part.is_last:
            waiting = self._pending.pop(part.message)
            if not waiting.done():
                waiting.set_result(Answer(self._entries.pop(part.message), part.cookie))

    def _failed(self, error: Exception) -> None:
        message = message_of(error)
        if not message:
            self.close(reason_of(error))
            return
        self._heard()
        waiting = self._pending.pop(message, None)
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    def _heard(self) -> None:
        self._heard_count += 1
        self._heard_s = self._loop.time()
        self._partial_from = None

    def _check_partial(self) -> None:
        """Bytes came, and no result with them."""
        if self._wire.is_ended():
            self.close("closed by the server")
            return
        received = self._wire.received_bytes()
        if self._partial_from is None:
            self._partial_from = received
        elif received - self._partial_from > ANSWER_LIMIT_BYTES:
            self.close(f"an answer of more than {ANSWER_LIMIT_BYTES} bytes")

    def close(self, reason: str = "closed") -> None:
        """Whoever waits gets ConnectionLost with this reason. Safe to call again."""
        if self._lost:
            return
        self._lost = reason
        self._loop.remove_reader(self._wire.sock.fileno())
        pending, self._pending = self._pending, {}
        for waiting in pending.values():
            if not waiting.done():
                waiting.set_exception(ConnectionLost(reason))
        with suppress(LDAPError):  # libldap has freed it all the same
            self._handle.close()
        self._wire.close()
        self.closed.set()
