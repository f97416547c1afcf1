"""A transaction that is over says and hears nothing more on a connection that works for others."""

from __future__ import annotations

from l7lb.mail.smtp.carrier import Carrier, CarrierLimits
from l7lb.mail.smtp.transaction import OVER, Transaction
from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.smtp.client_session import ClientSettings
from l7lb_protocols.smtp.parameters import parse_recipient, parse_sender
from l7lb_protocols.smtp.verdict import Status
from support.peers import within
from support.smtp_rig import MailRig, MailServer

ALICE, BOB = "alice@example.org", "bob@example.org"
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
