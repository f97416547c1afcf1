"""What a route caught from the path: {1}, {2}, … of its templates."""

from __future__ import annotations

from l7lb.model import PathKind, PathMatch, RouteSpec
from l7lb.routing.matchers import is_root
from l7lb_protocols.facts import Facts


def capture_count(path: PathMatch) -> int:
    """How many captures a template beside this path match may use."""
    if path.kind is PathKind.REGEX and path.pattern is not None:
        return path.pattern.groups
    return 1 if path.kind is PathKind.PREFIX else 0


def captures(route: RouteSpec, facts: Facts) -> tuple[bytes, ...]:
    """Groups of the expression (b"" for one that took no part), or the rest below the prefix.

    The rest is without its leading `/`. Empty when the route's path match has no captures or does
    not hold.
    """
    match, path = route.match.path, facts.path
    if match.kind is PathKind.REGEX and match.pattern is not None:
        found = match.pattern.fullmatch(path)
        return tuple(found.groups(b"")) if found else ()
    if match.kind is not PathKind.PREFIX:
        return ()
    if is_root(match):
        return (path[1:],)
    if path == match.text or path.startswith(match.text + b"/"):
        return (path[len(match.text) + 1 :],)
    return ()
