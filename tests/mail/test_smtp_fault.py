"""What nobody foresaw, and what comes in the worst moment: no client waits for ever."""

from __future__ import annotations

import pytest

from l7lb.mail.smtp.carrier import Carrier
from l7lb.mail.smtp.carriers import Carriers
from l7lb_protocols.smtp.extensions import Extensions
from support.peers import within
from support.smtp_rig import ENVELOPE, MailRig, MailServer

ALICE = "alice@example.org"
USERS = {ALICE: "m1"}
TO_ALICE = f"RCPT TO:<{ALICE}>"


async def test_a_server_that_ends_in_the_moment_it_is_ready_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its end is heard before whoever waits for it wakes up."""
    ready = Carrier.ready

    async def dying(carrier: Carrier) -> Extensions:
        extensions = await ready(carrier)
        carrier.leg_ended()
        return extensions

    async with MailRig([server := MailServer()], USERS) as rig, await rig.client() as client:
        with monkeypatch.context() as patch:
            patch.setattr(Carrier, "ready", dying)
            assert await client.codes(*ENVELOPE, TO_ALICE) == ["250", "250", "451"]
        assert await client.codes(TO_ALICE) == ["250"]
        assert (await client.message())[:3] == "250"
    assert server.inboxes == {ALICE: 1}


async def test_a_fault_of_ours_ends_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> Carrier:
        raise ZeroDivisionError

    monkeypatch.setattr(Carriers, "open", broken)
    async with MailRig([MailServer()], USERS) as rig, await rig.client() as client:
        assert await client.codes(*ENVELOPE, TO_ALICE) == ["250", "250", "421"]
        assert await within(client.reader.read()) == b""
        await rig.until(lambda: rig.office.faults)
        [fault] = rig.office.faults
        assert isinstance(fault, ZeroDivisionError)
        rig.office.faults.clear()
