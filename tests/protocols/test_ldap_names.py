"""Distinguished names: parts go in escaped, and wholes are recognised."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from l7lb_protocols.ldap.names import DN_LIMIT, child, escaped_dn_value, is_dn

BASE = "ou=people,dc=example,dc=org"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("alice@example.org", "alice@example.org"),
        ("a,b+c", "a\\2cb\\2bc"),
        ('"a"<b>;c\\=#', "\\22a\\22\\3cb\\3e\\3bc\\5c\\3d\\23"),
        (" a b ", "\\20a b\\20"),
        (" ", "\\20"),
        ("a\0\n", "a\\00\\0a"),
        ("é", "é"),
    ],
)
def test_values(value: str, text: str) -> None:
    assert escaped_dn_value(value) == text


def test_a_child() -> None:
    assert child("mail", "a,ou=x@b", BASE) == f"mail=a\\2cou\\3dx@b,{BASE}"


@pytest.mark.parametrize(("attribute", "value"), [("", "x"), ("a=b", "x"), ("a,b", "x"), ("a", "")])
def test_no_children(attribute: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"attribute|value"):
        child(attribute, value, BASE)


@example("\u00a0")  # blank to Unicode, a character like any other in a name
@given(st.text(min_size=1, max_size=100))
def test_a_child_is_a_name_one_level_deeper(value: str) -> None:
    assert is_dn(child("mail", value, BASE))
    inner = escaped_dn_value(value)
    assert not set(inner) & set('",+;<>=#\0')


@pytest.mark.parametrize(
    "text",
    [
        BASE,
        "cn=a",
        "cn=a+sn=b,dc=x",
        "2.5.4.3=a",
        "cn=#04024869",
        "cn=a\\, b,dc=x",
        "cn = a , dc = x",
    ],
)
def test_names(text: str) -> None:
    assert is_dn(text)


@pytest.mark.parametrize(
    "text",
    ["", "people", "cn=", "cn=a,", ",cn=a", "=a", "cn=a,dc", "cn=a\\", "cn=a;b", "cn=#0", "c n=a",
     "cn=" + "x" * DN_LIMIT],
)  # fmt: skip
def test_no_names(text: str) -> None:
    assert not is_dn(text)
