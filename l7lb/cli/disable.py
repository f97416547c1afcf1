"""`l7lb disable`: take a server out now."""

from __future__ import annotations

import argparse

from l7lb.cli.server_verb import add_server, ask

NAME = "disable"
HELP = "take a server out at once, also for persistent clients"
configure = add_server


def run(args: argparse.Namespace) -> int:
    return ask(args, "disable")
