"""Filters: what is one, and that a value can never be more than a value."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.ldap.filters import (
    DEPTH_LIMIT,
    TEMPLATE_LIMIT,
    VALUE_LIMIT,
    FilterError,
    ValueTooLong,
    escaped,
    template,
)

KNOWN = frozenset({"account", "domain"})


@pytest.mark.parametrize(
    "text",
    [
        "(mail={account})",
        "(&(objectClass=inetOrgPerson)(|(mail={account})(uid={account})))",
        "(!(mail={account}))",
        "(mail=*{account}*)",
        "(mail=*)",
        "(mail=)",
        "(cn;lang-de=x)",
        "(2.5.4.3=x)",
        "(a>=1)",
        "(a~=b)",
        r"(a=\28\29\2a\5c\00)",
        "(mail=a@{domain})",
    ],
)
def test_filters(text: str) -> None:
    found = template(text, KNOWN)
    assert str(found) == text
    assert found.filled(dict.fromkeys(KNOWN, "x")) == re.sub(r"\{\w+\}", "x", text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no ( at offset 0"),
        ("mail=x", "no ( at offset 0"),
        ("(mail={account}", "no ) at offset 15"),
        ("(mail={account}))", "text after the filter, at offset 16"),
        ("(mail={acount})", "unknown placeholder {acount}; known: {account}, {domain}"),
        ("(mail={})", "unknown placeholder {}"),
        ("({account}=x)", "no comparison"),
        ("({account})", "no comparison"),
        ("(mail={account)", "a brace without its other"),
        ("(mail=account})", "a brace without its other"),
        ("(mail={{account}})", "a brace without its other"),
        ("(&)", "nothing to combine"),
        ("(!)", "no ( at offset 2"),
        ("()", "no comparison"),
        ("(=x)", "no comparison"),
        ("(mail=\\zz)", "a \\ without two hexadecimal digits"),
        ("(mail=x\\)", "a \\ without two hexadecimal digits"),
        ("(mail=\0)", "no ) at offset 6"),
        ("(cn:dn:=x)", "no comparison"),
        ("(!" * (DEPTH_LIMIT + 2), "nested deeper"),
        ("(a=" + "x" * TEMPLATE_LIMIT + ")", "longer than"),
    ],
)
def test_no_filters(text: str, reason: str) -> None:
    with pytest.raises(FilterError, match=re.escape(reason)):
        template(text, KNOWN)


def test_unknown_placeholders_when_none_is_known() -> None:
    with pytest.raises(FilterError, match="known: none"):
        template("(mail={account})")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("alice@example.org", "alice@example.org"),
        ("*", "\\2a"),
        ("a)(uid=*", "a\\29\\28uid=\\2a"),
        ("a\\b", "a\\5cb"),
        ("a\0b", "a\\00b"),
        ("{account}", "\\7baccount\\7d"),
        ("é", "\\c3\\a9"),
        (" a ", "\\20a\\20"),
        ("", ""),
    ],
)
def test_values(value: str, text: str) -> None:
    assert escaped(value) == text


@given(st.text(max_size=200))
def test_a_value_cannot_change_the_shape(value: str) -> None:
    found = template("(|(mail={account})(uid={account}))", KNOWN)
    filled = found.filled({"account": value})
    assert re.sub(r"[^()*&|!\x00]", "", filled) == "(|()())"
    back = re.sub(
        rb"\\([0-9a-f]{2})", lambda hit: bytes([int(hit[1], 16)]), escaped(value).encode()
    )
    assert back == value.encode("utf-8", "surrogateescape")


def test_a_value_has_a_limit() -> None:
    assert escaped("x" * VALUE_LIMIT)
    with pytest.raises(ValueTooLong):
        escaped("x" * (VALUE_LIMIT + 1))


def test_a_value_is_not_read_as_a_template() -> None:
    found = template("(&(a={account})(b={domain}))", KNOWN)
    assert found.filled({"account": "{domain}", "domain": "x"}) == "(&(a=\\7bdomain\\7d)(b=x))"


@given(st.text(alphabet="()&|!=*{}\\ab0", max_size=40))
def test_only_filter_errors(text: str) -> None:
    with suppress(FilterError):
        assert template(text, frozenset({"a", "b"})).text == text
