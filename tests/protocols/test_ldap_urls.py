from __future__ import annotations

import pytest

from l7lb_protocols.ldap.urls import LdapUrl, parse_url


@pytest.mark.parametrize(
    ("text", "url", "shown"),
    [
        ("ldap://10.0.5.1", LdapUrl("ldap", "10.0.5.1", 389), "ldap://10.0.5.1:389"),
        ("ldaps://LDAP.example.org/", LdapUrl("ldaps", "ldap.example.org", 636), None),
        ("ldap://[2001:db8::1]:3890", LdapUrl("ldap", "2001:db8::1", 3890), None),
        ("ldapi://%2Frun%2Fldapi", LdapUrl("ldapi", "/run/ldapi", 0), "ldapi://%2Frun%2Fldapi"),
    ],
)
def test_urls(text: str, url: LdapUrl, shown: str | None) -> None:
    assert parse_url(text) == url
    assert parse_url(str(url)) == url
    assert shown is None or str(url) == shown


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http://a", "not the URL"),
        ("ldap://", "not the URL"),
        ("ldap://a/dc=x", "not the URL"),
        ("ldap://a?mail", "not the URL"),
        ("ldap://user@a", "not the URL"),
        ("ldap://a:0", "0 is not a port"),
        ("ldap://a:65536", "65536 is not a port"),
        ("ldap://a b", "not the URL"),
        ("ldap://a\n", "not the URL"),
        ("ldapi://run", "path of a socket"),
        ("ldapi://%2F" + "x" * 107, "path of a socket"),
    ],
)
def test_no_urls(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_url(text)
