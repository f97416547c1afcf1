"""What the verbs for one server have in common."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from l7lb.cli.client import Json, add_control, client_of, pool_and_server, server_target


def add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("server", metavar="POOL/SERVER", type=pool_and_server)
    add_control(parser)


def ask(args: argparse.Namespace, verb: str, body: Mapping[str, object] | None = None) -> int:
    pool, server = args.server
    answer = client_of(args).post(server_target(pool, server, verb), body)
    print(shown(answer))
    return 0


def shown(answer: Json) -> str:
    """One line on how the server stands now."""
    said = f"{answer['pool']}/{answer['server']}: {answer['admin']}"
    if answer["admin"] == "drain":
        said += f", persistent clients stay {answer['drain_left_s']} s"
    if answer["weight"] is not None:
        said += f", weight {answer['weight']}"
    return said
