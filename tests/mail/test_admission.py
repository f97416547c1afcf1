"""Who may come in: names, secrets proven and to be proven, and how the server is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from l7lb.accounts import Account, Directory
from l7lb.errors import DirectoryAway
from l7lb.mail.login.admission import Admission, Guest, Identity, server_login
from l7lb.mail.office import Office
from l7lb.mail.scram import nonce
from l7lb.model import PoolSpec
from l7lb.model_mail import LoginOptions
from l7lb_protocols.login.events import Verdict
from l7lb_protocols.sasl.keys import fake_keys
from l7lb_protocols.sasl.scram import ScramExchange
from l7lb_protocols.sasl.steps import Credentials
from support.mail_rig import MASTER_LOGIN, mail_service, static_directory

ALICE = "alice@example.org"
PLAIN = Credentials(b"PLAIN", ALICE.encode(), secret=b"alice-secret")
OPTIONS = LoginOptions(default_domain="example.org")


def admission(directory: Directory | None, *, checks: bool = True) -> Admission:
    office = SimpleNamespace(directory=directory, spec=SimpleNamespace(secret=b"s" * 32))
    office.asked = lambda: Office.asked(cast("Office", office))
    service = mail_service("imap", login=OPTIONS)
    return Admission(cast("Office", office), service, checks=checks)


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    return static_directory(tmp_path, {ALICE: "alice-secret"}, alice="m2")


@pytest.mark.parametrize("said", [ALICE, "alice", "ALICE@EXAMPLE.ORG", "Alice"])
async def test_every_spelling_is_one_account(directory: Directory, said: str) -> None:
    found = await admission(directory).identify(replace(PLAIN, account=said.encode()))
    assert isinstance(found, Identity)
    assert (found.name, found.home) == (ALICE, "m2")


@pytest.mark.parametrize(
    "account", [b"", b"\xff", b"nobody", b"alice@example.org ", b"a\x00b", b"*", b"x" * 1000]
)
async def test_nobody(directory: Directory, account: bytes) -> None:
    for checks in (True, False):
        desk = admission(directory, checks=checks)
        assert await desk.identify(replace(PLAIN, account=account)) is Verdict.FAILED


async def test_on_behalf_of_another(directory: Directory) -> None:
    said = replace(PLAIN, authorize_as=b"bob@example.org")
    assert await admission(directory).identify(said) is Verdict.FORBIDDEN
    said = replace(PLAIN, authorize_as=b"ALICE")
    assert isinstance(await admission(directory).identify(said), Identity)


async def test_a_wrong_secret_and_a_proven_one(directory: Directory) -> None:
    wrong = replace(PLAIN, secret=b"wrong")
    assert await admission(directory).identify(wrong) is Verdict.FAILED
    proven = replace(wrong, proven=True)
    assert isinstance(await admission(directory).identify(proven), Identity)
    unknown = replace(proven, account=b"nobody")
    assert await admission(directory).identify(unknown) is Verdict.FAILED


async def test_who_is_disabled_is_told_only_with_the_right_secret(tmp_path: Path) -> None:
    directory = static_directory(tmp_path, {ALICE: "alice-secret"}, disabled=("alice",))
    desk = admission(directory)
    assert await desk.identify(PLAIN) is Verdict.FORBIDDEN
    assert await desk.identify(replace(PLAIN, proven=True)) is Verdict.FORBIDDEN
    assert await desk.identify(replace(PLAIN, secret=b"wrong")) is Verdict.FAILED


async def test_without_a_directory() -> None:
    found = await admission(None, checks=False).identify(PLAIN)
    assert found == Identity(ALICE, None)
    with pytest.raises(DirectoryAway):
        await admission(None).identify(PLAIN)


async def test_scram_keys_are_real_or_the_same_fakes(directory: Directory) -> None:
    desk = admission(directory)
    real = await desk.keys(b"alice")
    assert real != fake_keys(b"s" * 32, b"alice")
    assert await desk.keys(b"nobody") == fake_keys(b"s" * 32, b"nobody")
    assert await desk.keys(b"\xff") == fake_keys(b"s" * 32, b"\xff")


def test_a_nonce_is_one_that_scram_takes() -> None:
    exchange = ScramExchange()
    exchange.respond(b"n,,n=alice,r=client")
    exchange.supply(fake_keys(b"s", b"alice"), nonce())
    assert nonce() != nonce()


def test_how_the_server_is_told() -> None:
    own, by_master = PoolSpec("mail", ()), PoolSpec("mail", (), login=MASTER_LOGIN)
    identity = Identity(ALICE, None)
    passed = server_login(own, identity, PLAIN)
    assert passed is not None
    assert (passed.account, passed.secret, passed.authorize_as) == (
        ALICE.encode(),
        b"alice-secret",
        b"",
    )
    assert server_login(own, identity, replace(PLAIN, proven=True)) is None
    entered = server_login(by_master, identity, replace(PLAIN, proven=True))
    assert entered is not None
    assert entered.account == MASTER_LOGIN.master.encode()
    assert entered.authorize_as == ALICE.encode()


async def test_the_facts_that_routes_see(directory: Directory) -> None:
    found = await admission(directory).identify(PLAIN)
    assert isinstance(found, Identity)
    facts = Guest("192.0.2.1", b"IMAP", b"mail.example.org", b"laptop").facts(found)
    assert (facts.account, facts.source, facts.method) == (ALICE.encode(), "192.0.2.1", b"IMAP")
    assert (facts.sni, facts.tls_name) == (b"mail.example.org", b"laptop")
    assert facts.attribute(b"room") == ()


async def test_attributes_of_the_account_are_facts() -> None:
    account = Account(ALICE, attributes={"room": ("7", "8"), "floor": ()})
    facts = Guest("192.0.2.1", b"IMAP").facts(Identity(ALICE, account))
    assert facts.attribute(b"room") == (b"7", b"8")
    assert facts.attribute(b"floor") == ()
    assert Guest("192.0.2.1", b"IMAP").facts(Identity(ALICE, None)).attribute(b"room") == ()
