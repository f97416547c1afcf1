"""Routes: from the schema to `RouteSpec`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from unicodedata import normalize

from l7lb.config import texts_ldap
from l7lb.config.compile_pool import only_one, retry_spec
from l7lb.config.hints import nearest
from l7lb.config.naming import route_name
from l7lb.config.refusal import Refusal
from l7lb.config.schema_route import Headers, Reply, Route, RouteTimeouts, Value
from l7lb.config.scope import Scope
from l7lb.config.texts import argument_name, token
from l7lb.config.units import shown
from l7lb.model import MatchSpec, RouteSpec, Timeouts, ValueMatch
from l7lb.model_http import FixedReply, HeaderEdits, Redirect
from l7lb.routing import edits, templates
from l7lb.routing.captures import capture_count

NO_BODY = frozenset({204, 205, 304})
WITHOUT_CASE = frozenset({"header", "attribute"})
_PARSERS: Mapping[str, Callable[[object], bytes]] = {
    "header": token,
    "query": argument_name,
    "cookie": token,
    "attribute": lambda text: texts_ldap.attribute(text).encode(),
}
"""Names by the kind of the values."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a route refers to."""

    pools: Collection[str]
    timeouts: Timeouts
    encoded_slash: bool
    facts: Collection[str]
    """Conditions that the service's protocol knows, of those that not every one does."""
    actions: tuple[str, ...] = ("pool", "redirect", "reply")


def route_spec(route: Route, match: MatchSpec, around: Surroundings, scope: Scope) -> RouteSpec:
    groups = capture_count(match.path)
    _check_templates(route, groups, scope)
    pools = _action(route, around, scope)
    return RouteSpec(
        name=route.name or route_name(match),
        place=scope.place,
        match=match,
        pools=pools,
        redirect=Redirect(route.redirect.to, route.redirect.status) if route.redirect else None,
        reply=_reply(route.reply, scope.at("reply")) if route.reply else None,
        rewrite_path=route.rewrite.path,
        rewrite_host=route.rewrite.host,
        request_headers=_edits(route.request_headers, scope.at("request_headers")),
        response_headers=_edits(route.response_headers, scope.at("response_headers")),
        mirror=route.mirror.pool if route.mirror else None,
        mirror_share=route.mirror.share if route.mirror else 1.0,
        allow_connect=route.allow_connect,
        timeouts=_timeouts(route.timeouts, around.timeouts),
        retry=retry_spec(route.retry) if route.retry else None,
    )


# --------------------------------------------------------------------------- conditions


def match_spec(route: Route, around: Surroundings, scope: Scope) -> MatchSpec:
    for fact in ("account", "recipient", "attribute"):
        if getattr(route, fact) and fact not in around.facts:
            scope.at(fact).key_problem(f"this protocol knows no {fact}: the route never matches")
    if not around.encoded_slash and (b"%2F" in route.path.text or b"%5C" in route.path.text):
        scope.at("path").problem(
            "the route never matches: %2F and %5C are refused", "set http: {encoded_slash: true}"
        )
    if b"CONNECT" in route.method and not route.allow_connect:
        scope.at("method").problem("CONNECT is refused", "add allow_connect: true")
    return MatchSpec(
        hosts=tuple(route.host),
        path=route.path,
        methods=tuple(route.method),
        headers=_values(route.header, scope.at("header")),
        query=_values(route.query, scope.at("query")),
        cookies=_values(route.cookie, scope.at("cookie")),
        sources=tuple(route.from_),
        sni=tuple(route.sni),
        tls_names=tuple(route.tls_name),
        accounts=_folded(route.account),
        recipients=_folded(route.recipient),
        attributes=_values(route.attribute, scope.at("attribute")),
    )


def _folded(names: list[bytes]) -> tuple[bytes, ...]:
    """As the directory has names."""
    return tuple(normalize("NFC", name.decode()).lower().encode() for name in names)


def _values(values: Mapping[str, Value], scope: Scope) -> tuple[ValueMatch, ...]:
    kind = str(scope.loc[-1])
    found: dict[bytes, ValueMatch] = {}
    for text, value in values.items():
        spot = scope.at(text)
        only_one(value, ("equals", "regex", "present"), spot, "the match")
        try:
            name = _PARSERS[kind](text)
        except Refusal as refusal:
            spot.key_problem(refusal.message, refusal.hint)
            continue
        name = name.lower() if kind in WITHOUT_CASE else name
        if name in found:
            spot.key_problem(f"{kind} '{text}' stands twice", f"{kind} names have no case")
        found[name] = ValueMatch(name, value.equals, value.regex)
    return tuple(found.values())


