"""`l7lb move`: give an account another server."""

from __future__ import annotations

import argparse

from l7lb.cli.client import add_control, client_of, pool_and_server
from l7lb.cli.terms import duration_s

NAME = "move"
HELP = "give an account another server: its sessions end, the next login goes there"


def configure(parser: argparse.ArgumentParser) -> None:
    add_control(parser)
    parser.add_argument("account")
    parser.add_argument("server", metavar="POOL/SERVER", type=pool_and_server)
    parser.add_argument(
        "--hold",
        metavar="TIME",
        type=duration_s,
        help="how long logins wait for the old server to let go (default 5s)",
    )


def run(args: argparse.Namespace) -> int:
    pool, server = args.server
    body = {"account": args.account, "pool": pool, "server": server}
    if args.hold is not None:
        body["hold_s"] = args.hold
    answer = client_of(args).post("/v1/accounts/move", body)
    print(f"{answer['account']}: {answer['pool']}/{answer['server']}")
    return 0
