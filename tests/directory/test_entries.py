"""Entries as accounts, and entries that make no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from l7lb.accounts import Status
from l7lb.directory.entries import account_of, wanted
from l7lb.errors import DirectoryConfused
from l7lb.model_directory import EntrySpec

SPEC = EntrySpec(kept=("departmentNumber",))
ALICE = {"mail": [b"Alice@Example.org"], "mailHost": [b"m1"], "l7lbMailQuota": [b"1024"]}


def test_names_of_attributes_have_no_case() -> None:
    account = account_of("cn=a", {name.upper(): values for name, values in ALICE.items()}, SPEC)
    assert (account.name, account.server, account.quota_bytes) == ("alice@example.org", "m1", 1024)
    assert account.attributes == {"departmentnumber": ()}


def test_the_least_that_an_account_has() -> None:
    account = account_of("cn=a", {"mail": [b"a@b"]}, SPEC)
    assert (account.server, account.quota_bytes, account.status) == (None, 0, Status.ACTIVE)


@pytest.mark.parametrize("value", [b"disabled", b"Disabled", b"noaccess"])
def test_disabled(value: bytes) -> None:
    assert (
        account_of("cn=a", {**ALICE, "l7lbAccountStatus": [value]}, SPEC).status is Status.DISABLED
    )


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"mail": []}, "no mail"),
        ({"mail": [b"a@b", b"c@d"]}, "2 values of mail"),
        ({"mail": [b"a\nb"]}, "is no name for an account"),
        ({"mail": [b" a"]}, "is no name for an account"),
        ({"mail": [b"\xff"]}, "is not UTF-8"),
        ({"mailHost": [b"a", b"b"]}, "2 values of mailHost"),
        ({"l7lbMailQuota": [b"many"]}, "not a number of bytes"),
        ({"l7lbMailQuota": [b"-1"]}, "not a number of bytes"),
        ({"l7lbMailQuota": [b"9" * 30]}, "not a number of bytes"),
        ({"mailLocalAddress": [b"a\0b"]}, "is no name for an account"),
    ],
)
def test_entries_that_make_no_sense(attributes: dict[str, list[bytes]], reason: str) -> None:
    with pytest.raises(DirectoryConfused, match=reason) as caught:
        account_of("cn=alice", {**ALICE, **attributes}, SPEC)
    assert "entry cn=alice" in str(caught.value)


def test_what_the_directory_has_not_is_not_asked_for() -> None:
    bare = replace(SPEC, aliases="", server="", quota="", status="", kept=())
    assert wanted(bare, with_passwords=True) == ("mail", "userPassword", "authPassword")
    assert wanted(bare, with_passwords=False) == ("mail",)
    assert account_of("cn=a", ALICE, bare).server is None
