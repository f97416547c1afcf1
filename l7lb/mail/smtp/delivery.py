"""One message to one or several servers, recipient by recipient.

A transaction's servers are asked as its recipients come. With one server the message streams
through; with several it is kept first (`spool`), then goes to all at once. What came of each
recipient becomes one answer (`verdict.judge`). Must not know the client's dialogue.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from l7lb.mail.smtp.carrier import Carrier, CarrierLost, Ends
from l7lb.mail.smtp.carriers import Carriers, Sending
from l7lb.mail.smtp.office import Box, Post
from l7lb.mail.smtp.recipients import Target
from l7lb.mail.smtp.transaction import Transaction
from l7lb.mail.spool.draft import Draft
from l7lb.mail.spool.spool import Entry, Spool, SpoolFull
from l7lb_protocols.smtp.parameters import Recipient, Sender
from l7lb_protocols.smtp.replies import Reply, reply
from l7lb_protocols.smtp.spool_record import SpooledRecipient, SpoolRecord, State
from l7lb_protocols.smtp.verdict import Outcome, Status, judge

SECOND_SERVER = reply(452, b"4.5.3", "other server: send again for this recipient")
MOVES = reply(451, b"4.2.0", "the mailbox is being moved, try again later")
NO_ROOM = reply(452, b"4.3.1", "no room to keep the message, try again later")
GO_ON = reply(250, b"", "go on")
STATES = {
    Status.DELIVERED: State.DELIVERED,
    Status.TEMPORARY: State.WAITING,
    Status.PERMANENT: State.FAILED,
}


@dataclass(slots=True, eq=False)
class Group:
    """The recipients of one transaction. `places`: of each that was added, its place among all
    that were accepted; -1: it was refused."""

    transaction: Transaction
    places: list[int] = field(default_factory=list)
    boxes: list[Box | None] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return any(place >= 0 for place in self.places)


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a message is kept. `kept` is told of each entry that somebody must deliver later."""

    spool: Spool
    service: str
    queue_id: str
    wall_s: Callable[[], float]
    kept: Callable[[Entry], None]


