"""Which rule is tried before which, and which rules can never be told apart.

The order is that of the Kubernetes Gateway API v1, HTTPRouteRule.matches (gateway-api.sigs.k8s.io,
"Proxy or Load Balancer routing configuration generated from HTTPRoutes MUST prioritize matches
based on the following criteria, continuing on ties"), with the host before it as in its GRPCRoute
("characters in a matching non-wildcard hostname, characters in a matching hostname"):

 1. host: exact, then the longest wildcard, then none. Gateway API.
 2. path: exact, then the longest prefix, then regular expressions in file order, then none.
    The Gateway API leaves the place of regular expressions to the implementation. Like there,
    a rule for `/*` has the same rank as a rule without a path.
 3. a method is given. Gateway API.
 4. most header matches. Gateway API.
 5. most query matches. Gateway API.
 6. most cookie matches. Ours, as all below but the last.
 7. most conditions on who asks: source, SNI, client certificate name, account, recipient, and each
    attribute of the account.
 8. fewest of these that use `*`.
 9. the longest network.
10. file order. Gateway API.

When no rule of a more specific host matches, those of the less specific hosts are tried.
A list of hosts or methods is short for one rule each.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from ipaddress import ip_network
from typing import NamedTuple

from l7lb.model import MatchSpec, PathKind, PathMatch, RouteSpec, ValueMatch
from l7lb.routing.matchers import is_root, is_wildcard_host, network_ranges


class Rank(NamedTuple):
    """Compares smaller when tried earlier. Each field is one step of the order above."""

    host: int
    host_length: int
    path: int
    path_length: int
    """Of a regular expression: the place in the file where the expression first stands."""
    method: int
    headers: int
    query: int
    cookies: int
    constraints: int
    wildcards: int
    network: int
    position: int


ADVANTAGES = (
    "its host is more specific",
    "its wildcard is longer",
    "its kind of path match comes first",
    "its path is longer or stands earlier",
    "it names a method",
    "it has more header matches",
    "it has more query matches",
    "it has more cookie matches",
    "it has more conditions on who asks",
    "it uses fewer wildcards",
    "its network is smaller",
    "it stands earlier in the file",
)


class Entry(NamedTuple):
    """One rule under one of its hosts (b"": any host)."""

    rank: Rank
    host: bytes
    route: RouteSpec


def entries(routes: Sequence[RouteSpec]) -> list[Entry]:
    """Every rule under each of its hosts, in the order in which they are tried."""
    expressions: dict[re.Pattern[bytes], int] = {}
    found: list[Entry] = []
    for position, route in enumerate(routes):
        match = route.match
        path = _path_rank(match.path, expressions)
        for host in dict.fromkeys(match.hosts or (b"",)):
            rank = _rank(match, _host_rank(host), path, position)
            found.append(Entry(rank, b"" if host == b"*" else host, route))
    found.sort(key=lambda entry: entry.rank)
    return found


def advantage(better: Rank, worse: Rank) -> str:
    """Why the one is tried before the other, as a clause about the better one."""
    return next(text for text, a, b in zip(ADVANTAGES, better, worse, strict=True) if a != b)


def find_ties(routes: Sequence[RouteSpec]) -> list[tuple[RouteSpec, RouteSpec]]:
    """Pairs of rules (earlier, later) that ask for exactly the same, so that the later never wins.

    Rules with several hosts or methods tie when they share a host and a method and all else is the
    same: for those requests the later is dead, whatever it does for others.
    """
    first: dict[Hashable, RouteSpec] = {}
    pairs: dict[tuple[int, int], tuple[RouteSpec, RouteSpec]] = {}
    for route in routes:
        for key in _canonical_keys(route.match):
            earlier = first.setdefault(key, route)
            if earlier is not route:
                pairs[id(earlier), id(route)] = (earlier, route)
    return list(pairs.values())


# --------------------------------------------------------------------------- parts of a rank


def _host_rank(host: bytes) -> tuple[int, int]:
    if host in {b"", b"*"}:
        return (2, 0)
    return (1, -len(host)) if is_wildcard_host(host) else (0, 0)


def _path_rank(path: PathMatch, expressions: dict[re.Pattern[bytes], int]) -> tuple[int, int]:
    if path.kind is PathKind.EXACT:
        return (0, 0)
    if path.kind is PathKind.PREFIX and not is_root(path):
        return (1, -len(path.text))
    if path.kind is PathKind.REGEX and path.pattern is not None:
        return (2, expressions.setdefault(path.pattern, len(expressions)))
    return (3, 0)


def _rank(match: MatchSpec, host: tuple[int, int], path: tuple[int, int], position: int) -> Rank:
    names = (match.sni, match.tls_names, match.accounts, match.recipients)
    lengths = (ip_network(text, strict=False).prefixlen for text in match.sources)
    return Rank(
        *host,
        *path,
        method=0 if match.methods else 1,
        headers=-len(set(match.headers)),
        query=-len(set(match.query)),
        cookies=-len(set(match.cookies)),
        constraints=-sum(map(bool, (match.sources, *names))) - len(set(match.attributes)),
        wildcards=sum(any(b"*" in name for name in given) for given in names),
        network=-min(lengths, default=0),
        position=position,
    )


# --------------------------------------------------------------------------- ties


def _canonical_keys(match: MatchSpec) -> list[Hashable]:
    """One value for each host and method; equal for rules that hold for the same requests."""
    rest = (
        _canonical_path(match.path),
        *(_canonical_values(v) for v in (match.headers, match.query, match.cookies)),
        _canonical_values(match.attributes),
        *(str(network_ranges(match.sources, version)) for version in (4, 6)),
        bool(match.sources),
        *(frozenset(v) for v in (match.sni, match.tls_names, match.accounts, match.recipients)),
    )
    hosts = {b"" if host == b"*" else host for host in match.hosts} or {b""}
    return [
        (host, method, rest)
        for host in sorted(hosts)
        for method in sorted(set(match.methods)) or [b""]
    ]


def _canonical_path(path: PathMatch) -> Hashable:
    if path.kind is PathKind.REGEX:
        return path.pattern
    return b"" if path.kind is PathKind.ANY or is_root(path) else (path.kind, path.text)


def _canonical_values(values: tuple[ValueMatch, ...]) -> Hashable:
    return frozenset((v.name, v.value, v.pattern if v.value is None else None) for v in values)
