"""`l7lb explain`: which rules were tried for a request, why each failed, and where it goes.

Of a login (`imap ACCOUNT`, `pop3 ACCOUNT`), a message (`smtp RECIPIENT`) or a film (`rtsp URL`) it
says the same.

Exit status: 0 when a rule matched, 1 when none did, 2 when the file or the question is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from l7lb.cli.explain_http import (
    Answer,
    Asked,
    NotAskable,
    PoolShare,
    answer,
    read_header,
    read_url,
)
from l7lb.cli.explain_mail import AskedMail, answer_mail
from l7lb.cli.explain_rtsp import AskedRtsp, answer_rtsp
from l7lb.config.load import load_cluster
from l7lb.director.paths import SECRET_FILE, state_path
from l7lb.errors import ConfigError
from l7lb.model import ClusterSpec, DirectorSpec
from l7lb.model_mail import MAIL_PROTOCOLS
from l7lb.routing.explain import Trial
from l7lb.routing.matchers import shown

NAME = "explain"
HELP = "show which rule takes a request, and why"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file")
    parser.add_argument("method", metavar="METHOD", help="such as GET; or imap, pop3, smtp, rtsp")
    parser.add_argument(
        "url",
        metavar="URL",
        help="such as https://www.example.org/api?v=1 or rtsp://media.example.org/film; an account "
        "(imap, pop3), a recipient (smtp)",
    )
    parser.add_argument(
        "-H", "--header", metavar="'NAME: VALUE'", action="append", default=[], help="repeatable"
    )
    parser.add_argument(
        "--from", dest="source", metavar="IP", default="127.0.0.1", help="address of the client"
    )
    parser.add_argument("--sni", metavar="NAME", default="", help="default: the host of the URL")
    parser.add_argument("--service", metavar="NAME", default="", help="default: by scheme and port")
    parser.add_argument("--json", action="store_true", help="everything, for programs")


def run(args: argparse.Namespace) -> int:
    try:
        cluster = load_cluster(args.file)
        secret = known_secret(cluster.director)
        found = answered(cluster, args, secret)
    except (ConfigError, NotAskable) as error:
        print(error, file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(as_json(found), indent=2))
    else:
        print("\n".join(as_text(found, bool(secret))))
    return 0 if found.route is not None else 1


def answered(cluster: ClusterSpec, args: argparse.Namespace, secret: bytes) -> Answer:
    """Raises NotAskable, ConfigError."""
    if args.method == "rtsp":
        question = AskedRtsp(args.url, tuple(args.header), args.source, args.sni)
        return answer_rtsp(cluster, question, args.service, secret)
    if args.method not in MAIL_PROTOCOLS:
        return answer(cluster, read_question(args), args.service, secret)
    if args.header:
        raise NotAskable(f"{args.method} has no headers")
    asked = AskedMail(args.method, args.url, args.source, args.sni)
    return asyncio.run(answer_mail(cluster, asked, args.service))


def read_question(args: argparse.Namespace) -> Asked:
    """Raises NotAskable."""
    scheme, host, port, target = read_url(args.url)
    headers = tuple(read_header(text) for text in args.header)
    if args.method == "CONNECT":
        target = f"{host}:{port}"
    return Asked(args.method, scheme, host, port, target, headers, args.source, args.sni)


def known_secret(spec: DirectorSpec) -> bytes:
    """What signs persistence cookies, as far as this user may read it; b"" when not."""
    if spec.cookie_secret:
        return spec.cookie_secret
    try:
        return (state_path(spec) / SECRET_FILE).read_bytes()
    except OSError:
        return b""


# --------------------------------------------------------------------------- for people

MARKS = {(True, True): "✓", (False, True): "-", (False, False): "✗"}
"""By (matched, holds)."""


def as_text(found: Answer, is_secret_known: bool) -> Iterator[str]:
    facts = found.facts
    yield f"service    {found.service.name}, listening on {found.listen.address}"
    yield f"client     {facts.source or 'address not known'}" + _named(", SNI ", facts.sni)
    if found.question:
        yield f"question   {found.question}"
    yield from found.notes
    if found.refusal:
        yield f"refused    {found.refusal}"
        return
    if found.listen.passthrough:
        yield "request    a TLS tunnel, chosen by SNI; its content is not seen"
    elif not found.question:
        query = _named("?", facts.query)
        yield f"request    {shown(facts.method)} {shown(facts.host)}{shown(facts.path)}{query}"
    yield "rules, in the order tried:"
    yield from _trial_lines(found.trials)
    if found.route is None:
        yield f"route      none: {'it is refused' if found.question else 'the answer is 404'}"
        return
    yield f"route      {found.route.name} ({found.route.place})"
    yield from (f"action     {text}" for text in found.actions)
    for share in found.pools:
        yield from _pool_lines(share, is_secret_known)
    if found.pools:
        yield "Health, drains and weights are as at a fresh start; for now's see `l7lb status`."


def _named(before: str, value: bytes) -> str:
    return before + shown(value) if value else ""


def _trial_lines(trials: Sequence[Trial]) -> Iterator[str]:
    """All up to the match, then those that hold too; the others are only counted."""
    at = next((n for n, trial in enumerate(trials) if trial.matched), len(trials))
    listed = [trial for n, trial in enumerate(trials) if n <= at or trial.holds]
    width = max((len(trial.route.name) for trial in listed), default=0)
    for trial in listed:
        mark = MARKS[trial.matched, trial.holds]
        yield f"  {mark} {trial.route.name:{width}}  {trial.reason}  ({trial.route.place})"
    if len(trials) > len(listed):
        yield f"    {len(trials) - len(listed)} more after the match do not hold"


def _pool_lines(share: PoolShare, is_secret_known: bool) -> Iterator[str]:
    told = share.explanation
    percent = "" if share.percent == 100.0 else f", {share.percent:.3g} % of requests"
    yield f"pool       {share.pool}{percent}"
    for verdict in told.servers:
        yield f"  {'✓' if verdict.usable else '✗'} {verdict.server}  {verdict.reason}"
    yield f"  persistence  {told.persistence}"
    if "cookie" in told.persistence and not is_secret_known:
        yield "               (the secret of the director is not known here: our cookies miss)"
    yield f"  scheduler    {told.scheduler}"
    if told.choice:
        yield f"  choice       {told.choice}"


# --------------------------------------------------------------------------- for programs


def as_json(found: Answer) -> dict[str, object]:
    facts, route = found.facts, found.route
    return {
        "service": found.service.name,
        "listener": str(found.listen.address),
        "refusal": found.refusal or None,
        **({"question": found.question, "notes": [*found.notes]} if found.question else {}),
        "facts": {
            "method": shown(facts.method),
            "host": shown(facts.host),
            "path": shown(facts.path),
            "query": shown(facts.query),
            "source": facts.source,
            "sni": shown(facts.sni),
            **({"account": shown(facts.account)} if facts.account else {}),
            **({"recipient": shown(facts.recipient)} if facts.recipient else {}),
        },
        "trials": [
            {
                "route": trial.route.name,
                "place": str(trial.route.place),
                "matched": trial.matched,
                "holds": trial.holds,
                "reason": trial.reason,
            }
            for trial in found.trials
        ],
        "route": None if route is None else {"name": route.name, "place": str(route.place)},
        "actions": list(found.actions),
        "pools": [
            {"name": share.pool, "percent": share.percent, **asdict(share.explanation)}
            for share in found.pools
        ],
    }
