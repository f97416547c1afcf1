"""What servers can is known before the first message, and what EHLO offers is what all can."""

from __future__ import annotations

import ssl
from pathlib import Path
from unittest.mock import patch

import pytest
import trustme

from l7lb.model import ServerTls
from l7lb.model_directory import SecretSpec
from l7lb.model_mail import SmtpLoginSpec
from support.smtp_rig import DROP, HANG, WORDS, MailRig, MailServer

ALICE = "alice@example.org"
USERS = {ALICE: "m1"}
LESS = ("PIPELINING", "8BITMIME", "SIZE 2000000")


async def offer(rig: MailRig) -> set[str]:
    async with await rig.client() as client:
        (answer,) = await client.say("EHLO client.example")
    return {line[4:] for line in answer.split("|")[1:]}


async def learnt(rig: MailRig) -> set[str]:
    """As soon as the servers of the rig have been asked once."""
    learning = rig.learn()
    await rig.until(lambda: learning.rounds)
    return await offer(rig)


@pytest.mark.parametrize("lmtp", [True, False])
async def test_the_first_client_is_offered_what_all_can(lmtp: bool) -> None:
    servers = [MailServer(lmtp=lmtp), MailServer(lmtp=lmtp, words=LESS)]
    async with MailRig(servers, USERS) as rig:
        assert {"SMTPUTF8", "DSN"} <= await offer(rig)  # nobody was asked yet
        offered = await learnt(rig)
        assert {"8BITMIME", "SIZE 2000000"} <= offered
        assert not {"SMTPUTF8", "DSN"} & offered
        for server in servers:
            assert server.commands[-1] == "QUIT"


async def test_a_server_that_does_not_answer_does_not_count() -> None:
    silent = MailServer(says={"greeting": HANG})
    gone = MailServer(says={"LHLO": DROP}, words=LESS)
    with patch("l7lb.mail.asking.ANSWER_S", 0.3):
        async with MailRig([silent, gone, MailServer()], USERS) as rig:
            assert {"SMTPUTF8", "DSN"} <= await learnt(rig)


async def test_a_change_is_noticed_in_the_next_round() -> None:
    server = MailServer()
    async with MailRig([server], USERS) as rig:
        assert "DSN" in await learnt(rig)
        server.words = LESS
        learning = rig.learn()  # as a reload does
        await rig.until(lambda: learning.rounds == 2)
        assert "DSN" not in await offer(rig)


async def test_behind_tls_and_login() -> None:
    """What a server says before does not count (RFC 3207 §4.2)."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    class Later(MailServer):
        """It offers more when it is asked again."""

        async def _say(self, writer: object, key: str, usual: bytes) -> bool:
            self.words = (*WORDS, "AUTH PLAIN") if "STARTTLS" in self.commands else LESS
            if key == "LHLO" and self.words != LESS:
                usual = b"250-server\r\n250-AUTH PLAIN\r\n250-8BITMIME\r\n250 DSN"
            return await super()._say(writer, key, usual)  # type: ignore[arg-type]

    with authority.cert_pem.tempfile() as ca:
        login = SmtpLoginSpec("relay", SecretSpec(b"pw"))
        pool = {"tls": ServerTls(ca=ca, starttls=True), "smtp_login": login}
        server = Later(tls=context)
        async with MailRig([server], USERS, pool=pool) as rig:
            offered = await learnt(rig)
        assert "DSN" in offered
        assert not {"SMTPUTF8"} & offered
        assert [line.split(" ")[0] for line in server.commands] == [
            "LHLO",
            "STARTTLS",
            "LHLO",
            "AUTH",
            "QUIT",
        ]


async def test_without_pools_nobody_is_asked(tmp_path: Path) -> None:
    async with MailRig([MailServer()], USERS, tmp_path) as rig:
        rig.plug.want({}, ())
        assert rig.plug.learning is None
