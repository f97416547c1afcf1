"""The conditions of a rule: each can say whether it holds and, in words, why not.

Owns: what host patterns, paths, methods, values, networks and names match. Must not know: which
rule is tried first (`precedence`) or how rules are found fast (`table`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Protocol

from l7lb.model import MatchSpec, PathKind, PathMatch, ValueMatch
from l7lb_protocols.facts import Facts

SHOWN_LIMIT = 120
"""Bytes of a request's value that an explanation shows."""
SHOWN_VALUES = 5
"""Of an attribute, in an explanation."""
SOURCES_KEPT = 8192
"""Client addresses whose parsed form is remembered."""


class Condition(Protocol):
    """One thing that must hold for a rule to match."""

    def holds(self, facts: Facts) -> bool: ...

    def failure(self, facts: Facts) -> str:
        """Why the condition does not hold, as a clause; only asked when it does not."""


def shown(value: bytes) -> str:
    """Wire text for a person: escaped, so that it is safe on a terminal, and cut when long."""
    text = value[:SHOWN_LIMIT].decode("latin-1").encode("unicode_escape").decode("ascii")
    return text + "…" if len(value) > SHOWN_LIMIT else text


def _listed(items: Iterable[str], word: str) -> str:
    names = list(items)
    return names[0] if len(names) == 1 else f"{word} {', '.join(names)}"


# --------------------------------------------------------------------------- host


def is_wildcard_host(pattern: bytes) -> bool:
    return pattern.startswith(b"*.")


def host_holds(pattern: bytes, host: bytes) -> bool:
    """`*.example.org` stands for one or more labels, as in the Gateway API; b"" and `*` for any."""
    if pattern in {b"", b"*"}:
        return True
    if is_wildcard_host(pattern):
        return len(host) >= len(pattern) and host.endswith(pattern[1:])
    return host == pattern


def host_failure(patterns: tuple[bytes, ...], host: bytes) -> str:
    wanted = _listed(map(shown, patterns), "one of")
    return f"host {shown(host)} is not {wanted}" if host else f"no host is named, not {wanted}"


# --------------------------------------------------------------------------- path


def is_root(path: PathMatch) -> bool:
    """A prefix that every path lies below; the Gateway API takes it for no path match at all."""
    return path.kind is PathKind.PREFIX and path.text in {b"", b"/"}


class PathCondition:
    def __init__(self, match: PathMatch) -> None:
        self._match = match
        self._below = match.text + b"/"

    def holds(self, facts: Facts) -> bool:
        match, path = self._match, facts.path
        if match.kind is PathKind.EXACT:
            return path == match.text
        if match.kind is PathKind.PREFIX:
            return path == match.text or path.startswith(self._below)
        return match.pattern is not None and match.pattern.fullmatch(path) is not None

    def failure(self, facts: Facts) -> str:
        match, path = self._match, shown(facts.path)
        if match.kind is PathKind.EXACT:
            return f"path {path} is not {shown(match.text)}"
        if match.kind is PathKind.PREFIX:
            return f"path {path} is not below {shown(match.text)}"
        return (
            f"path {path} does not match {shown(match.pattern.pattern if match.pattern else b'')}"
        )


# --------------------------------------------------------------------------- method, values


class MethodCondition:
    def __init__(self, methods: tuple[bytes, ...]) -> None:
        self._methods = methods

    def holds(self, facts: Facts) -> bool:
        return facts.method in self._methods

    def failure(self, facts: Facts) -> str:
        return f"method {shown(facts.method)} is not {_listed(map(shown, self._methods), 'one of')}"


class ValueCondition:
    """A header, cookie or query argument that is present, equal, or matches as a whole."""

    def __init__(
        self, label: str, match: ValueMatch, read: Callable[[Facts, bytes], bytes | None]
    ) -> None:
        self._label = label
        self._match = match
        self._read = read

    def holds(self, facts: Facts) -> bool:
        match = self._match
        value = self._read(facts, match.name)
        if value is None:
            return False
        if match.value is not None:
            return value == match.value
        return match.pattern is None or match.pattern.fullmatch(value) is not None

    def failure(self, facts: Facts) -> str:
        match = self._match
        value = self._read(facts, match.name)
        if value is None:
            return f"{self._label} is absent"
        if match.value is not None:
            return f"{self._label} is '{shown(value)}', not '{shown(match.value)}'"
        pattern = match.pattern.pattern if match.pattern else b""
        return f"{self._label} '{shown(value)}' does not match {shown(pattern)}"


def _header(facts: Facts, name: bytes) -> bytes | None:
    return facts.header(name)


def _argument(facts: Facts, name: bytes) -> bytes | None:
    return facts.argument(name)


def _cookie(facts: Facts, name: bytes) -> bytes | None:
    return facts.cookie(name)


# --------------------------------------------------------------------------- source


