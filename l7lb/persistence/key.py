"""The bytes that a hash or a persistence hangs on, taken from the facts of a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

from l7lb.model import KeyKind, KeySpec
from l7lb_protocols.facts import Facts

Extractor = Callable[[Facts], bytes | None]
"""The key of a request; None when it has none (an empty one is none)."""

REMEMBERED_SOURCES = 4096


def extractor(spec: KeySpec) -> Extractor:
    """The function that takes the key named by `spec` from facts."""
    kind, name = spec.kind, spec.name
    if kind is KeyKind.SOURCE:
        return SourceKey(spec.prefix_length)
    if kind is KeyKind.CAPTURE:
        return _capture(spec.pattern or re.compile(rb"(.*)", re.DOTALL))
    by_kind: dict[KeyKind, Extractor] = {
        KeyKind.HOST: lambda facts: facts.host or None,
        KeyKind.PATH: lambda facts: facts.path or None,
        KeyKind.URI: _uri,
        KeyKind.HEADER: lambda facts: facts.header(name) or None,
        KeyKind.QUERY: lambda facts: facts.argument(name) or None,
        KeyKind.COOKIE: lambda facts: facts.cookie(name) or None,
        KeyKind.ACCOUNT: lambda facts: facts.account or None,
    }
    return by_kind[kind]


def _uri(facts: Facts) -> bytes | None:
    return (facts.path + b"?" + facts.query if facts.query else facts.path) or None


def _capture(pattern: re.Pattern[bytes]) -> Extractor:
    group = 1 if pattern.groups else 0

    def capture(facts: Facts) -> bytes | None:
        found = pattern.search(facts.path)
        return (found.group(group) or None) if found else None

    return capture


class SourceKey:
    """The client's network. One form for each address, however it was written."""

    def __init__(self, prefix_length: tuple[int, int]) -> None:
        self._prefix_v4, self._prefix_v6 = prefix_length
        self._known: dict[str, bytes] = {}

    def __call__(self, facts: Facts) -> bytes | None:
        source = facts.source
        if not source:
            return None
        key = self._known.get(source)
        if key is None:
            if len(self._known) >= REMEMBERED_SOURCES:
                self._known.clear()
            key = self._known[source] = self._network(source)
        return key

    def _network(self, source: str) -> bytes:
        """Text of the network; the source as it is when it is no address (a Unix socket)."""
        try:
            address = ip_address(source)
        except ValueError:
            return source.encode()
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        prefix = self._prefix_v4 if address.version == 4 else self._prefix_v6
        return str(ip_network((int(address), prefix), strict=False)).encode()
