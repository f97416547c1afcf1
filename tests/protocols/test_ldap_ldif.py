"""LDIF both ways, whole and broken."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.ldap import ldif

TEXT = """\
version: 1
# a comment
 that goes on

dn: cn=a,dc=x
objectClass: top
CN: a
mail:: YUBl
mail: long
 er

# between
dn:: Y249w6k=
cn;lang-de: b
empty:
"""


def test_records() -> None:
    first, second = ldif.parse(TEXT)
    assert (first.dn, first.line) == ("cn=a,dc=x", 5)
    assert first.attributes == {"objectclass": [b"top"], "cn": [b"a"], "mail": [b"a@e", b"longer"]}
    assert (second.dn, second.line) == ("cn=é", 13)
    assert second.attributes == {"cn;lang-de": [b"b"], "empty": [b""]}


def test_line_ends_of_dos_and_no_last_line_end() -> None:
    assert [*ldif.parse(TEXT.replace("\n", "\r\n"))] == [*ldif.parse(TEXT)]
    assert [*ldif.parse(TEXT.rstrip("\n"))] == [*ldif.parse(TEXT)]


def test_nothing() -> None:
    assert [*ldif.parse("")] == []
    assert [*ldif.parse("\n\n# only this\n")] == []


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("version: 2\n", 1, "not version 1"),
        ("cn: a\n", 1, "begins with its dn"),
        ("dn: a\n\ncn: b\n", 3, "begins with its dn"),
        ("dn: a\nchangetype: add\n", 2, "a change"),
        ("dn: a\ncontrol: 1.2\n", 2, "a change"),
        ("dn: a\nphoto:< file:///etc/passwd\n", 2, "value elsewhere"),
        ("dn: a\nx:: !\n", 2, "not Base64"),
        ("dn: a\nx:: é\n", 2, "not Base64"),
        ("dn: a\nno colon\n", 2, "not a line"),
        ("dn:: /w==\n", 1, "not UTF-8"),
        ("dn: a\nx: " + "y" * ldif.LINE_LIMIT + "\n z\n", 2, "longer than"),
    ],
)
def test_broken(text: str, line: int, reason: str) -> None:
    with pytest.raises(ldif.LdifError, match=reason) as caught:
        [*ldif.parse(text)]
    assert caught.value.line == line


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ldif, "RECORDS_LIMIT", 2)
    with pytest.raises(ldif.LdifError, match="more than 2"):
        [*ldif.parse("dn: a\n\n" * 3)]


values = st.lists(st.binary(max_size=200), min_size=1, max_size=3)


@given(dn=st.text(max_size=200), attributes=st.dictionaries(st.sampled_from("abc"), values))
def test_what_is_written_is_read(dn: str, attributes: dict[str, list[bytes]]) -> None:
    text = ldif.written(dn, attributes)
    [record] = ldif.parse(text)
    assert (record.dn, record.attributes) == (dn, attributes)
    assert max(map(len, text.split("\n"))) <= ldif.WIDTH


@given(st.text(alphabet="dn:<= a\n#\r0", max_size=60))
def test_only_ldif_errors(text: str) -> None:
    with suppress(ldif.LdifError):
        assert all(record.line >= 1 for record in ldif.parse(text))
