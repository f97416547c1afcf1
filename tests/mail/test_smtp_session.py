"""The SMTP director with one server: what the client is told, and what the server gets."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from l7lb.accounts import Status
from l7lb.model import Timeouts
from l7lb.model_mail import SmtpOptions
from support.smtp_rig import DROP, ENVELOPE, HANG, MailRig, MailServer

ALICE, BOB, CAROL = "alice@example.org", "bob@example.org", "carol@example.org"
OPTIONS = SmtpOptions(host_name="mx.example.org")
USERS = {ALICE: "m1", BOB: "m1", CAROL: "m2"}


async def test_a_message_streams_to_the_server_of_its_account() -> None:
    async with MailRig([server := MailServer()], USERS) as rig:
        async with await rig.client() as client:
            hello = (await client.say("EHLO client.example"))[0]
            assert "SIZE 52428800" in hello
            assert "STARTTLS" not in hello
            assert await client.codes("MAIL FROM:<sam@sender.example>") == ["250"]
            assert await client.say(f"RCPT TO:<{ALICE}>") == ["250 2.1.5 ok"]
            assert await client.message("Subject: x\r\n\r\n..dots\r\n") == "250 2.0.0 taken"
            assert (await client.say("QUIT"))[0].startswith("221 ")
        [message] = server.messages
        assert message.sender == "sam@sender.example"
        assert message.recipients == [ALICE]
        trace, _, rest = message.data.partition(b"Subject")
        assert trace.startswith(b"Received: from client.example ([127.0.0.1])\r\n\tby mx.example")
        assert b"with ESMTP id" in trace
        assert b"for <alice@example.org>;" in trace
        assert rest == b": x\r\n\r\n.dots\r\n"


async def test_the_connection_to_the_server_serves_the_next_message_too() -> None:
    async with MailRig([server := MailServer()], USERS) as rig:
        for _ in range(3):
            async with await rig.client() as client:
                await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
                assert (await client.message())[:3] == "250"
        assert server.connections == 1
        assert len(server.messages) == 3


async def test_recipients_that_are_unknown_or_disabled_are_refused_at_once() -> None:
    async with MailRig([server := MailServer()], USERS) as rig:
        users = rig.office.directory.accounts
        users[BOB] = replace(users[BOB], status=Status.DISABLED)
        async with await rig.client() as client:
            await client.codes(*ENVELOPE)
            said = await client.say("RCPT TO:<nobody@example.org>", f"RCPT TO:<{BOB}>")
            assert [answer[:9] for answer in said] == ["550 5.1.1", "550 5.2.1"]
            assert await client.codes("DATA") == ["554"]
        assert server.connections == 0


async def test_a_directory_that_is_away_says_later() -> None:
    async with MailRig([MailServer()], USERS) as rig:
        rig.office.directory.away = True
        async with await rig.client() as client:
            await client.codes(*ENVELOPE)
            assert (await client.say(f"RCPT TO:<{ALICE}>"))[0].startswith("451 4.4.3 ")


async def test_with_accept_unknown_the_rules_decide() -> None:
    options = replace(OPTIONS, accept_unknown=True)
    async with MailRig([server := MailServer(lmtp=False)], {}, smtp=options) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE)
            rcpts = ("RCPT TO:<a@far.example>", "RCPT TO:<b@far.example>")
            assert await client.codes(*rcpts) == ["250", "250"]
            assert (await client.message())[:3] == "250"
        assert server.inboxes == {"a@far.example": 1, "b@far.example": 1}
        assert server.connections == 1


async def test_the_servers_refusal_is_the_clients_answer() -> None:
    says = {f"RCPT {ALICE}": b"550 5.7.9 no thanks", "END": b"552 5.2.2 full"}
    async with MailRig([MailServer(says=says)], USERS) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE)
            said = await client.say(f"RCPT TO:<{ALICE}>", f"RCPT TO:<{BOB}>")
            assert said == ["550 5.7.9 no thanks", "250 2.1.5 ok"]
            assert await client.message() == "552 5.2.2 full"


async def test_what_a_server_does_wrong_is_451_and_the_next_message_may_come() -> None:
    for says in (
        {"greeting": b"hello there"},
        {"greeting": DROP},
        {"greeting": b"554 go away"},
        {"LHLO": b"250 \x00\xff"},
        {"MAIL": b"421 4.3.2 going"},
        {"RCPT": b"421 4.3.2 going"},
        {"RCPT": DROP},
        {"RCPT": b"354 what"},
    ):
        async with MailRig([server := MailServer(says=dict(says))], USERS) as rig:
            async with await rig.client() as client:
                await client.codes(*ENVELOPE)
                assert await client.codes(f"RCPT TO:<{ALICE}>") == ["451"], says
                server.says.clear()
                assert await client.codes(f"RCPT TO:<{ALICE}>") == ["250"], says
                assert (await client.message())[:3] == "250", says


async def test_a_server_that_says_nothing_is_given_up() -> None:
    quick = Timeouts(first_byte_s=0.3, connect_s=0.3)
    for key in ("greeting", "LHLO", "RCPT"):
        async with MailRig([MailServer(says={key: HANG})], USERS, timeouts=quick) as rig:
            async with await rig.client() as client:
                await client.codes(*ENVELOPE)
                assert await client.codes(f"RCPT TO:<{ALICE}>") == ["451"], key


async def test_a_server_that_is_lost_behind_the_message_is_451() -> None:
    for said in (DROP, b"nonsense", b"354 what"):
        async with MailRig([MailServer(says={"END": said})], USERS) as rig:
            async with await rig.client() as client:
                await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
                assert (await client.message())[:3] == "451"


async def test_a_server_that_does_not_want_the_message_says_so() -> None:
    async with MailRig([MailServer(says={"DATA": b"451 4.3.0 not now"})], USERS) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
            assert await client.say("DATA") == ["451 4.3.0 not now"]
            assert await client.codes("MAIL FROM:<>") == ["250"]


async def test_one_that_went_away_while_idle_is_replaced() -> None:
    """Whether the director notices, or only when it speaks."""
    for closes in (True, False):
        async with MailRig([server := MailServer()], USERS) as rig:
            for _ in range(2):
                async with await rig.client() as client:
                    await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
                    assert (await client.message())[:3] == "250"
                if closes:
                    for writer in list(server.writers):
                        writer.close()
                elif server.connections == 1:
                    server.once["MAIL"] = DROP
            assert server.connections == 2
            assert len(server.messages) == 2


async def test_a_client_that_takes_it_back_leaves_the_server_usable() -> None:
    async with MailRig([server := MailServer()], USERS) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
            assert await client.codes("RSET") == ["250"]
            await rig.until(lambda: rig.plug.start(rig.rig.engine).carriers.idle == 1)
            assert await client.codes("MAIL FROM:<>", f"RCPT TO:<{ALICE}>") == ["250", "250"]
            assert (await client.message())[:3] == "250"
        assert server.connections == 1
        assert "RSET" in server.commands


async def test_a_client_that_leaves_in_the_middle_delivers_nothing() -> None:
    async with MailRig([server := MailServer()], USERS) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>", "DATA")
            client.writer.write(b"Subject: half\r\n\r\nhalf")
            await client.writer.drain()
            await rig.until(lambda: rig.rig.engine.drivers)
        await rig.until(lambda: not rig.rig.engine.drivers)
        await rig.until(lambda: not server.writers)
        assert server.messages == []


async def test_early_talkers_are_refused() -> None:
    async with MailRig([MailServer()], USERS) as rig:
        sock = rig.rig.engine._listeners["www", 0]
        rig.rig.engine.poller.forget(sock.sock.fileno())
        client = await rig.client()
        client.writer.write(b"EHLO early.example\r\n")
        await client.writer.drain()
        rig.rig.engine.poller.watch(sock.sock.fileno(), sock, 1)
        assert (await client.reply()).startswith("554 5.5.1 ")
        assert await client.reply() == ""
        client.writer.close()


async def test_too_large_a_message_is_refused_by_its_word_and_by_its_size() -> None:
    options = replace(OPTIONS, message_bytes=1000)
    async with MailRig([server := MailServer()], USERS, smtp=options) as rig:
        async with await rig.client() as client:
            assert await client.codes("EHLO c", "MAIL FROM:<> SIZE=1001") == ["250", "552"]
            await client.codes("MAIL FROM:<>", f"RCPT TO:<{ALICE}>")
            assert (await client.message("x" * 990 + "\r\n" + "y" * 90 + "\r\n"))[:9] == "552 5.3.4"
            assert await client.codes("MAIL FROM:<>", f"RCPT TO:<{ALICE}>") == ["250", "250"]
            assert (await client.message("short\r\n"))[:3] == "250"
        assert [message.data.endswith(b"short\r\n") for message in server.messages] == [True]


async def test_a_loop_ends() -> None:
    async with MailRig([server := MailServer()], USERS, smtp=replace(OPTIONS, max_hops=3)) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
            assert (await client.message("Received: x\r\n" * 4 + "\r\n"))[4:9] == "5.4.6"
        assert server.messages == []


async def test_nothing_can_be_smuggled() -> None:
    for end in (b"\n.\r\n", b"\r\n.\n", b"\n.\n", b"\r.\r", b"\r\n.\r"):
        async with MailRig([server := MailServer()], USERS) as rig:
            async with await rig.client() as client:
                await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>", "DATA")
                smuggled = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<%s>\r\nDATA\r\nbad\r\n.\r\n"
                answer = await client.raw(b"good" + end + smuggled % BOB.encode())
                assert answer[:1] == "5", end
            assert server.messages == [], end
            assert not any("evil" in command for command in server.commands), end


async def test_bytes_sent_ahead_of_354_end_the_session() -> None:
    async with MailRig([server := MailServer()], USERS) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
            assert (await client.raw(b"DATA\r\nSubject: early\r\n\r\n.\r\n"))[:3] == "503"
            assert await client.reply() == ""
        assert server.messages == []


async def test_too_many_errors_end_the_session() -> None:
    async with MailRig([MailServer()], USERS) as rig:
        async with await rig.client() as client:
            codes = await client.codes(*["NONSENSE"] * 20)
            assert set(codes) == {"500"}
            assert (await client.reply())[:3] == "421"
            assert await client.reply() == ""


async def test_a_slow_server_slows_the_client_down() -> None:
    """Neither side can make us hold the message."""
    async with MailRig([server := MailServer()], USERS) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
            line = "x" * 998 + "\r\n"
            assert (await client.message(line * 8000))[:3] == "250"
        [message] = server.messages
        assert message.data.endswith(line.encode() * 8000)


async def test_drain_lets_the_transaction_end_and_then_says_421() -> None:
    async with MailRig([server := MailServer()], USERS) as rig:
        async with await rig.client() as client, await rig.client() as idle:
            await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>")
            for driver in list(rig.rig.engine.drivers):
                driver.drain()
            assert (await idle.reply())[:9] == "421 4.3.2"
            assert (await client.message())[:3] == "250"
            assert (await client.reply())[:9] == "421 4.3.2"
        assert len(server.messages) == 1


async def test_a_silent_client_is_told_and_left() -> None:
    async with MailRig([MailServer()], USERS, timeouts=Timeouts(keep_alive_s=0.2)) as rig:
        async with await rig.client() as client:
            assert (await client.reply())[:9] == "421 4.4.2"
            assert await client.reply() == ""


async def test_each_transaction_and_each_refusal_is_a_line_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    async with MailRig([MailServer()], USERS, log=log) as rig:
        async with await rig.client() as client:
            await client.codes(*ENVELOPE, "RCPT TO:<nobody@example.org>", f"RCPT TO:<{ALICE}>")
            await client.message()
            await client.codes("MAIL FROM:<>", f"RCPT TO:<{BOB}>", "RSET", "QUIT")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    said = [(line["method"], line["target"], line["status"], line["flags"]) for line in lines]
    assert said == [
        ("SMTP", "nobody@example.org", 550, "R"),
        ("SMTP", ALICE, 250, ""),
        ("SMTP", BOB, 0, "C"),
    ]
    assert [line["server"] for line in lines] == ["", "m1", "m1"]
    assert lines[1]["pool"] == "mail"
    assert lines[1]["host"] == "client.example"
