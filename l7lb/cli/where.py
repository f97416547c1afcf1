"""`l7lb where`: which server each account has."""

from __future__ import annotations

import argparse
import json
from urllib.parse import quote

from l7lb.cli.client import add_control, client_of
from l7lb.cli.terms import columns

NAME = "where"
HELP = "show accounts with sessions and their servers"
HEAD = ("ACCOUNT", "POOL", "SERVER")


def configure(parser: argparse.ArgumentParser) -> None:
    add_control(parser)
    parser.add_argument("account", nargs="?", default="", help="only accounts that begin so")
    parser.add_argument("--limit", type=int, default=1000, help="rows at most (default 1000)")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    query = f"prefix={quote(args.account, safe='')}&limit={args.limit}"
    found = client_of(args).get(f"/v1/accounts?{query}")["accounts"]
    assert isinstance(found, list)
    if args.json:
        print(json.dumps(found, indent=2))
    else:
        rows = [(str(each["account"]), str(each["pool"]), str(each["server"])) for each in found]
        print("\n".join(columns(HEAD, rows)))
    return 0
