"""One message to several recipients and servers: who gets it, what is said, what is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.mail.smtp import redelivery
from l7lb.mail.smtp.delivery import NO_ROOM, SECOND_SERVER
from l7lb.mail.spool.spool import SpoolLimits
from l7lb.model import Timeouts
from l7lb.model_mail import SmtpOptions
from support.smtp_rig import DROP, ENVELOPE, HANG, MailRig, MailServer

ALICE, BOB, CAROL, SAM = (f"{n}@example.org" for n in ("alice", "bob", "carol", "sam"))
USERS = {ALICE: "m1", BOB: "m1", CAROL: "m2", SAM: "m1"}
TO_ALL = tuple(f"RCPT TO:<{one}>" for one in (ALICE, BOB, CAROL))
OPTIONS = SmtpOptions(host_name="mx.example.org", retry_s=0.01, retry_max_s=0.01)
FROM_SAM = f"MAIL FROM:<{SAM}>"


async def send(rig: MailRig, *recipients: str, sender: str = ENVELOPE[1]) -> str:
    async with await rig.client() as client:
        codes = await client.codes(ENVELOPE[0], sender, *recipients)
        assert set(codes) == {"250"}
        return await client.message()


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("lane-*/*.mail"))


async def test_recipients_on_two_servers_get_it_once_each(tmp_path: Path) -> None:
    servers = [MailServer(), MailServer()]
    async with MailRig(servers, USERS, tmp_path) as rig:
        assert (await send(rig, *TO_ALL))[:3] == "250"
        assert [server.inboxes for server in servers] == [{ALICE: 1, BOB: 1}, {CAROL: 1}]
        assert servers[0].messages[0].data == servers[1].messages[0].data
        assert b"for <" not in servers[0].messages[0].data
        assert files(tmp_path) == []
        assert rig.spool.used_bytes == 0


async def test_a_message_for_an_account_that_moves_comes_again(tmp_path: Path) -> None:
    """All of it: the sender hears so before it sends it."""
    server = MailServer()
    async with MailRig([server], USERS, tmp_path) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, *TO_ALL[:2])
            rig.office.moving = {BOB}
            (answer,) = await client.say("DATA")
            assert answer.startswith("451 4.2.0 ")
        rig.office.moving = set()
        assert (await send(rig, *TO_ALL[:2]))[:3] == "250"
        assert server.inboxes == {ALICE: 1, BOB: 1}
        assert rig.office.open == []
        size = len(server.messages[0].data)
        assert sorted(rig.office.delivered_bytes) == [(ALICE, size), (BOB, size)]


async def test_of_several_servers_only_the_moving_account_waits(tmp_path: Path) -> None:
    servers = [MailServer(), MailServer()]
    async with MailRig(servers, USERS, tmp_path, smtp=OPTIONS) as rig:
        rig.office.moving = {CAROL}
        assert (await send(rig, *TO_ALL))[:3] == "250"
        assert [server.inboxes for server in servers] == [{ALICE: 1, BOB: 1}, {}]
        assert len(files(tmp_path)) == 1
        rig.office.moving = set()
        await rig.until(lambda: not files(tmp_path))
        assert [server.inboxes for server in servers] == [{ALICE: 1, BOB: 1}, {CAROL: 1}]
        assert rig.office.open == []


async def test_it_is_on_disk_before_any_server_has_it_whole(tmp_path: Path) -> None:
    seen: list[int] = []

    class Watching(MailServer):
        async def _say(self, writer: object, key: str, usual: bytes) -> bool:
            if key.startswith("END"):
                seen.append(len(files(tmp_path)))
            return await super()._say(writer, key, usual)  # type: ignore[arg-type]

    async with MailRig([Watching(), Watching()], USERS, tmp_path) as rig:
        assert (await send(rig, *TO_ALL))[:3] == "250"
    assert seen == [1, 1, 1]


async def test_a_large_message_for_two_servers_goes_through_a_file(tmp_path: Path) -> None:
    servers = [MailServer(), MailServer()]
    async with MailRig(servers, USERS, tmp_path) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, *TO_ALL)
            line = "y" * 998 + "\r\n"
            assert (await client.message(line * 4000))[:3] == "250"
        for server in servers:
            assert server.messages[0].data.endswith(line.encode() * 4000)
        assert rig.spool.used_bytes == 0


async def test_without_a_spool_the_second_servers_recipients_come_again() -> None:
    servers = [MailServer(), MailServer()]
    async with MailRig(servers, USERS) as rig:
        async with await rig.client() as client:
            said = await client.say(*ENVELOPE, *TO_ALL)
            assert [answer[:3] for answer in said[2:]] == ["250", "250", str(SECOND_SERVER.code)]
            assert (await client.message())[:3] == "250"
    assert [server.inboxes for server in servers] == [{ALICE: 1, BOB: 1}, {}]


async def test_a_first_server_that_refused_is_no_first_server() -> None:
    servers = [MailServer(says={"RCPT": b"550 5.1.1 no"}), MailServer()]
    async with MailRig(servers, USERS) as rig:
        async with await rig.client() as client:
            assert await client.codes(*ENVELOPE, *TO_ALL) == ["250", "250", "550", "550", "250"]
            assert (await client.message())[:3] == "250"
    assert servers[1].inboxes == {CAROL: 1}


async def test_who_could_not_get_it_yet_gets_it_later(tmp_path: Path) -> None:
    for said in (b"451 4.2.0 busy", DROP):
        servers = [MailServer(), MailServer(once={"END": said})]
        async with MailRig(servers, USERS, tmp_path, smtp=OPTIONS) as rig:
            assert (await send(rig, *TO_ALL))[:3] == "250"
            await rig.until(lambda one=servers[1]: one.inboxes == {CAROL: 1})
            await rig.until(lambda: files(tmp_path) == [])
            assert servers[0].inboxes == {ALICE: 1, BOB: 1}
            assert rig.spool.used_bytes == 0


async def test_one_server_that_takes_it_for_some_only(tmp_path: Path) -> None:
    """LMTP says so for each: who has it must not get it again."""
    server = MailServer(once={f"END {BOB}": b"451 4.2.0 busy"})
    async with MailRig([server], USERS, tmp_path, smtp=OPTIONS) as rig:
        assert (await send(rig, *TO_ALL[:2]))[:3] == "250"
        await rig.until(lambda: server.inboxes == {ALICE: 1, BOB: 1})
        await rig.until(lambda: files(tmp_path) == [])


async def test_all_busy_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    says = {"END": b"451 4.2.0 busy"}
    servers = [MailServer(says=dict(says)), MailServer(says=dict(says))]
    async with MailRig(servers, USERS, tmp_path, smtp=OPTIONS) as rig:
        assert (await send(rig, *TO_ALL))[:9] == "451 4.2.0"
        assert files(tmp_path) == []
        assert rig.spool.entries == {}


async def test_all_refused_is_told(tmp_path: Path) -> None:
    says = {"END": b"554 5.6.0 bad"}
    servers = [MailServer(says=dict(says)), MailServer(says=dict(says))]
    async with MailRig(servers, USERS, tmp_path, smtp=OPTIONS) as rig:
        assert (await send(rig, *TO_ALL))[:9] == "554 5.6.0"
        assert files(tmp_path) == []


async def test_a_refusal_for_some_is_reported_to_the_sender(tmp_path: Path) -> None:
    servers = [MailServer(), MailServer(says={"END": b"552 5.2.2 mailbox full"})]
    async with MailRig(servers, USERS, tmp_path, smtp=OPTIONS) as rig:
        assert (await send(rig, *TO_ALL, sender=FROM_SAM))[:3] == "250"
        await rig.until(lambda: servers[0].inboxes.get(SAM) == 1)
        await rig.until(lambda: files(tmp_path) == [])
        report = servers[0].messages[-1]
        assert report.sender == ""
        assert b"report-type=delivery-status" in report.data
        assert f"Final-Recipient: rfc822; {CAROL}".encode() in report.data
        assert b"Status: 5.2.2" in report.data
        assert b"Subject: x" in report.data


async def test_the_null_sender_is_told_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    servers = [MailServer(), MailServer(says={"END": b"552 5.2.2 mailbox full"})]
    async with MailRig(servers, USERS, tmp_path, smtp=OPTIONS) as rig:
        assert (await send(rig, *TO_ALL, sender="MAIL FROM:<>"))[:3] == "250"
        await rig.until(lambda: files(tmp_path) == [])
        assert len(servers[0].messages) == 1
    assert "message not delivered" in caplog.text


async def test_what_cannot_be_delivered_for_too_long_is_given_up(tmp_path: Path) -> None:
    options = replace(OPTIONS, give_up_s=0.0)
    servers = [MailServer(), MailServer(says={"END": b"451 4.2.0 busy"})]
    async with MailRig(servers, USERS, tmp_path, smtp=options) as rig:
        assert (await send(rig, *TO_ALL, sender=FROM_SAM))[:3] == "250"
        await rig.until(lambda: servers[0].inboxes.get(SAM) == 1)
        assert b"Status: 5.4.7" in servers[0].messages[-1].data
        await rig.until(lambda: files(tmp_path) == [])


async def test_a_full_spool_says_later(tmp_path: Path) -> None:
    servers = [MailServer(), MailServer()]
    for limits in (SpoolLimits(messages=0), SpoolLimits(total_bytes=10)):
        async with MailRig(servers, USERS, tmp_path) as rig:
            rig.spool.limits = limits
            async with await rig.client() as client:
                await client.codes(*ENVELOPE, *TO_ALL)
                answer = (await client.say("DATA"))[0]
                if answer[:3] == "354":
                    answer = await client.raw(b"Subject: x\r\n\r\n.\r\n")
                assert answer.encode() + b"\r\n" == NO_ROOM.encode()
            assert rig.spool.used_bytes == 0
    assert [server.messages for server in servers] == [[], []]


async def test_with_one_server_a_full_spool_is_no_matter(tmp_path: Path) -> None:
    async with MailRig([server := MailServer()], USERS, tmp_path) as rig:
        rig.spool.limits = SpoolLimits(messages=0)
        assert (await send(rig, *TO_ALL[:2]))[:3] == "250"
    assert server.inboxes == {ALICE: 1, BOB: 1}


async def test_a_server_that_says_nothing_behind_the_message_keeps_nobody(tmp_path: Path) -> None:
    quick = Timeouts(first_byte_s=0.5)
    servers = [MailServer(), MailServer(once={"END": HANG})]
    async with MailRig(servers, USERS, tmp_path, smtp=OPTIONS, timeouts=quick) as rig:
        assert (await send(rig, *TO_ALL))[:3] == "250"
        await rig.until(lambda: servers[1].inboxes == {CAROL: 1})
        await rig.until(lambda: files(tmp_path) == [])


async def test_a_client_that_takes_it_back_leaves_nothing(tmp_path: Path) -> None:
    servers = [MailServer(), MailServer()]
    async with MailRig(servers, USERS, tmp_path) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, *TO_ALL, "DATA")
            client.writer.write(b"Subject: half\r\n" * 60000)
            await client.writer.drain()
        await rig.until(lambda: not rig.rig.engine.drivers)
        await rig.until(lambda: rig.spool.used_bytes == 0)
        assert files(tmp_path) == []
    assert [server.messages for server in servers] == [[], []]


async def test_the_lane_of_a_dead_worker_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the other lives, nobody touches what is his."""
    monkeypatch.setattr(redelivery, "LOOK_EVERY_S", 0.05)
    away = [MailServer(), MailServer(says={"END": b"451 4.2.0 busy"})]
    slow = replace(OPTIONS, retry_s=3600.0, retry_max_s=3600.0)
    async with MailRig(away, USERS, tmp_path, smtp=slow) as first:
        assert (await send(first, *TO_ALL))[:3] == "250"
        assert len(files(tmp_path)) == 1
        servers = [MailServer(), MailServer()]
        async with MailRig(servers, USERS, tmp_path, smtp=OPTIONS) as second:
            assert second.spool.entries == {}
            first.plug.close()
            await first.until(lambda: not first.office.tasks)
            await first.spool.close()
            await second.until(lambda: servers[1].inboxes == {CAROL: 1})
            await second.until(lambda: files(tmp_path) == [])
            assert servers[0].messages == []
