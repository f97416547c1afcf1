"""`l7lb locks`: who holds which lock of the cluster, who waits for it, and since when."""

from __future__ import annotations

import argparse
import json
from urllib.parse import quote

from l7lb.cli.client import Json, add_control, client_of
from l7lb.cli.terms import age, columns

NAME = "locks"
HELP = "show holders of locks and who waits"
HEAD = ("RESOURCE", "MODE", "STATE", "HOLDER", "SINCE", "TOKEN")


def configure(parser: argparse.ArgumentParser) -> None:
    add_control(parser)
    parser.add_argument("prefix", nargs="?", default="", help="only resources that begin so")
    parser.add_argument("--limit", type=int, default=1000, help="rows at most (default 1000)")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    query = f"prefix={quote(args.prefix, safe='')}&limit={args.limit}"
    locks = client_of(args).get(f"/v1/locks?{query}")["locks"]
    assert isinstance(locks, list)
    if args.json:
        print(json.dumps(locks, indent=2))
    else:
        print("\n".join(columns(HEAD, [_row(each) for each in locks], ("SINCE", "TOKEN"))))
    return 0


def _row(lock: Json) -> tuple[str, ...]:
    state = "held" if lock["granted"] else "waits"
    token = str(lock["token"]) if lock["granted"] else "-"
    who = (str(lock["resource"]), str(lock["mode"]), state, str(lock["holder"]))
    return (*who, age(lock["age_s"]), token)
