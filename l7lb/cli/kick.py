"""`l7lb kick`: end all sessions of an account."""

from __future__ import annotations

import argparse

from l7lb.cli.client import add_control, client_of

NAME = "kick"
HELP = "end all sessions of an account, on every director"


def configure(parser: argparse.ArgumentParser) -> None:
    add_control(parser)
    parser.add_argument("account")


def run(args: argparse.Namespace) -> int:
    answer = client_of(args).post("/v1/accounts/kick", {"account": args.account})
    found = answer["accounts"]
    assert isinstance(found, list)
    for each in found:
        print(f"{each['account']}: sessions on {each['pool']}/{each['server']} end")
    return 0
