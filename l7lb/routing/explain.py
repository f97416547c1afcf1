"""Why a request took its route: every rule in the order tried, each with the reason in words.

Slow and exact; `table` is the fast way to the same answer. Must not know pools or servers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from l7lb.model import RouteSpec
from l7lb.routing.matchers import conditions, host_failure, host_holds
from l7lb.routing.precedence import Entry, Rank, advantage, entries
from l7lb.routing.table import RoutingTable
from l7lb_protocols.facts import Facts


@dataclass(frozen=True, slots=True)
class Trial:
    """One rule and what came of it."""

    route: RouteSpec
    matched: bool
    """It takes the request."""
    reason: str
    holds: bool = False
    """Its conditions hold, whether it takes the request or an earlier one does."""


def explain(table: RoutingTable, facts: Facts) -> list[Trial]:
    """One trial for each rule, in the order tried; the rules after the match are there too.

    At most one is `matched`: the route that `table.match(facts)` gives. The reason is the first
    condition that fails; for a rule that holds too, why another comes before it.
    """
    trials: list[Trial] = []
    winner: tuple[Rank, RouteSpec] | None = None
    for rank, route in in_order(table.routes, facts):
        reason = failure(route, facts)
        if reason is not None:
            trials.append(Trial(route, matched=False, reason=reason))
        elif winner is None:
            winner = rank, route
            trials.append(Trial(route, matched=True, reason="every condition holds", holds=True))
        else:
            why = advantage(winner[0], rank)
            reason = f"holds too, but is tried after {winner[1].name}: {why}"
            trials.append(Trial(route, matched=False, reason=reason, holds=True))
    return trials


def failure(route: RouteSpec, facts: Facts) -> str | None:
    """The first condition of the rule that does not hold, as a clause; None when all hold."""
    hosts = route.match.hosts
    if hosts and not any(host_holds(host, facts.host) for host in hosts):
        return host_failure(hosts, facts.host)
    for condition in conditions(route.match):
        if not condition.holds(facts):
            return condition.failure(facts)
    return None


def in_order(routes: Iterable[RouteSpec], facts: Facts) -> list[tuple[Rank, RouteSpec]]:
    """The rules as they are tried for this request.

    A rule with several hosts stands where its best host that holds puts it; when none holds, at
    the best of all.
    """
    best: dict[int, tuple[bool, Entry]] = {}
    for entry in entries(list(routes)):
        holds = host_holds(entry.host, facts.host)
        have = best.get(entry.rank.position)
        if have is None or (holds and not have[0]):
            best[entry.rank.position] = (holds, entry)
    found = [(entry.rank, entry.route) for _, entry in best.values()]
    return sorted(found, key=lambda pair: pair[0])
