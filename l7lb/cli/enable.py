"""`l7lb enable`: put a server back in service."""

from __future__ import annotations

import argparse

from l7lb.cli.server_verb import add_server, ask

NAME = "enable"
HELP = "put a drained or disabled server back in service"
configure = add_server


def run(args: argparse.Namespace) -> int:
    return ask(args, "enable")