# --------------------------------------------------------------------------- actions


def _action(route: Route, around: Surroundings, scope: Scope) -> tuple[tuple[str, int], ...]:
    given = [name for name in ("pool", "redirect", "reply") if getattr(route, name)]
    if not given:
        scope.problem("the route does nothing", f"give {_one_of(around.actions)}")
    if len(given) > 1:
        scope.at(given[1]).key_problem(
            f"the route has both {given[0]} and {given[1]}", "only one of pool, redirect, reply"
        )
    if "pool" not in given:
        _refuse_without_pool(route, scope)
    for name in route.pool:
        spot = scope.at("pool", name)
        _known_pool(name, around, spot, at_key=spot.key_place != scope.at("pool").key_place)
    if route.pool and not any(route.pool.values()):
        scope.at("pool").problem("every weight is 0")
    if route.mirror:
        _known_pool(route.mirror.pool, around, scope.at("mirror", "pool"), at_key=False)
    return tuple(route.pool.items())


def _one_of(names: tuple[str, ...]) -> str:
    return f"one of {', '.join(names)}" if len(names) > 1 else f"a {names[0]}"


def _known_pool(name: str, around: Surroundings, scope: Scope, *, at_key: bool) -> None:
    if name not in around.pools:
        note = scope.key_problem if at_key else scope.problem
        note(f"unknown pool {shown(name)}", nearest(name, tuple(around.pools), "pools"))


def _refuse_without_pool(route: Route, scope: Scope) -> None:
    only_with_pool = ("rewrite", "request_headers", "mirror", "timeouts", "retry", "allow_connect")
    for key in only_with_pool:
        if key in route.model_fields_set and (route.redirect or route.reply):
            scope.at(key).key_problem(f"'{key}' means nothing without a pool")


def _check_templates(route: Route, groups: int, scope: Scope) -> None:
    given = {
        ("redirect", "to"): route.redirect.to if route.redirect else None,
        ("rewrite", "path"): route.rewrite.path,
        ("rewrite", "host"): route.rewrite.host,
    }
    for loc, template in given.items():
        fault = templates.check(template, groups) if template is not None else None
        if fault:
            scope.at(*loc).problem(fault)


def _reply(reply: Reply, scope: Scope) -> FixedReply:
    if reply.body and reply.status in NO_BODY:
        scope.at("body").key_problem(f"a {reply.status} response has no body")
    headers = _fields(reply.headers, scope.at("headers"))
    return FixedReply(reply.status, headers, reply.body)


def _edits(headers: Headers, scope: Scope) -> HeaderEdits:
    for index, name in enumerate(headers.remove):
        _refuse_kept(name, scope.at("remove", index))
    alone = {name: [value] for name, value in headers.set.items()}
    fields = _fields(alone, scope.at("set"))
    twice = next((edit for edit in edits.check(HeaderEdits(set=fields)) if "twice" in edit), None)
    if twice:
        scope.at("set").key_problem(twice, "header names have no case")
    return HeaderEdits(tuple(headers.remove), fields, _fields(headers.add, scope.at("add")))


def _fields(fields: Mapping[str, list[bytes]], scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    found: list[tuple[bytes, bytes]] = []
    for text, values in fields.items():
        try:
            name = token(text)
        except Refusal as refusal:
            scope.at(text).key_problem(refusal.message, refusal.hint)
            continue
        _refuse_kept(name, scope.at(text))
        found += [(name, value) for value in values]
    return tuple(found)


def _refuse_kept(name: bytes, scope: Scope) -> None:
    why = edits.KEPT.get(name.lower())
    if why:
        scope.key_problem(f"{name.decode('ascii')} may not be edited: it {why}")


def _timeouts(given: RouteTimeouts | None, service: Timeouts) -> Timeouts | None:
    if given is None:
        return None
    return replace(
        service, **{f"{name}_s": v for name, v in given.model_dump(exclude_none=True).items()}
    )
