"""Logging in at servers: as a user of our own, for a client, as the client; never for another."""

from __future__ import annotations

import asyncio
import smtplib
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.mail.smtp.entrance import NOBODY, Holder, NoLogin, login_for, own_login
from l7lb.model import ServerTls
from l7lb.model_directory import SecretSpec
from l7lb.model_mail import Auth, LoginOptions, PenaltySpec, SmtpLoginSpec, SmtpOptions
from l7lb_protocols.smtp.client_session import Login
from support.dovecot import MASTER, Dovecot
from support.peers import within
from support.postfix import Postfix, Sink
from support.smtp_rig import ENVELOPE, SECRET, WORDS, Elsewhere, MailRig, MailServer

ALICE, BOB, CAROL = (f"{n}@example.org" for n in ("alice", "bob", "carol"))
USERS = {ALICE: "m1", BOB: "m1", CAROL: "m2"}
OURS = SmtpLoginSpec("relay", SecretSpec(b"relay-secret"), in_clear=True)
FOR_CLIENT = replace(OURS, on_behalf=True)
AS_CLIENT = SmtpLoginSpec(in_clear=True)
OPTIONS = SmtpOptions(host_name="mx.example.org", auth=Auth.OPTIONAL, accept_unknown=True)
PLAIN_OK = LoginOptions(secrets_in_clear=True, penalty=PenaltySpec(delays_s=()))
MORE_WORDS = (*WORDS, "AUTH PLAIN LOGIN")


def rig_of(
    *servers: MailServer | Elsewhere, login: SmtpLoginSpec, spool: Path | None = None
) -> MailRig:
    pool = {"smtp_login": login}
    return MailRig(servers, USERS, spool, smtp=OPTIONS, login=PLAIN_OK, pool=pool)


def server(**more: object) -> MailServer:
    return MailServer(lmtp=False, words=MORE_WORDS, **more)  # type: ignore[arg-type]


def token(*parts: bytes) -> str:
    return b64encode(b"\0".join(parts)).decode()


def auth(name: str) -> str:
    return f"AUTH PLAIN {token(b'', name.encode(), SECRET)}"


def logins(one: MailServer) -> list[str]:
    return [line for line in one.commands if line.startswith("AUTH ")]


def test_who_logs_in() -> None:
    alice = Holder(b"alice", b"pw")
    assert login_for(None, alice) is None
    assert login_for(OURS, alice) == own_login(FOR_CLIENT) == Login(b"relay", b"relay-secret")
    assert login_for(FOR_CLIENT, alice) == Login(b"relay", b"relay-secret", b"alice")
    assert login_for(FOR_CLIENT, NOBODY) == Login(b"relay", b"relay-secret")
    assert login_for(AS_CLIENT, alice) == Login(b"alice", b"pw")
    assert own_login(AS_CLIENT) is own_login(None) is None
    assert "pw" not in repr(alice)
    for nobody in (NOBODY, Holder(b"alice"), Holder(b"", b"pw")):
        with pytest.raises(NoLogin):
            login_for(AS_CLIENT, nobody)


async def test_as_a_user_of_our_own_and_once_for_all_clients() -> None:
    async with rig_of(server(), login=OURS) as rig:
        for _ in range(2):
            async with await rig.client() as client:
                assert await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>") == ["250"] * 3
                assert (await client.message()).startswith("250")
        (back,) = rig.servers
        assert isinstance(back, MailServer)
        assert logins(back) == [f"AUTH PLAIN {token(b'', b'relay', b'relay-secret')}"]


async def test_as_the_client_and_only_for_that_client() -> None:
    """A connection on which somebody is logged in is kept, but never lent to others."""
    async with rig_of(server(), login=AS_CLIENT) as rig:
        for name in (ALICE, BOB, ALICE):
            async with await rig.client() as client:
                codes = await client.codes(
                    ENVELOPE[0], auth(name), ENVELOPE[1], f"RCPT TO:<{ALICE}>"
                )
                assert codes == ["250", "235", "250", "250"]
                assert (await client.message()).startswith("250")
        (back,) = rig.servers
        assert isinstance(back, MailServer)
        assert logins(back) == [auth(ALICE), auth(BOB)]


async def test_whoever_has_not_logged_in_cannot_be_passed_on() -> None:
    async with rig_of(server(), login=AS_CLIENT) as rig:
        async with await rig.client() as client:
            assert await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>") == ["250", "250", "530"]
        (back,) = rig.servers
        assert isinstance(back, MailServer)
        assert back.connections == 0


async def test_for_the_client(tmp_path: Path) -> None:
    """Also from the spool, where its name is kept, but no password."""
    options = replace(OPTIONS, retry_s=0.01, retry_max_s=0.01)
    rig = rig_of(server(), server(), login=FOR_CLIENT, spool=tmp_path)
    rig.smtp = options
    async with rig:
        one, other = rig.servers
        assert isinstance(one, MailServer)
        assert isinstance(other, MailServer)
        other.once[f"END {CAROL}"] = b"451 later"
        async with await rig.client() as client:
            to = [f"RCPT TO:<{name}>" for name in (ALICE, CAROL)]
            codes = await client.codes(ENVELOPE[0], auth(ALICE), ENVELOPE[1], *to)
            assert codes == ["250", "235", "250", "250", "250"]
            assert (await client.message()).startswith("250")
        await rig.until(lambda: other.inboxes == {CAROL: 1})
        expected = f"AUTH PLAIN {token(ALICE.encode(), b'relay', b'relay-secret')}"
        assert {*logins(one), *logins(other)} == {expected}
        kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        assert not any(SECRET in each or b64encode(SECRET) in each for each in kept)


