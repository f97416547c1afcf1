"""IMAP and POP3 through the director, with Python's own clients, before Debian's Dovecot."""

from __future__ import annotations

import asyncio
import imaplib
import poplib
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from l7lb.accounts import Directory
from l7lb.model import Address, Certificate, ListenSpec, ListenTls, ServerTls
from l7lb.model_mail import LoginOptions, PenaltySpec
from l7lb_storage import MemoryEngine, World
from support.dovecot import Dovecot
from support.mail_rig import (
    MASTER_LOGIN,
    MailRig,
    mail_cluster,
    mail_pool,
    mail_service,
    static_directory,
)

T = TypeVar("T")
OPEN = LoginOptions(
    mechanisms=("SCRAM-SHA-256", "PLAIN", "LOGIN"),
    secrets_in_clear=True,
    penalty=PenaltySpec(delays_s=()),
)
ALICE, BOB = "alice@example.org", "bob@example.org"
SECRET = "alice-secret"


def rig(dovecot: Dovecot, directory: Directory | None, protocol: str, **more: object) -> MailRig:
    pool = mail_pool(dovecot, login=None if directory is None else MASTER_LOGIN)
    service = mail_service(protocol, login=OPEN, **more)
    return MailRig(mail_cluster(pool, service), directory, MemoryEngine(World()))


@pytest.fixture
def accounts(tmp_path: Path) -> Directory:
    return static_directory(tmp_path, {ALICE: SECRET, BOB: "bob-secret"})


async def thread(work: Callable[[], T]) -> T:
    """Clients block."""
    return await asyncio.get_running_loop().run_in_executor(None, work)


async def test_imap_with_the_users_own_secret(dovecot: Dovecot) -> None:
    """No directory: the server alone decides."""
    async with rig(dovecot, None, "imap") as here:

        def use() -> None:
            with imaplib.IMAP4("127.0.0.1", here.port) as client:
                assert "IDLE" in client.capabilities
                client.login(ALICE, SECRET)
                assert client.select("INBOX")[0] == "OK"
                client.append("INBOX", r"\Seen", None, b"Subject: one\r\n\r\nbody\r\n")
                assert client.search(None, "SUBJECT", "one")[0] == "OK"

        await thread(use)


async def test_imap_by_a_master_user(dovecot: Dovecot, accounts: Directory) -> None:
    async with rig(dovecot, accounts, "imap") as here:

        def use() -> None:
            with imaplib.IMAP4("127.0.0.1", here.port) as client:
                with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
                    client.login(ALICE, "wrong")
                client.login(ALICE, SECRET)
                assert client.select("INBOX")[0] == "OK"

        await thread(use)


async def test_pop3_and_a_maildrop_that_is_in_use(dovecot: Dovecot, accounts: Directory) -> None:
    async with rig(dovecot, accounts, "pop3") as here:

        def use() -> None:
            first = poplib.POP3("127.0.0.1", here.port)
            first.user(BOB)
            first.pass_("bob-secret")
            count, _ = first.stat()
            assert count == 0
            second = poplib.POP3("127.0.0.1", here.port)
            second.user(BOB)
            with pytest.raises(poplib.error_proto, match="IN-USE"):
                second.pass_("bob-secret")
            first.quit()
            second.quit()

        await thread(use)
        await here.until(lambda: not here.engine.drivers)


async def test_tls_begins_on_both_sides(
    dovecot: Dovecot, accounts: Directory, certificates: tuple[Path, Path]
) -> None:
    chain, key = certificates
    tls = ListenTls((Certificate(str(chain), str(key)),), alpn=())
    listens = (ListenSpec(Address("127.0.0.1", 0), starttls=tls),)
    ca = chain.parent / "ca.pem"
    towards = ServerTls(ca=str(ca), server_name="localhost", starttls=True)
    pool = mail_pool(dovecot, login=MASTER_LOGIN, tls=towards)
    spec = mail_cluster(pool, mail_service("imap", *listens), mail_service("pop3", *listens))
    trust = ssl.create_default_context(cafile=str(ca))
    async with MailRig(spec, accounts, MemoryEngine(World())) as here:

        def use() -> None:
            with imaplib.IMAP4("localhost", here.port_of("imap")) as client:
                assert "LOGINDISABLED" in client.capabilities
                client.starttls(trust)
                client.login(ALICE, SECRET)
                assert client.select("INBOX")[0] == "OK"
            post = poplib.POP3("localhost", here.port_of("pop3"))
            post.stls(trust)
            post.user(ALICE)
            post.pass_(SECRET)
            post.quit()

        await thread(use)
