"""Finds the rule for a request. Hot: compiled by Cython, with C types from `table.pxd`.

Owns the index: host → path → rules in the order of `precedence`. A look-up costs a few dictionary
reads, however many rules there are. Must not know what a route does.
"""

from __future__ import annotations

from collections.abc import Sequence

from l7lb.model import PathKind, RouteSpec, ValueMatch
from l7lb.routing.matchers import constraints, is_root, is_wildcard_host
from l7lb.routing.precedence import Entry, entries
from l7lb_protocols.facts import Facts

HEADER = 0
QUERY = 1
COOKIE = 2
SLASH = 47


class ValueTest:
    """A header, query argument or cookie to look at."""

    def __init__(self, kind: int, match: ValueMatch) -> None:
        self.kind = kind
        self.name = match.name
        self.value = match.value
        self.pattern = match.pattern if match.value is None else None

    def holds(self, facts: Facts) -> bool:
        if self.kind == COOKIE:
            value = facts.cookie(self.name)
        elif self.kind == HEADER:
            value = facts.header(self.name)
        else:
            value = facts.argument(self.name)
        if value is None:
            return False
        if self.value is not None:
            return value == self.value
        return self.pattern is None or self.pattern.fullmatch(value) is not None


class Candidate:
    """A rule, with what is left to check once host and path are known."""

    def __init__(self, route: RouteSpec, position: int) -> None:
        match = route.match
        self.route = route
        self.position = position
        """Among the table's routes."""
        self.expression = match.path.pattern if match.path.kind is PathKind.REGEX else None
        self.methods = frozenset(match.methods) if match.methods else None
        self.values = (
            *(ValueTest(HEADER, value) for value in match.headers),
            *(ValueTest(QUERY, value) for value in match.query),
            *(ValueTest(COOKIE, value) for value in match.cookies),
        )
        self.constraints = constraints(match)

    def holds(self, facts: Facts) -> bool:
        if self.methods is not None and facts.method not in self.methods:
            return False
        for test in self.values:
            if not test.holds(facts):
                return False
        for constraint in self.constraints:  # noqa: SIM110
            if not constraint.holds(facts):
                return False
        return True


class Node:
    """The rules under one host."""

    def __init__(self) -> None:
        self.exact: dict[bytes, list[Candidate]] = {}
        self.prefixes: dict[bytes, list[Candidate]] = {}
        self.prefix_lengths = b""
        """Byte n is 1 when there is a prefix of n bytes: other lengths need no look-up."""
        self.expressions: list[Candidate] = []
        self.others: list[Candidate] = []

    def add(self, candidate: Candidate) -> None:
        path = candidate.route.match.path
        if path.kind is PathKind.EXACT:
            self.exact.setdefault(path.text, []).append(candidate)
        elif path.kind is PathKind.PREFIX and not is_root(path):
            self.prefixes.setdefault(path.text, []).append(candidate)
            self.prefix_lengths = with_length(self.prefix_lengths, len(path.text))
        elif path.kind is PathKind.REGEX:
            self.expressions.append(candidate)
        else:
            self.others.append(candidate)

    def find(self, path: bytes, facts: Facts) -> Candidate | None:
        if self.exact:
            found = first(self.exact.get(path), facts)
            if found is not None:
                return found
        if self.prefixes:
            found = self.find_prefix(path, facts)
            if found is not None:
                return found
        if self.expressions:
            for candidate in self.expressions:
                expression = candidate.expression
                if expression is None or expression.fullmatch(path) is None:
                    continue
                if candidate.holds(facts):
                    return candidate
        return first(self.others, facts)

    def find_prefix(self, path: bytes, facts: Facts) -> Candidate | None:
        """Tries the path, then the path up to each `/` from the right, down to one byte."""
        p = path
        lengths = self.prefix_lengths
        end = len(path)
        if end < len(self.prefix_lengths) and lengths[end]:
            found = first(self.prefixes.get(path), facts)
            if found is not None:
                return found
        end = min(end, len(self.prefix_lengths))
        while end > 1:
            end -= 1
            if p[end] == SLASH and lengths[end]:
                found = first(self.prefixes.get(p[:end]), facts)
                if found is not None:
                    return found
        return None


def first(candidates: list[Candidate] | None, facts: Facts) -> Candidate | None:
    if candidates is not None:
        for candidate in candidates:
            if candidate.holds(facts):
                return candidate
    return None


def with_length(lengths: bytes, length: int) -> bytes:
    """The same marks with `length` marked too."""
    marks = bytearray(max(len(lengths), length + 1))
    marks[: len(lengths)] = lengths
    marks[length] = 1
    return bytes(marks)


class RoutingTable:
    """Rules in file order, indexed. Immutable; a reload makes a new one.

    `routes` is what it was made from. Raises ValueError for a source that is no network.
    """

    def __init__(self, routes: Sequence[RouteSpec]) -> None:
        self.routes = tuple(routes)
        self.hosts: dict[bytes, Node] = {}
        self.suffixes: dict[bytes, Node] = {}
        self.suffix_lengths = b""
        self.any_host = Node()
        for entry in entries(self.routes):
            self.node(entry).add(Candidate(entry.route, entry.rank.position))

    def node(self, entry: Entry) -> Node:
        if not entry.host:
            return self.any_host
        if not is_wildcard_host(entry.host):
            return self.hosts.setdefault(entry.host, Node())
        suffix = entry.host[1:]
        self.suffix_lengths = with_length(self.suffix_lengths, len(suffix))
        return self.suffixes.setdefault(suffix, Node())

    def match(self, facts: Facts) -> RouteSpec | None:
        """The first rule in the order of `precedence` that holds; None when none does."""
        found = self.find(facts)
        return found.route if found is not None else None

    def find(self, facts: Facts) -> Candidate | None:
        """As `match`, with the rule's position."""
        path = facts.path
        if self.hosts or self.suffixes:
            host = facts.host
            node = self.hosts.get(host)
            if node is not None:
                found = node.find(path, facts)
                if found is not None:
                    return found
            if self.suffixes:
                found = self.match_suffix(host, path, facts)
                if found is not None:
                    return found
        return self.any_host.find(path, facts)

    def match_suffix(self, host: bytes, path: bytes, facts: Facts) -> Candidate | None:
        """Tries `.b.example.org`, then `.example.org`, … for the host `a.b.example.org`."""
        lengths = self.suffix_lengths
        size = len(host)
        at = host.find(b".", max(1, size - len(lengths) + 1))
        while at > 0:
            if lengths[size - at]:
                node = self.suffixes.get(host[at:])
                if node is not None:
                    found = node.find(path, facts)
                    if found is not None:
                        return found
            at = host.find(b".", at + 1)
        return None
