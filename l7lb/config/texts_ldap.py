"""LDAP's texts as they stand in the rules file: URLs, distinguished names, attributes, filters."""

from __future__ import annotations

import re

from l7lb.config.addresses import host_name
from l7lb.config.refusal import Refusal
from l7lb.config.texts import text_of
from l7lb.config.units import shown
from l7lb_protocols.ldap.filters import FilterError, FilterTemplate, template
from l7lb_protocols.ldap.names import is_dn
from l7lb_protocols.ldap.urls import LdapUrl, parse_url

PARTS = frozenset({"user", "domain"})
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")

host = host_name


def url(value: object) -> LdapUrl:
    text = text_of(value)
    try:
        return parse_url(text)
    except ValueError as error:
        raise Refusal(f"{shown(text)} cannot be used: {error}") from None


def dn(value: object) -> str:
    """A distinguished name, RFC 4514; not the empty one."""
    text = text_of(value)
    if not is_dn(text):
        raise Refusal(
            f"{shown(text)} is not a distinguished name", "such as ou=people,dc=example,dc=org"
        )
    return text


def attribute(value: object) -> str:
    text = text_of(value)
    if not _ATTRIBUTE.fullmatch(text):
        raise Refusal(f"{shown(text)} is not the name of an attribute", "such as mail")
    return text


def optional_attribute(value: object) -> str:
    """Empty for `none`."""
    return "" if value is False or value == "none" else attribute(value)


def account_filter(value: object) -> FilterTemplate:
    return _filter(value, frozenset({"account"}) | PARTS, ("account", "user"))


def recipient_filter(value: object) -> FilterTemplate:
    return _filter(value, frozenset({"address"}) | PARTS, ("address", "user"))


def catch_filter(value: object) -> FilterTemplate | None:
    if value is False or value == "none":
        return None
    return _filter(value, frozenset({"domain"}), ("domain",))


def plain_filter(value: object) -> FilterTemplate:
    return _filter(value, frozenset(), ())


def _filter(value: object, known: frozenset[str], one_of: tuple[str, ...]) -> FilterTemplate:
    text = text_of(value)
    try:
        found = template(text, known)
    except FilterError as error:
        raise Refusal(f"{shown(text)} is no filter: {error}") from None
    if one_of and not found.names & set(one_of):
        example = f"such as (mail={{{one_of[0]}}})"
        raise Refusal(f"{shown(text)} finds the same entry for everybody", example)
    return found
