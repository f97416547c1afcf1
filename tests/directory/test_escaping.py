"""A name of whatever characters finds its own entry in slapd and no other."""

from __future__ import annotations

import asyncio
import unicodedata
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l7lb.accounts import Account, normal_name
from l7lb.directory.ldap_directory import LdapDirectory
from l7lb.directory.ldap_users import LdapUsers
from l7lb.model_directory import EntrySpec
from support.directories import filled, ldap_spec
from support.slapd import Slapd

METACHARACTERS = "*()\\&|!=<>~#,;+\"'/{}[]%$?^`@:.-_ "
EVERY = METACHARACTERS.strip() + "aé中"
letters = st.sampled_from(METACHARACTERS + "ab0éß中")
known_to_us = st.text(letters, min_size=1, max_size=12).map(normal_name).filter(bool)


def as_slapd_sees_it(name: str | None) -> str:
    """Names that slapd's own rule takes for one cannot both have an entry (RFC 4518 §2)."""
    return unicodedata.normalize("NFKD", name or "").casefold()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(names=st.lists(known_to_us, min_size=1, max_size=12, unique_by=as_slapd_sees_it))
def test_every_name_finds_itself(own_slapd: Slapd, names: list[str]) -> None:
    asyncio.run(each_finds_itself(own_slapd, [*names, EVERY]))


async def each_finds_itself(slapd: Slapd, names: list[str]) -> None:
    entry = EntrySpec(name="uid", aliases="")
    spec = ldap_spec(
        slapd.url,
        account=filled("(uid={account})"),
        recipient=filled("(uid={address})"),
        catch=None,
        listing=filled("(uid=*)"),
        entry=entry,
    )
    spec = replace(spec, object_classes=("inetOrgPerson", "inetLocalMailRecipient"))
    directory = LdapDirectory(replace(spec, entry=replace(entry, quota="", status="")))
    directory.start()
    users = LdapUsers(directory)
    for name in names:
        await users.add(Account(name), b"brand-new-secret")
    found = await asyncio.gather(*map(directory.account, names))
    assert [account and account.name for account in found] == names
    found = await asyncio.gather(*(directory.recipient(name) for name in names if name[0] != "@"))
    assert [account and account.name for account in found] == [n for n in names if n[0] != "@"]
    assert await directory.account("*") is None or "*" in names
    for name in names:
        await users.delete(name)
    assert [account async for account in users.accounts()] == []
    await directory.close()