async def test_what_needs_the_clients_password_is_never_kept(tmp_path: Path) -> None:
    """A second server is for the next message."""
    async with rig_of(server(), server(), login=AS_CLIENT, spool=tmp_path) as rig:
        async with await rig.client() as client:
            to = [f"RCPT TO:<{name}>" for name in (ALICE, CAROL)]
            codes = await client.codes(ENVELOPE[0], auth(ALICE), ENVELOPE[1], *to)
            assert codes == ["250", "235", "250", "250", "452"]
            assert (await client.message()).startswith("250")
        one, other = rig.servers
        assert isinstance(one, MailServer)
        assert isinstance(other, MailServer)
        assert (one.inboxes, other.connections) == ({ALICE: 1}, 0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (MORE_WORDS, {"AUTH": b"535 5.7.8 no"}),
        (WORDS, {}),
        ((*WORDS, "AUTH CRAM-MD5"), {}),
    ],
    ids=["refused", "no AUTH", "nothing we know"],
)
async def test_a_login_that_fails_is_no_word_on_the_recipient(
    words: tuple[str, ...], says: dict[str, bytes | None], caplog: pytest.LogCaptureFixture
) -> None:
    back = MailServer(lmtp=False, words=words, says=says)
    async with rig_of(back, login=OURS) as rig, await rig.client() as client:
        assert await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>") == ["250", "250", "451"]
    assert "the server does not want us" in caplog.text


async def test_no_password_without_tls() -> None:
    back = server()
    async with rig_of(back, login=replace(OURS, in_clear=False)) as rig:
        async with await rig.client() as client:
            assert await client.codes(*ENVELOPE, f"RCPT TO:<{ALICE}>") == ["250", "250", "451"]
    assert logins(back) == []


# --------------------------------------------------------------------------- servers of others


def send(port: int, account: str | None, sender: str = "sam@sender.example") -> None:
    with smtplib.SMTP("127.0.0.1", port, "client.example", timeout=30) as smtp:
        if account is not None:
            smtp.login(account, SECRET.decode())
        assert not smtp.sendmail(sender, [BOB], f"Subject: from {account}\r\n\r\nhi\r\n")


async def arrived(place: Sink | Postfix, count: int) -> None:
    while len(place.messages) < count:
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "login",
    [
        SmtpLoginSpec(),
        SmtpLoginSpec(MASTER[0], SecretSpec(MASTER[1].encode()), on_behalf=True),
    ],
    ids=["as the client", "by master user"],
)
async def test_dovecots_submission(
    login: SmtpLoginSpec, tmp_path: Path, certificates: tuple[Path, Path]
) -> None:
    """It logs whom it has let in."""
    users = dict.fromkeys((ALICE, BOB), SECRET.decode())
    with Sink(tmp_path / "relay") as relay:
        dovecot = Dovecot(users, tls=certificates, relay=relay.port).start()
        try:
            tls = ServerTls(
                ca=str(certificates[0].parent / "ca.pem"), server_name="localhost", starttls=True
            )
            rig = rig_of(Elsewhere(dovecot.submission, lmtp=False), login=login)
            rig.pool["tls"] = tls
            async with rig:
                await asyncio.to_thread(send, rig.port, ALICE)
                await within(arrived(relay, 1))
            assert f"user=<{ALICE}>" in dovecot.log()
        finally:
            dovecot.stop()
    assert b"Subject: from alice@example.org" in relay.messages[0]


async def test_postfix_takes_mail_from_those_who_log_in_only(
    certificates: tuple[Path, Path],
) -> None:
    """It asks Dovecot for their passwords, and offers AUTH under TLS only."""
    dovecot = Dovecot({"relay@example.org": "relay-secret"}).start()
    more = (
        "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\n"
        f"smtpd_sasl_path = {dovecot.auth_socket}\nsmtpd_tls_auth_only = yes\n"
        f"smtpd_tls_cert_file = {certificates[0]}\nsmtpd_tls_key_file = {certificates[1]}\n"
        "smtpd_tls_security_level = may\n"
        "smtpd_client_restrictions = permit_sasl_authenticated, reject\n"
    )
    ours = SmtpLoginSpec("relay@example.org", SecretSpec(b"relay-secret"))
    tls = ServerTls(
        ca=str(certificates[0].parent / "ca.pem"), server_name="localhost", starttls=True
    )
    try:
        with Postfix(more) as back:
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                await asyncio.to_thread(send, back.port, None)
            rig = rig_of(Elsewhere(back.port, lmtp=False), login=ours)
            rig.pool["tls"] = tls
            async with rig:
                await asyncio.to_thread(send, rig.port, None)
                await within(arrived(back, 1))
            assert "sasl_username=relay@example.org" in (back.root / "log").read_text()
    finally:
        dovecot.stop()
