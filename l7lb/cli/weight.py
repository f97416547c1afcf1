"""`l7lb weight`: a server's share of new sessions."""

from __future__ import annotations

import argparse

from l7lb.cli.server_verb import add_server, ask

NAME = "weight"
HELP = "set a server's weight; `file` gives it back the one of the rules file"


def configure(parser: argparse.ArgumentParser) -> None:
    add_server(parser)
    parser.add_argument("weight", metavar="N|file", type=weight)


def run(args: argparse.Namespace) -> int:
    return ask(args, "weight", {"weight": args.weight})


def weight(text: str) -> int | None:
    """For argparse."""
    if text == "file":
        return None
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is neither 0 to 65535 nor `file`")
    return int(text)
