"""What was kept is delivered later: tried again with growing waits, given up, reported.

Takes over what dead workers left. One entry is in one hand at a time (`Entry.busy`). After every
server the entry's new state is on disk, so that a crash repeats as little as can be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from l7lb.mail.smtp.carrier import CarrierLost
from l7lb.mail.smtp.carriers import Sending
from l7lb.mail.smtp.desk import Desk, host_name
from l7lb.mail.smtp.entrance import Holder
from l7lb.mail.smtp.office import Box
from l7lb.mail.smtp.received import new_queue_id
from l7lb.mail.smtp.recipients import Client, Refused, Target
from l7lb.mail.smtp.report import HEAD_LIMIT, Original, failure_report, wants_report
from l7lb.mail.smtp.transaction import Transaction
from l7lb.mail.spool.spool import Entry, Spool, SpoolFull
from l7lb.model_mail import SmtpOptions
from l7lb.net.host import Host
from l7lb.net.service import Service
from l7lb_protocols.smtp.address import NULL
from l7lb_protocols.smtp.extensions import Content
from l7lb_protocols.smtp.parameters import MailParameters, Recipient, Sender
from l7lb_protocols.smtp.replies import reply
from l7lb_protocols.smtp.spool_record import SpooledRecipient, SpoolRecord, State
from l7lb_protocols.smtp.verdict import Outcome, Status, status_of

AT_ONCE = 10
"""Entries that are tried at the same time."""
LOOK_EVERY_S = 5.0
"""For lanes of dead workers."""
UNSERVED_S = 60.0
"""Until the next look at an entry that cannot be tried: its service is not in the rules any more,
or the try ended in a fault of ours."""
LOST = Outcome(Status.TEMPORARY, reply(451, b"4.4.2", "connection to the server lost"))
log = logging.getLogger("l7lb.mail")


@dataclass(frozen=True, slots=True)
class Parcel:
    """Recipients of one entry with one server, by their place in the record."""

    target: Target
    places: list[int]
    boxes: list[Box | None]


class Redelivery:
    """`run` until `stop`."""

    def __init__(self, desk: Desk, host: Host, spool: Spool) -> None:
        self._desk = desk
        self._host = host
        self._spool = spool
        self._wake = asyncio.Event()
        self._stopped = False
        self._slots = asyncio.Semaphore(AT_ONCE)

    def kept(self, entry: Entry) -> None:
        """A new entry that is owed to somebody."""
        options = self._options(entry)
        if options is not None and entry.record.waiting:
            entry.record = replace(entry.record, next_try_ms=self._next_try(entry.record, options))
        self._wake.set()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    async def run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            for entry in list(self._spool.entries.values()):
                if not entry.busy and self._is_due(entry):
                    entry.busy = True
                    self._desk.office.spawn(self._try(entry))
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._wake.wait()
            except TimeoutError:
                await self._look()

    async def _look(self) -> None:
        try:
            taken = await self._spool.take_over()
        except OSError as problem:
            log.error("spool cannot be read", extra={"reason": str(problem)})
            return
        if taken:
            log.info("spooled messages taken over", extra={"messages": len(taken)})

    def _pause_s(self) -> float:
        """Until the next entry is due, but not longer than LOOK_EVERY_S."""
        now_ms = self._now_ms()
        waits = [e.record.next_try_ms - now_ms for e in self._spool.entries.values() if not e.busy]
        return min([LOOK_EVERY_S, *(max(wait, 10) / 1000 for wait in waits)])

    def _is_due(self, entry: Entry) -> bool:
        now_ms, record = self._now_ms(), entry.record
        return (bool(record.unreported) and entry.report_at_ms <= now_ms) or (
            bool(record.waiting) and record.next_try_ms <= now_ms
        )

    def _now_ms(self) -> int:
        return int(self._desk.office.wall_s() * 1000)

    def _options(self, entry: Entry) -> SmtpOptions | None:
        service = self._host.services.get(entry.service)
        return service.spec.smtp if service is not None else None

    def _next_try(self, record: SpoolRecord, options: SmtpOptions) -> int:
        wait_s = min(options.retry_s * 2 ** min(max(record.tries - 1, 0), 32), options.retry_max_s)
        return self._now_ms() + int(wait_s * 1000)

    # ------------------------------------------------------------------ one try

    async def _try(self, entry: Entry) -> None:
        try:
            async with self._slots:
                service = self._host.services.get(entry.service)
                if service is None:
                    self._put_off(entry)
                    return
                if entry.record.waiting and entry.record.next_try_ms <= self._now_ms():
                    await self._deliver(entry, service)
                if entry.record.unreported:
                    await self._report(entry, service)
        except Exception:
            self._put_off(entry)  # the office logs it; the next look must not find it due again
            raise
        finally:
            entry.busy = False
            self._wake.set()

    def _put_off(self, entry: Entry) -> None:
        later = self._now_ms() + int(UNSERVED_S * 1000)
        entry.record = replace(entry.record, next_try_ms=later)
        entry.report_at_ms = later

    async def _deliver(self, entry: Entry, service: Service) -> None:
        for parcel in await self._parcels(entry, service):
            ends = await self._send(entry, service, parcel)
            await self._note(entry, dict(zip(parcel.places, ends, strict=True)))
        if not entry.record.waiting:
            return
        record, options = entry.record, service.spec.smtp
        record = replace(record, tries=record.tries + 1)
        record = replace(record, next_try_ms=self._next_try(record, options))
        if self._now_ms() - record.arrival_ms >= options.give_up_s * 1000:
            record = _changed(record, dict.fromkeys(record.waiting, State.FAILED))
        await self._spool.update(entry, record)

    async def _parcels(self, entry: Entry, service: Service) -> list[Parcel]:
        """Who goes where, by the directory and the rules as they are now."""
        parcels: dict[tuple[str, bytes], Parcel] = {}
        refused: dict[int, Outcome] = {}
        is_report = entry.record.sender.address.is_null
        told = entry.record.client or {}
        client = Client(told.get(b"ADDR", b"").decode(), account=told.get(b"LOGIN", b""))
        unknown_too = service.spec.smtp.accept_unknown or is_report
        for place in entry.record.waiting:
            address = entry.record.recipients[place].recipient.address
            try:
                target = await self._desk.finder.find(
                    service, client, address, unknown_too=unknown_too
                )
            except Refused as answer:
                refused[place] = Outcome(status_of(answer.reply), answer.reply)
                continue
            parcel = parcels.setdefault(target.key, Parcel(target, [], []))
            parcel.places.append(place)
            parcel.boxes.append(target.box)
        if refused:
            await self._note(entry, refused)
        return list(parcels.values())

    async def _send(self, entry: Entry, service: Service, parcel: Parcel) -> list[Outcome]:
        """One outcome for each of the parcel's places."""
        count = len(parcel.places)
        told = entry.record.client or {}
        name = host_name(service.spec, self._desk.name)
        holder = Holder(told.get(b"LOGIN", b""))
        sending = Sending(name, told, told.get(b"ADDR", b"").decode(), holder=holder)
        try:
            carrier = await self._desk.carriers.open(parcel.target, sending)
        except CarrierLost as lost:
            return [Outcome(Status.TEMPORARY, lost.reply)] * count
        content = Content(entry.record.message_bytes)
        transaction = Transaction(carrier, entry.record.sender, content)
        recipients = [entry.record.recipients[place].recipient for place in parcel.places]
        await asyncio.gather(*map(transaction.add, recipients))
        if transaction.address(parcel.boxes, self._desk.office) and await transaction.data():
            try:
                await _write_all(transaction, self._spool.pieces(entry))
                await transaction.finish()
            except OSError as problem:
                transaction.take_back()
                log.error("spool cannot be read", extra={"reason": str(problem)})
        ends = list(transaction.ended or ())
        return (ends + [LOST] * count)[:count]

    async def _note(self, entry: Entry, ends: dict[int, Outcome]) -> None:
        """To disk, for each recipient."""
        recipients = list(entry.record.recipients)
        for place, end in ends.items():
            one = recipients[place]
            state = _STATES[end.status]
            recipients[place] = replace(one, state=state, tries=one.tries + 1, reply=end.reply)
            log.info(
                "spooled message tried",
                extra={
                    "queue_id": entry.queue_id,
                    "recipient": one.recipient.address.text.decode("utf-8", "replace"),
                    "state": state.value,
                    "reply": str(end.reply),
                },
            )
        await self._spool.update(entry, replace(entry.record, recipients=tuple(recipients)))

    # ------------------------------------------------------------------ reports

    async def _report(self, entry: Entry, service: Service) -> None:
        """To the sender, through the spool as well: the report is safe before the failure counts
        as reported."""
        record = entry.record
        failed = [record.recipients[place] for place in record.unreported]
        wanted = [one for one in failed if wants_report(one.recipient)]
        for one in failed:
            log.warning("message not delivered", extra=_lost(entry, one))
        if wanted and not record.sender.address.is_null:
            try:
                head = await self._spool.head(entry, HEAD_LIMIT)
                await self._keep_report(
                    entry, service, Original(record, wanted, head, entry.queue_id)
                )
            except (SpoolFull, OSError) as problem:
                log.error("report not written", extra={"reason": str(problem)})
                entry.report_at_ms = self._now_ms() + int(UNSERVED_S * 1000)
                return
        reported = _changed(record, dict.fromkeys(record.unreported, State.REPORTED))
        await self._spool.update(entry, reported)

    async def _keep_report(self, entry: Entry, service: Service, original: Original) -> None:
        office = self._desk.office
        report_id = new_queue_id(office.wall_s(), office.random())
        name = host_name(service.spec, self._desk.name)
        draft = self._spool.draft()
        try:
            draft.add(failure_report(name, original, report_id, office.wall_s()))
            to = original.record.sender.address
            record = SpoolRecord(
                Sender(NULL, MailParameters(smtputf8=not to.is_ascii)),
                (SpooledRecipient(Recipient(to)),),
                arrival_ms=self._now_ms(),
                message_bytes=draft.size,
                message_digest=draft.digest,
            )
            kept = await self._spool.keep(draft, entry.service, report_id, record)
        finally:
            draft.close()
        kept.busy = False


_STATES = {
    Status.DELIVERED: State.DELIVERED,
    Status.TEMPORARY: State.WAITING,
    Status.PERMANENT: State.FAILED,
}


async def _write_all(transaction: Transaction, pieces: AsyncIterator[bytes]) -> None:
    async for piece in pieces:
        transaction.write(piece)
        await transaction.drain()


def _changed(record: SpoolRecord, states: Mapping[int, State]) -> SpoolRecord:
    recipients = tuple(
        replace(one, state=states.get(place, one.state))
        for place, one in enumerate(record.recipients)
    )
    return replace(record, recipients=recipients)


def _lost(entry: Entry, one: SpooledRecipient) -> dict[str, object]:
    return {
        "queue_id": entry.queue_id,
        "recipient": one.recipient.address.text.decode("utf-8", "replace"),
        "reason": str(one.reply) if one.reply is not None else "given up",
    }
