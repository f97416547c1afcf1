"""What nobody foresaw, and what comes in the worst moment: no client waits for ever."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7lb.mail.smtp import redelivery
from l7lb.mail.smtp.carrier import Carrier
from l7lb.mail.smtp.carriers import Carriers
from l7lb.mail.smtp.redelivery import Redelivery
from l7lb.model_mail import SmtpOptions
from l7lb_protocols.smtp.extensions import Extensions
from support.peers import within
from support.smtp_rig import ENVELOPE, MailRig, MailServer

ALICE, BOB = "alice@example.org", "bob@example.org"
USERS = {ALICE: "m1", BOB: "m1"}
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


async def test_a_spooled_message_whose_try_ends_in_a_fault_is_put_off_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(redelivery, "UNSERVED_S", 3600.0)
    monkeypatch.setattr(redelivery, "LOOK_EVERY_S", 0.05)
    server = MailServer(once={f"END {BOB}": b"451 4.2.0 busy"})
    options = SmtpOptions(host_name="mx.example.org", retry_s=0.01, retry_max_s=0.01)
    async with MailRig([server], USERS, tmp_path, smtp=options) as rig:
        with monkeypatch.context() as patch:
            patch.setattr(Redelivery, "_parcels", broken)
            async with await rig.client() as client:
                assert set(await client.codes(*ENVELOPE, TO_ALICE, f"RCPT TO:<{BOB}>")) == {"250"}
                assert (await client.message())[:3] == "250"
            await rig.until(lambda: rig.office.faults)
            [entry] = rig.spool.entries.values()
            await rig.until(lambda: not entry.busy)
            assert entry.record.next_try_ms / 1000 > rig.office.wall_s()
            assert entry.record.waiting == (1,)
        assert len(rig.office.faults) == 1
        rig.office.faults.clear()
        rig.office.offset_s = redelivery.UNSERVED_S
        await rig.until(lambda: server.inboxes == {ALICE: 1, BOB: 1})
        await rig.until(lambda: rig.spool.entries == {})
