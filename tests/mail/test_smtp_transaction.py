"""A transaction that is over says and hears nothing more on a connection that works for others."""

from __future__ import annotations

import asyncio
from pathlib import Path

from l7lb.mail.smtp.carrier import Carrier, CarrierLimits
from l7lb.mail.smtp.transaction import OVER, Transaction
from l7lb.model_mail import SmtpOptions
from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.smtp.client_session import ClientSettings
from l7lb_protocols.smtp.parameters import parse_recipient, parse_sender
from l7lb_protocols.smtp.verdict import Status
from support.peers import within
from support.smtp_rig import ENVELOPE, MailRig, MailServer

ALICE, BOB, SAM = (f"{name}@example.org" for name in ("alice", "bob", "sam"))
USERS = {ALICE: "m1", BOB: "m1"}
SENDER = parse_sender(b"FROM:<sam@sender.example>")
FIRST, SECOND = (parse_recipient(b"TO:<%s>" % name.encode()) for name in (ALICE, BOB))


async def test_what_came_of_it_outlives_the_next_one_on_its_connection() -> None:
    """The carrier is used again in the very moment in which it is free."""
    async with MailRig([server := MailServer()], USERS) as rig:
        engine = rig.rig.engine
        slot = engine.pools["mail"].take(PlainFacts())
        assert slot is not None
        settings = ClientSettings(b"mx.example.org", lmtp=True)
        carrier = Carrier(engine, engine.pools["mail"], slot, settings, CarrierLimits(9, 9, 9))
        carrier.connect(server.port)
        await within(carrier.ready())
        others: list[Transaction] = []
        carrier.on_free = lambda free, usable: (
            others.append(Transaction(free, SENDER)) if usable and not others else None
        )
        one = Transaction(carrier, SENDER)
        assert (await within(one.add(FIRST))).code == 250
        assert await within(one.data())
        one.write(b"Subject: one\r\n\r\n")
        ends = await within(one.finish())
        assert [end.status for end in ends] == [Status.DELIVERED]
        assert one.ended == ends
        (other,) = others
        one.take_back()
        one.write(b"no part of the other\r\n")
        assert await within(one.add(FIRST)) == OVER
        assert not await within(one.data())
        assert not other.is_over
        assert (await within(other.add(SECOND))).code == 250
        assert await within(other.data())
        other.write(b"Subject: other\r\n\r\n")
        assert [end.status for end in await within(other.finish())] == [Status.DELIVERED]
        carrier.quit()
    assert [(m.recipients, m.data) for m in server.messages] == [
        ([ALICE], b"Subject: one\r\n\r\n"),
        ([BOB], b"Subject: other\r\n\r\n"),
    ]


class Slow(MailServer):
    """Says what came of a message when it may."""

    may_end: asyncio.Event

    async def _say(self, writer: asyncio.StreamWriter, key: str, usual: bytes) -> bool:
        if key.startswith("END"):
            await self.may_end.wait()
        return await super()._say(writer, key, usual)


async def test_what_became_of_another_message_is_nothing_to_one_in_the_spool(
    tmp_path: Path,
) -> None:
    """Its first server said "later", and took another message over the same connection, while its
    second server was slow. It has to come again."""
    busy, slow = MailServer(once={f"END {ALICE}": b"451 4.2.0 busy"}), Slow()
    slow.may_end = asyncio.Event()
    users = {ALICE: "m1", BOB: "m1", SAM: "m2"}
    options = SmtpOptions(host_name="mx.example.org", retry_s=0.01, retry_max_s=0.01)
    async with MailRig([busy, slow], users, tmp_path, smtp=options) as rig:
        desk = rig.plug.start(rig.rig.engine)
        async with await rig.client() as one, await rig.client() as other:
            to_both = (f"RCPT TO:<{ALICE}>", f"RCPT TO:<{SAM}>")
            assert set(await one.codes(*ENVELOPE, *to_both)) == {"250"}
            answer = asyncio.create_task(one.message())
            await rig.until(lambda: desk.carriers.idle == 1)
            assert set(await other.codes(*ENVELOPE, f"RCPT TO:<{BOB}>")) == {"250"}
            assert (await other.message())[:3] == "250"
            assert (busy.connections, busy.inboxes) == (1, {BOB: 1})
            slow.may_end.set()
            assert (await within(answer))[:3] == "250"
            await rig.until(lambda: busy.inboxes == {ALICE: 1, BOB: 1})
            await rig.until(lambda: rig.spool.entries == {})
        assert slow.inboxes == {SAM: 1}
