"""Programs of others through the SMTP director: Postfix behind it; smtplib, swaks, curl and
smtp-source before it."""

from __future__ import annotations

import asyncio
import os
import smtplib
from pathlib import Path

import pytest

from l7lb.model_mail import SmtpOptions
from support.peers import within
from support.postfix import Postfix, Sink, program
from support.smtp_rig import Elsewhere, MailRig

ALICE, BOB = "alice@example.org", "bob@example.org"
USERS = {ALICE: "m1", BOB: "m2"}
OPTIONS = SmtpOptions(host_name="mx.example.org")
LIMIT_S = 30.0


async def run(*command: str, stdin: bytes = b"") -> str:
    """Output of a program that must succeed in time."""
    process = await asyncio.create_subprocess_exec(
        program(command[0]),
        *command[1:],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            out, _ = await process.communicate(stdin)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, out.decode()
    return out.decode()


def mail_by_smtplib(port: int, *recipients: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=LIMIT_S) as smtp:
        smtp.ehlo()
        assert smtp.has_extn("size")
        return smtp.sendmail("sam@sender.example", recipients, "Subject: lib\r\n\r\n.dot\r\n")


async def test_clients_of_others_and_two_sinks(tmp_path: Path) -> None:
    """One message by each client, to both servers at once."""
    text = tmp_path / "message"
    text.write_bytes(b"Subject: curl\r\n\r\nby curl\r\n")
    with Sink(tmp_path / "one", "-L") as one, Sink(tmp_path / "two", "-L") as two:
        servers = [Elsewhere(one.port), Elsewhere(two.port)]
        async with MailRig(servers, USERS, tmp_path / "spool", smtp=OPTIONS) as rig:
            at = f"127.0.0.1:{rig.port}"
            refused = await asyncio.to_thread(mail_by_smtplib, rig.port, ALICE, BOB, "no@x.example")
            assert {name: code for name, (code, _) in refused.items()} == {"no@x.example": 550}
            await run("swaks", "--server", at, "--from", "s@x.example", "--to", f"{ALICE},{BOB}",
                      "--header", "Subject: swaks", "--timeout", "20")  # fmt: skip
            await run("curl", "-sS", f"smtp://{at}/client.example", "--mail-from", "c@x.example",
                      "--mail-rcpt", ALICE, "--mail-rcpt", BOB, "-T", str(text))  # fmt: skip
        for sink in (one, two):
            found = sorted(sink.messages)
            assert len(found) == 3
            for word in (b"Subject: lib", b"Subject: swaks", b"Subject: curl"):
                assert sum(word in message for message in found) == 1


async def test_smtp_source_sends_two_hundred(tmp_path: Path) -> None:
    with Sink(tmp_path / "one") as sink:
        async with MailRig([Elsewhere(sink.port, lmtp=False)], USERS, smtp=OPTIONS) as rig:
            await run("smtp-source", "-m", "200", "-s", "10", "-l", "10240", "-f",
                      "s@x.example", "-t", ALICE, "-r", "1", f"127.0.0.1:{rig.port}")  # fmt: skip
        assert len(sink.messages) == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a private Postfix")
async def test_postfix_behind() -> None:
    """SMTP with XCLIENT: the log of Postfix and its Received name our client."""
    with Postfix() as back:
        servers = [Elsewhere(back.port, lmtp=False)]
        options = SmtpOptions(host_name="mx.example.org", xclient_from=("127.0.0.1/32",))
        async with MailRig(servers, {ALICE: "m1", BOB: "m1"}, smtp=options) as rig:
            assert not await asyncio.to_thread(mail_by_smtplib, rig.port, ALICE, BOB)
            at = f"127.0.0.1:{rig.port}"
            await run("swaks", "--server", at, "--from", "s@x.example", "--to", ALICE, "--xclient",
                      "ADDR=192.0.2.9 HELO=far.example", "--timeout", "20")  # fmt: skip

            async def arrived() -> None:
                while len(back.messages) < 3:
                    await asyncio.sleep(0.05)

            await within(arrived())
        log = (back.root / "log").read_text()
        assert "192.0.2.9" in log
        assert any(
            b"far.example" in message and b"192.0.2.9" in message for message in back.messages
        )
        assert sum(b".dot" in message for message in back.messages) == 2
