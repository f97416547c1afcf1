"""One transaction on a carrier's connection, void when it is over.

The carrier is free at that moment, and may work for another message before whoever waits here
wakes up. So what came of this one is kept here, and nothing that is still said to it gets there.
"""

from __future__ import annotations

import asyncio

from l7lb.mail.smtp.carrier import Carrier, Ends
from l7lb_protocols.smtp.extensions import COMING, Content
from l7lb_protocols.smtp.parameters import Recipient, Sender
from l7lb_protocols.smtp.replies import Reply, reply

OVER = reply(451, b"4.4.2", "the server has ended this transaction")


class Transaction:
    """`await add(…)` for each recipient, `await data()`, `write` …, `await finish()`."""

    def __init__(self, carrier: Carrier, sender: Sender, content: Content = COMING) -> None:
        self.carrier = carrier
        self._ends = carrier.begin(sender, content)

    @property
    def is_over(self) -> bool:
        return self._ends.done()

    @property
    def ended(self) -> Ends | None:
        """The ends of all recipients, if it is over."""
        return self._ends.result() if self._ends.done() else None

    async def add(self, recipient: Recipient) -> Reply:
        """The server's word on this recipient. Recipients may be added while others wait."""
        return OVER if self.is_over else await self.carrier.add(recipient)

    async def data(self) -> bool:
        """DATA; False: the transaction is over, see `ended`."""
        return not self.is_over and await self.carrier.data()

    def write(self, piece: bytes) -> None:
        """Ignored when the transaction is over already."""
        if not self.is_over:
            self.carrier.write(piece)

    async def drain(self) -> None:
        """Until the server has taken what was written, or is given up."""
        if not self.is_over:
            await self.carrier.drain()

    async def finish(self) -> Ends:
        if not self.is_over:
            self.carrier.finish()
        return await asyncio.shield(self._ends)

    def take_back(self) -> None:
        """See `Carrier.take_back`; what is over stays as it is."""
        if not self.is_over:
            self.carrier.take_back()
