"""`l7lb drain`: no new sessions on a server."""

from __future__ import annotations

import argparse

from l7lb.cli.server_verb import add_server, ask
from l7lb.cli.terms import duration_s

NAME = "drain"
HELP = "give a server no new sessions; those that it has end by themselves"


def configure(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument(
        "--deadline",
        metavar="TIME",
        type=duration_s,
        help="how long persistent clients stay, such as 10m (default: the pool's)",
    )


def run(args: argparse.Namespace) -> int:
    return ask(args, "drain", {} if args.deadline is None else {"deadline_s": args.deadline})
