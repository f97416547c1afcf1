"""Names of accounts, and what an account shows of itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.accounts import (
    NAME_LIMIT_BYTES,
    Account,
    Outcome,
    ScramKeys,
    Verdict,
    domain_of,
    normal_name,
)


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Alice@Example.ORG", "alice@example.org"),
        ("É", "é"),
        ("e\u0301", "é"),
        ("a b", "a b"),
        ("*)(uid=*", "*)(uid=*"),
        ("x" * NAME_LIMIT_BYTES, "x" * NAME_LIMIT_BYTES),
    ],
)
def test_names(name: str, normal: str) -> None:
    assert normal_name(name) == normal


@pytest.mark.parametrize(
    "name",
    ["", " ", " a", "a ", "a  b", "a\0", "a\nb", "a\tb", "a\u200bb", "a\u2028b", "a\ud800",
     "a\u00a0b", "x" * (NAME_LIMIT_BYTES + 1)],
)  # fmt: skip
def test_nobodys_names(name: str) -> None:
    assert normal_name(name) is None


@given(st.text(max_size=40))
def test_a_normal_name_stays(name: str) -> None:
    normal = normal_name(name)
    assert normal is None or normal_name(normal) == normal


def test_domains() -> None:
    assert [domain_of(a) for a in ("a@b", "a@b@c", "a", "@b", "a@")] == ["b", "c", "", "b", ""]


def test_secrets_are_not_shown() -> None:
    keys = ScramKeys(b"salt", 1, b"stored", b"server")
    account = Account("a", passwords=(b"{SSHA}hash",), scram=keys)
    assert repr(keys) == "ScramKeys(iterations=1)"
    assert "hash" not in repr(account)
    assert "stored" not in repr(account)
    assert hash(account)


def test_a_verdict_is_true_for_ok_alone() -> None:
    assert [each for each in Outcome if Verdict(each)] == [Outcome.OK]
