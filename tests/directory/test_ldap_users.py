"""Changes in LDAP: pages, rights, roles, how passwords are written, what fails half-way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from l7lb.accounts import Account, AccountEdit, Status
from l7lb.directory.ldap_directory import LdapDirectory
from l7lb.directory.ldap_users import LdapUsers
from l7lb.errors import (
    AccountExists,
    DirectoryAway,
    DirectoryConfused,
    DirectoryRefused,
    NoSuchAccount,
)
from l7lb.model_directory import (
    EntrySpec,
    HashKind,
    LdapSpec,
    LdapTls,
    PasswordCheck,
    ReplicaSpec,
    Role,
)
from l7lb_protocols.ldap.urls import LdapUrl
from support.directories import DIRECTOR, QUICK, filled, ldap_spec
from support.slapd import CROWD, Slapd

Make = Callable[[LdapSpec], LdapDirectory]

ALICE = "alice@example.org"
NOBODY = LdapUrl("ldap", "127.0.0.1", 1)
PASSWORD = b"brand-new-secret"


@pytest.mark.parametrize("page", [100, 500])
async def test_a_listing_longer_than_the_servers_limit(slapd: Slapd, make: Make, page: int) -> None:
    crowd = ldap_spec(slapd.url, base="ou=crowd,dc=example,dc=org", page=page)
    users = LdapUsers(make(crowd))
    found = [account.name async for account in users.accounts()]
    assert len(found) == len(set(found)) == CROWD


async def test_the_same_search_without_pages_is_cut_off(slapd: Slapd, make: Make) -> None:
    everybody = filled("(mail=*)")
    directory = make(ldap_spec(slapd.url, base="ou=crowd,dc=example,dc=org", account=everybody))
    with pytest.raises(DirectoryConfused, match="several entries"):
        await directory.account(ALICE)


async def test_a_listing_shows_no_hashes(slapd: Slapd, make: Make) -> None:
    users = LdapUsers(make(ldap_spec(slapd.url)))
    assert {account.passwords async for account in users.accounts()} == {()}
    assert (await users.read(ALICE)).passwords


@pytest.mark.parametrize(
    ("kind", "has_keys"),
    [(HashKind.SERVER, False), (HashKind.SCRAM, True), (HashKind.ARGON2, False)],
)
async def test_how_passwords_are_written(
    own_slapd: Slapd, make: Make, kind: HashKind, has_keys: bool
) -> None:
    directory = make(ldap_spec(own_slapd.url, hash=kind))
    users = LdapUsers(directory)
    await users.set_password(ALICE, PASSWORD)
    account = await users.read(ALICE)
    assert len(account.passwords) == 1
    assert PASSWORD not in account.passwords[0]
    assert (account.scram is not None) is has_keys
    assert await directory.verify(ALICE, PASSWORD)


async def test_who_may_only_read_changes_nothing(own_slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(own_slapd.url, write=DIRECTOR))
    users = LdapUsers(directory)
    for change in (
        users.edit(ALICE, AccountEdit(server="m9")),
        users.set_password(ALICE, PASSWORD),
        users.delete(ALICE),
        users.add(Account("new@example.org"), PASSWORD),
    ):
        with pytest.raises(DirectoryRefused, match="insufficient access"):
            await change
    assert await directory.verify(ALICE, b"alice-secret")


async def test_changes_go_to_servers_that_take_them(own_slapd: Slapd, make: Make) -> None:
    servers = (ReplicaSpec(NOBODY, Role.READ), ReplicaSpec(own_slapd.url, Role.WRITE))
    users = LdapUsers(make(ldap_spec(replicas=servers)))
    await users.edit(ALICE, AccountEdit(server="m9"))
    assert (await users.read(ALICE)).server == "m9"


async def test_the_next_server_is_asked(own_slapd: Slapd, make: Make) -> None:
    users = LdapUsers(make(ldap_spec(NOBODY, own_slapd.url)))
    assert (await users.read(ALICE)).name == ALICE


async def test_no_server_for_changes(slapd: Slapd, make: Make) -> None:
    readers = (ReplicaSpec(slapd.url, Role.READ),)
    with pytest.raises(DirectoryAway, match="names no server for changes"):
        await LdapUsers(make(ldap_spec(replicas=readers))).delete(ALICE)
    with pytest.raises(DirectoryAway, match=r"127.0.0.1:1"):
        await LdapUsers(make(ldap_spec(NOBODY, timeouts=QUICK))).delete(ALICE)


async def test_an_account_whose_password_is_refused_is_not_left_behind(
    own_slapd: Slapd, make: Make
) -> None:
    directory = make(
        ldap_spec(own_slapd.url, hash=HashKind.SCRAM, entry=EntrySpec(passwords=("noSuch",)))
    )
    users = LdapUsers(directory)
    with pytest.raises(DirectoryRefused, match="undefined attribute type"):
        await users.add(Account("new@example.org"), PASSWORD)
    with pytest.raises(NoSuchAccount):
        await users.read("new@example.org")
    await LdapUsers(make(ldap_spec(own_slapd.url))).add(Account("new@example.org"), PASSWORD)


async def test_an_entry_that_is_there(own_slapd: Slapd, make: Make) -> None:
    with pytest.raises(AccountExists):
        await LdapUsers(make(ldap_spec(own_slapd.url))).add(Account(ALICE), PASSWORD)


async def test_what_the_directory_has_no_attribute_for(own_slapd: Slapd, make: Make) -> None:
    bare = EntrySpec(aliases="", server="", quota="", status="")
    users = LdapUsers(make(ldap_spec(own_slapd.url, entry=bare)))
    for edit in (
        AccountEdit(server="m1"),
        AccountEdit(quota_bytes=1),
        AccountEdit(status=Status.DISABLED),
        AccountEdit(add_addresses=("x@example.org",)),
    ):
        with pytest.raises(DirectoryRefused, match="names no attribute"):
            await users.edit(ALICE, edit)
    await users.add(Account("new@example.org", ("x@example.org",), "m1", 5), PASSWORD)
    assert (await users.read("new@example.org")).server is None


async def test_two_entries_cannot_be_changed(slapd: Slapd, make: Make) -> None:
    users = LdapUsers(make(ldap_spec(slapd.url, account=filled("(objectClass=inetOrgPerson)"))))
    with pytest.raises(DirectoryRefused, match="size limit"):
        await users.delete(ALICE)


async def test_changes_over_tls(
    own_slapd: Slapd, slapd: Slapd, make: Make, trusting: LdapTls
) -> None:
    users = LdapUsers(make(ldap_spec(slapd.url, tls=replace(trusting, start_tls=True))))
    assert (await users.read(ALICE)).name == ALICE


async def test_a_changed_password_is_bound(own_slapd: Slapd, make: Make) -> None:
    directory = make(ldap_spec(own_slapd.url, check=PasswordCheck.BIND))
    assert await directory.verify(ALICE, b"alice-secret")
    await LdapUsers(directory).set_password(ALICE, PASSWORD)
    assert not await directory.verify(ALICE, b"alice-secret")
    assert await directory.verify(ALICE, PASSWORD)
