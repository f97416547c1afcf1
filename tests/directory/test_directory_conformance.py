"""What every directory promises, whatever it is made of: LDAP, YAML, LDIF."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from l7lb.accounts import Account, AccountEdit, Directory, Outcome, Status
from l7lb.directory.opened import Opened
from l7lb.directory.users import Users
from l7lb.errors import AccountExists, DirectoryRefused, NoSuchAccount

ALICE = "alice@example.org"
PASSWORD = b"brand-new-secret"


@pytest.fixture
def directory(opened: Opened) -> Directory:
    return opened.directory


@pytest.fixture
def users(opened: Opened) -> Users:
    return opened.users


async def names(found: AsyncIterator[Account]) -> list[str]:
    return sorted([account.name async for account in found])


async def test_accounts_and_recipients(directory: Directory) -> None:
    account = await directory.account("ALICE@example.org")
    assert account is not None
    assert (account.name, account.server, account.quota_bytes) == (ALICE, "m1", 2**30)
    assert sorted(account.addresses) == ["@example.net", "sales@example.org"]
    assert account.scram is not None
    leads = {
        ALICE: ALICE,
        "Sales@Example.org": ALICE,
        "whoever@example.net": ALICE,
        "info@example.org": "bob@example.org",
        "nobody@example.org": None,
        "@example.net": None,
        "example.net": None,
    }
    for address, name in leads.items():
        found = await directory.recipient(address)
        assert (found and found.name) == name, address
    for name in ("sales@example.org", "nobody", "", "*", "a\0", ")(mail=*", "\ud800"):
        assert await directory.account(name) is None


async def test_passwords(directory: Directory) -> None:
    tries = {
        (ALICE, b"alice-secret"): Outcome.OK,
        ("carol@example.org", b"carol-secret"): Outcome.OK,
        (ALICE, b"alice-secret "): Outcome.WRONG,
        (ALICE, b""): Outcome.WRONG,
        ("nobody@example.org", b"x"): Outcome.UNKNOWN,
        ("*", b"alice-secret"): Outcome.UNKNOWN,
    }
    for (name, password), outcome in tries.items():
        assert (await directory.verify(name, password)).outcome is outcome
    verdict = await directory.verify(ALICE, b"alice-secret")
    assert verdict.account is not None
    assert verdict.account.name == ALICE


async def test_a_user_from_birth_to_death(directory: Directory, users: Users) -> None:
    assert await directory.account("dora@example.org") is None
    new = Account("Dora@Example.org", ("D@example.org", "@example.com"), "m2", 5 * 2**20)
    dora = await users.add(new, PASSWORD)
    assert dora.name == "dora@example.org"
    assert await names(users.list()) == [ALICE, "bob@example.org", "carol@example.org", dora.name]
    account = await directory.account("dora@example.org")
    assert account is not None
    assert (account.server, account.quota_bytes, account.status) == ("m2", 5 * 2**20, Status.ACTIVE)
    found = await directory.recipient("any@example.com")
    assert found is not None
    assert found.name == dora.name
    assert (await directory.verify(dora.name, PASSWORD)).outcome is Outcome.OK
    await users.delete(dora.name)
    assert await directory.account(dora.name) is None
    assert await directory.recipient("d@example.org") is None
    assert await directory.recipient("any@example.com") is None
    assert (await directory.verify(dora.name, PASSWORD)).outcome is Outcome.UNKNOWN


async def test_every_change_is_seen_at_once(directory: Directory, users: Users) -> None:
    for _ in range(2):
        assert await directory.account(ALICE)
        assert await directory.recipient("sales@example.org")
        assert await directory.recipient("ceo@example.org") is None
    assert (await users.set_server(ALICE, "m9")).server == "m9"
    assert (await users.set_quota(ALICE, 0)).quota_bytes == 0
    edit = AccountEdit(add_addresses=("CEO@example.org",), remove_addresses=("sales@example.org",))
    changed = await users.change(ALICE, edit)
    assert sorted(changed.addresses) == ["@example.net", "ceo@example.org"]
    account = await directory.account(ALICE)
    assert account is not None
    assert (account.server, account.quota_bytes) == ("m9", 0)
    assert await directory.recipient("sales@example.org") is None
    assert await directory.recipient("ceo@example.org")
    assert (await users.set_server(ALICE, "")).server is None
    assert (await users.set_server(ALICE, "")).server is None


async def test_a_change_of_nothing(users: Users) -> None:
    before = await users.show(ALICE)
    assert await users.change(ALICE, AccountEdit()) == before
    edit = AccountEdit(add_addresses=before.addresses, remove_addresses=("not@there.test",))
    assert (await users.change(ALICE, edit)).addresses == before.addresses


async def test_disable_and_enable(directory: Directory, users: Users) -> None:
    assert await directory.verify(ALICE, b"alice-secret")
    assert (await users.disable(ALICE)).status is Status.DISABLED
    assert (await directory.verify(ALICE, b"alice-secret")).outcome is Outcome.DISABLED
    assert (await directory.verify(ALICE, b"wrong-secret")).outcome is Outcome.WRONG
    assert (await users.enable(ALICE)).status is Status.ACTIVE
    assert await directory.verify(ALICE, b"alice-secret")


async def test_a_new_password_replaces_the_old(directory: Directory, users: Users) -> None:
    assert await directory.verify(ALICE, b"alice-secret")
    await users.set_password(ALICE, PASSWORD)
    assert (await directory.verify(ALICE, PASSWORD)).outcome is Outcome.OK
    assert (await directory.verify(ALICE, b"alice-secret")).outcome is Outcome.WRONG


@pytest.mark.parametrize("name", ["a,b+c@example.org", 'o"=;<>#\\x@example.org', "*)(mail=*@x.org"])
async def test_names_of_metacharacters(directory: Directory, users: Users, name: str) -> None:
    added = await users.add(Account(name), PASSWORD)
    assert added.name == name
    account = await directory.account(name)
    assert account is not None
    assert account.name == name
    assert await directory.verify(name, PASSWORD)
    assert (await users.set_quota(name, 7)).quota_bytes == 7
    await users.delete(name)
    assert await names(users.list()) == [ALICE, "bob@example.org", "carol@example.org"]


async def test_unknown_accounts_cannot_be_changed(users: Users) -> None:
    for name in ("nobody@example.org", "*", "a\0"):
        for change in (
            users.show(name),
            users.disable(name),
            users.set_password(name, PASSWORD),
            users.delete(name),
            users.set_quota(name, 1),
        ):
            with pytest.raises(NoSuchAccount):
                await change


@pytest.mark.parametrize(
    "account",
    [
        Account(ALICE),
        Account("ALICE@EXAMPLE.ORG"),
        Account("sales@example.org"),
        Account("new@example.org", ("info@example.org",)),
        Account("new@example.org", ("bob@example.org",)),
        Account("new@example.org", ("@example.net",)),
    ],
)
async def test_no_address_has_two_accounts(users: Users, account: Account) -> None:
    with pytest.raises(AccountExists):
        await users.add(account, PASSWORD)
    assert len(await names(users.list())) == 3
    if account.addresses:
        with pytest.raises(AccountExists):
            await users.change("carol@example.org", AccountEdit(add_addresses=account.addresses))


async def test_an_address_below_a_catch_may_have_an_account(users: Users) -> None:
    assert (await users.add(Account("own@example.net"), PASSWORD)).name == "own@example.net"


async def test_many_changes_at_once_lose_none(users: Users) -> None:
    new = [Account(f"user{number}@example.org") for number in range(8)]
    await asyncio.gather(*(users.add(account, PASSWORD) for account in new))
    assert len(await names(users.list())) == 11
    with pytest.raises(AccountExists):
        await users.add(new[0], PASSWORD)


async def test_what_is_no_account_is_refused(users: Users) -> None:
    for wrong in (
        Account(""),
        Account("@example.org"),
        Account("a\nb"),
        Account("x@example.org", ("no-address",)),
        Account("x@example.org", ("a@-x-.org/",)),
        Account("x@example.org", ("x" * 65 + "@example.org",)),
        Account("x@example.org", server="no server"),
        Account("x@example.org", quota_bytes=-1),
    ):
        with pytest.raises(DirectoryRefused):
            await users.add(wrong, PASSWORD)
    for password in (b"", b"short", b"x" * 1025, b"with\nline", b"with\0null"):
        with pytest.raises(DirectoryRefused, match="a password has"):
            await users.add(Account("x@example.org"), password)
        with pytest.raises(DirectoryRefused, match="a password has"):
            await users.set_password(ALICE, password)


async def test_state_names_the_kind_and_no_secret(directory: Directory) -> None:
    await directory.verify(ALICE, b"alice-secret")
    state = directory.state()
    assert state["kind"] in {"ldap", "static"}
    assert "secret" not in repr(state)
    assert "SSHA" not in repr(state)
