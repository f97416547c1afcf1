"""One transaction on a carrier's connection, void when it is over.

The carrier is free at that moment, and may work for another message before whoever waits here
wakes up. So what came of this one is kept here, and nothing that is still said to it gets there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from l7lb.mail.smtp.carrier import Carrier, Ends
from l7lb.mail.smtp.office import Box, Post
from l7lb_protocols.smtp.extensions import COMING, Content
from l7lb_protocols.smtp.parameters import Recipient, Sender
from l7lb_protocols.smtp.replies import Reply, reply
from l7lb_protocols.smtp.verdict import Status

OVER = reply(451, b"4.4.2", "the server has ended this transaction")


class Transaction:
    """`await add(…)` for each recipient, `address(…)`, `await data()`, `write` …,
    `await finish()`."""

    def __init__(self, carrier: Carrier, sender: Sender, content: Content = COMING) -> None:
        self.carrier = carrier
        self._ends = carrier.begin(sender, content)
        self.sent = 0
        """Octets of the message."""

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

    def address(self, boxes: Sequence[Box | None], post: Post) -> bool:
        """The accounts of all recipients that were added. False: one of them moves; the
        transaction is taken back."""
        over = post.deliver_to({box for box in boxes if box is not None})
        if over is None:
            self.take_back()
            return False

        def ended(ends: asyncio.Future[Ends]) -> None:
            over()
            for box, end in zip(boxes, ends.result(), strict=False):
                if box is not None and end.status is Status.DELIVERED:
                    post.delivered(box, self.sent)

        self._ends.add_done_callback(ended)
        return True

    async def data(self) -> bool:
        """DATA; False: the transaction is over, see `ended`."""
        return not self.is_over and await self.carrier.data()

    def write(self, piece: bytes) -> None:
        """Ignored when the transaction is over already."""
        if not self.is_over:
            self.sent += len(piece)
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