class Delivery:
    """`recipient` for each, `start`, `write` …, `finish`; or `abandon` at any time."""

    def __init__(
        self,
        carriers: Carriers,
        post: Post,
        sending: Sending,
        sender: Sender,
        keeping: Keeping | None,
    ) -> None:
        self.sender = sender
        self.recipients: list[Recipient] = []
        self.on_unblocked: Callable[[], None] = _nothing
        self.spawn: Callable[[Coroutine[Any, Any, None]], object] = _refuse_work
        self.carriers_used: list[Carrier] = []
        self._carriers = carriers
        self._post = post
        self._sending = sending
        self._keeping = keeping
        self._groups: dict[tuple[str, bytes], Group] = {}
        self._stream: Group | None = None
        self._draft: Draft | None = None
        self._no_room = False
        self._spilling: asyncio.Event | None = None
        self._over = False
        self._is_passed_on = False
        """A server is logged in at with what the client gave, which is never kept: neither is the
        message then."""
        self._noting = asyncio.Lock()

    # ------------------------------------------------------------------ recipients

    async def recipient(self, recipient: Recipient, target: Target) -> Reply:
        """The server's word. A connection that had been kept and turns out to be dead is replaced
        once, since nothing but MAIL can have been said on it."""
        group = self._groups.get(target.key)
        is_second = group is None and any(one.holds for one in self._groups.values())
        if is_second and not (self._may_keep and _may_keep(target)):
            return SECOND_SERVER
        try:
            if group is None:
                group = await self._open(target)
            answer = await self._add(group, recipient, target.box)
            if group.transaction.carrier.leg.is_open or group.holds or self._over:
                return answer
            del self._groups[target.key]
            return await self._add(await self._open(target), recipient, target.box)
        except CarrierLost as lost:
            return lost.reply

    @property
    def _may_keep(self) -> bool:
        return self._keeping is not None and not self._is_passed_on

    async def _open(self, target: Target) -> Group:
        self._is_passed_on |= not _may_keep(target)
        carrier = await self._carriers.open(target, self._sending)
        self.carriers_used.append(carrier)
        carrier.on_drained = self._unblocked
        group = Group(Transaction(carrier, self.sender))
        self._groups[target.key] = group
        if self._over:
            group.transaction.take_back()
        return group

    async def _add(self, group: Group, recipient: Recipient, box: Box | None) -> Reply:
        answer = await group.transaction.add(recipient)
        group.boxes.append(box)
        group.places.append(len(self.recipients) if answer.is_positive else -1)
        if answer.is_positive:
            self.recipients.append(recipient)
        return answer

    # ------------------------------------------------------------------ the message

    async def start(self, head: bytes) -> Reply:
        """Positive: the message may come; `head` is put before it."""
        holding = [group for group in self._groups.values() if group.holds]
        for group in self._groups.values():
            if not group.holds:
                group.transaction.take_back()
        several = len(holding) > 1
        by_one = not several and holding[0].transaction.carrier.lmtp and len(self.recipients) > 1
        if several or (by_one and self._may_keep):
            try:
                assert self._keeping is not None
                self._draft = self._keeping.spool.draft()
            except SpoolFull:
                if several:
                    return NO_ROOM
        if not several:
            self._stream = holding[0]
            if not self._stream.transaction.address(self._stream.boxes, self._post):
                return MOVES
            if not await self._stream.transaction.data():
                return self._answer_now(self._stream)
        self.write(head)
        return GO_ON

    def _answer_now(self, group: Group) -> Reply:
        """The server does not want the message."""
        verdict = judge(self._outcomes([group]), spooled=False)
        if verdict.reply.is_positive:  # it may not accept what it has not seen
            return reply(451, b"4.5.0", "the server accepts what it has not seen")
        return verdict.reply

    @property
    def is_blocked(self) -> bool:
        """Read no more of the message until `on_unblocked`."""
        slow = self._stream is not None and self._stream.transaction.carrier.is_full
        return slow or self._spilling is not None

    def write(self, piece: bytes) -> None:
        if self._stream is not None:
            self._stream.transaction.write(piece)
        if self._draft is None:
            return
        try:
            self._draft.add(piece)
        except SpoolFull:
            self._lose_draft()
            return
        if self._draft.is_full and self._spilling is None:
            self._spilling = asyncio.Event()
            self.spawn(self._spill(self._draft, self._spilling))

    async def _spill(self, draft: Draft, done: asyncio.Event) -> None:
        assert self._keeping is not None
        try:
            await self._keeping.spool.spill(draft)
        except SpoolFull:
            self._lose_draft()
        self._spilling = None
        done.set()
        if self._over or self._draft is not draft:
            draft.close()
        self._unblocked()

    def _lose_draft(self) -> None:
        """No room. With one server all may still go well without."""
        self._no_room = self._stream is None
        draft, self._draft = self._draft, None
        if draft is not None and self._spilling is None:
            draft.close()

    def _unblocked(self) -> None:
        if not self.is_blocked and not self._over:
            self.on_unblocked()

    async def finish(self) -> Reply:
        """The message is whole: the answer to the client. When it is positive, everything that
        is not delivered is on disk."""
        if self._spilling is not None:
            await self._spilling.wait()
        try:
            if self._stream is not None:
                return await self._finish_stream(self._stream)
            if self._no_room or self._draft is None:
                return self._give_up(NO_ROOM)
            return await self._finish_several(self._draft)
        finally:
            self._over = True
            if self._draft is not None:
                self._draft.close()

    async def _finish_stream(self, group: Group) -> Reply:
        await group.transaction.finish()
        outcomes = self._outcomes([group])
        verdict = judge(outcomes, spooled=self._draft is not None)
        if not (verdict.retry or verdict.report) or self._draft is None:
            return verdict.reply
        try:
            entry = await self._keep(self._draft, outcomes)
        except SpoolFull:
            return judge(outcomes, spooled=False).reply
        await self._hand_on(entry, entry.record)
        return verdict.reply

    async def _finish_several(self, draft: Draft) -> Reply:
        """Safe on disk first: from then on no crash can lose it."""
        assert self._keeping is not None
        spool = self._keeping.spool
        try:
            entry = await self._keep(draft, None)
        except SpoolFull:
            return self._give_up(NO_ROOM)
        groups = [group for group in self._groups.values() if group.holds]
        await asyncio.gather(*(self._deliver_kept(group, groups, entry) for group in groups))
        outcomes = self._outcomes(groups)
        verdict = judge(outcomes)
        if not verdict.reply.is_positive or self._over:
            await spool.remove(entry)  # the client keeps it, and comes again
            return verdict.reply
        record = self._record(outcomes, entry.record.message_bytes, entry.record.message_digest)
        await self._hand_on(entry, record)
        return verdict.reply

    async def _deliver_kept(self, group: Group, groups: list[Group], entry: Entry) -> None:
        """While others are not done, what came of this one goes to disk, lest a crash repeat it."""
        assert self._keeping is not None
        spool, old = self._keeping.spool, entry.record
        await self._deliver(group, spool.pieces(entry))
        async with self._noting:
            done = [one for one in groups if one.transaction.ended is not None]
            if len(done) < len(groups):
                outcomes = self._outcomes(done)
                record = self._record(outcomes, old.message_bytes, old.message_digest)
                await spool.update(entry, record)

    async def _hand_on(self, entry: Entry, record: SpoolRecord) -> None:
        assert self._keeping is not None
        if record is not entry.record:
            await self._keeping.spool.update(entry, record)
        entry.busy = False
        if not record.is_settled:
            self._keeping.kept(entry)

    async def _deliver(self, group: Group, pieces: AsyncIterator[bytes]) -> None:
        transaction = group.transaction
        if transaction.address(group.boxes, self._post) and await transaction.data():
            with suppress(OSError):  # a disk that cannot be read: not finished, so temporary
                async for piece in pieces:
                    transaction.write(piece)
                    await transaction.drain()
                await transaction.finish()
                return
            transaction.take_back()

    def _outcomes(self, groups: list[Group]) -> list[Outcome]:
        """Of all accepted recipients, in their order."""
        found: dict[int, Outcome] = {}
        for group in groups:
            ends: Ends = group.transaction.ended or ()
            pairs = zip(group.places, ends, strict=False)
            found.update({place: end for place, end in pairs if place >= 0})
        lost = Outcome(Status.TEMPORARY, reply(451, b"4.4.2", "connection to the server lost"))
        return [found.get(place, lost) for place in range(len(self.recipients))]

    # ------------------------------------------------------------------ keeping

    async def _keep(self, draft: Draft, outcomes: list[Outcome] | None) -> Entry:
        keeping = self._keeping
        assert keeping is not None
        record = self._record(outcomes, draft.size, draft.digest)
        return await keeping.spool.keep(draft, keeping.service, keeping.queue_id, record)

    def _record(self, outcomes: list[Outcome] | None, size: int, digest: bytes) -> SpoolRecord:
        assert self._keeping is not None
        recipients = tuple(map(SpooledRecipient, self.recipients))
        if outcomes is not None:
            recipients = tuple(
                replace(one, state=STATES[end.status], tries=1, reply=end.reply)
                for one, end in zip(recipients, outcomes, strict=True)
            )
        return SpoolRecord(
            self.sender,
            recipients,
            arrival_ms=int(self._keeping.wall_s() * 1000),
            tries=0 if outcomes is None else 1,
            message_bytes=size,
            message_digest=digest,
            client=self._sending.attributes or None,
        )

    # ------------------------------------------------------------------ the end

    def _give_up(self, answer: Reply) -> Reply:
        for group in self._groups.values():
            group.transaction.take_back()
        return answer

    def abandon(self) -> None:
        """The client took it back, left, or sent what is refused. What a server has whole by now
        cannot be taken back."""
        if self._over:
            return
        self._over = True
        self._give_up(NO_ROOM)
        if self._draft is not None and self._spilling is None:
            self._draft.close()


def _may_keep(target: Target) -> bool:
    login = target.pool.spec.smtp_login
    return login is None or login.secret is not None


def _nothing() -> None: ...


def _refuse_work(work: Coroutine[Any, Any, None]) -> None:
    work.close()
    raise AssertionError("nobody to do the work")