@lru_cache(SOURCES_KEPT)
def address_number(text: str) -> tuple[int, int] | None:
    """(version, number) of an address; IPv4-mapped IPv6 is IPv4, a zone is dropped; None: no IP."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return (4, int(mapped)) if mapped is not None else (address.version, int(address))


class SourceCondition:
    """The client's address lies in one of the networks: one bisection, however many there are."""

    def __init__(self, sources: tuple[str, ...]) -> None:
        """Raises ValueError for text that is no network."""
        self._sources = sources
        self._ranges = {version: network_ranges(sources, version) for version in (4, 6)}

    def holds(self, facts: Facts) -> bool:
        parsed = address_number(facts.source)
        if parsed is None:
            return False
        firsts, lasts = self._ranges[parsed[0]]
        at = bisect_right(firsts, parsed[1]) - 1
        return at >= 0 and parsed[1] <= lasts[at]

    def failure(self, facts: Facts) -> str:
        if not facts.source:
            return "the source is not known"
        source = shown(facts.source.encode("utf-8", "replace"))
        several = len(self._sources) > 1
        return (
            f"source {source} is {'in none of' if several else 'not in'} {', '.join(self._sources)}"
        )


def network_ranges(sources: Iterable[str], version: int) -> tuple[list[int], list[int]]:
    """First and last addresses of the networks of one IP version, sorted and merged."""
    networks = (ip_network(text, strict=False) for text in sources)
    firsts: list[int] = []
    lasts: list[int] = []
    for first, last in sorted(
        (int(n.network_address), int(n.broadcast_address)) for n in networks if n.version == version
    ):
        if lasts and first <= lasts[-1] + 1:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts


# --------------------------------------------------------------------------- names


class NameCondition:
    """SNI, certificate name, account or recipient: equal to one, or like one with `*` in it."""

    def __init__(
        self, label: str, patterns: tuple[bytes, ...], read: Callable[[Facts], bytes]
    ) -> None:
        self._label = label
        self._patterns = patterns
        self._read = read
        self._names = frozenset(p for p in patterns if b"*" not in p)
        globs = [b".*".join(map(re.escape, p.split(b"*"))) for p in patterns if b"*" in p]
        self._glob = re.compile(b"|".join(globs), re.DOTALL) if globs else None

    def holds(self, facts: Facts) -> bool:
        name = self._read(facts)
        if not name:
            return False
        if name in self._names:
            return True
        return self._glob is not None and self._glob.fullmatch(name) is not None

    def failure(self, facts: Facts) -> str:
        name = self._read(facts)
        if not name:
            return f"no {self._label} is known"
        return f"{self._label} {shown(name)} is not {_listed(map(shown, self._patterns), 'one of')}"


# --------------------------------------------------------------------------- attributes


class AttributeCondition:
    """One of the account's values in the directory is equal, or matches as a whole."""

    def __init__(self, match: ValueMatch) -> None:
        self._match = match

    def holds(self, facts: Facts) -> bool:
        match = self._match
        values = facts.attribute(match.name)
        if match.value is not None:
            return match.value in values
        pattern = match.pattern
        if pattern is None:
            return bool(values)
        return any(pattern.fullmatch(value) for value in values)

    def failure(self, facts: Facts) -> str:
        match = self._match
        label = f"attribute {shown(match.name)}"
        values = facts.attribute(match.name)
        if not values:
            return f"{label} has no value" if facts.account else "no account is known"
        found = ", ".join(f"'{shown(value)}'" for value in values[:SHOWN_VALUES])
        if match.value is not None:
            return f"{label} is {found}, not '{shown(match.value)}'"
        pattern = match.pattern.pattern if match.pattern else b""
        return f"{label} is {found} and does not match {shown(pattern)}"


# --------------------------------------------------------------------------- all of a rule


def constraints(match: MatchSpec) -> tuple[Condition, ...]:
    """The conditions on who asks: source, TLS names, account, recipient, attributes. Empty: none is
    given."""
    found: list[Condition] = []
    if match.sources:
        found.append(SourceCondition(match.sources))
    if match.sni:
        found.append(NameCondition("SNI", match.sni, lambda facts: facts.sni))
    if match.tls_names:
        found.append(NameCondition("client name", match.tls_names, lambda facts: facts.tls_name))
    if match.accounts:
        found.append(NameCondition("account", match.accounts, lambda facts: facts.account))
    if match.recipients:
        found.append(NameCondition("recipient", match.recipients, lambda facts: facts.recipient))
    found += map(AttributeCondition, match.attributes)
    return tuple(found)


def conditions(match: MatchSpec) -> tuple[Condition, ...]:
    """Every condition but the host's, in the order in which they are checked."""
    found: list[Condition] = []
    if match.path.kind is not PathKind.ANY and not is_root(match.path):
        found.append(PathCondition(match.path))
    if match.methods:
        found.append(MethodCondition(match.methods))
    found += (ValueCondition(f"header {shown(v.name).title()}", v, _header) for v in match.headers)
    found += (ValueCondition(f"query argument {shown(v.name)}", v, _argument) for v in match.query)
    found += (ValueCondition(f"cookie {shown(v.name)}", v, _cookie) for v in match.cookies)
    found += constraints(match)
    return tuple(found)
