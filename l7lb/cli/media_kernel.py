"""`l7lb media-kernel`: the privileged process that owns media's rules in the director's kernel."""

from __future__ import annotations

import argparse
from pathlib import Path

from l7lb.media.kernel.process import KernelSpec, clean, main

NAME = "media-kernel"
HELP = "own media's packet rules in this director's kernel (needs CAP_NET_ADMIN, CAP_NET_RAW)"
SOCKET = "/run/l7lb/media-kernel.sock"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--socket", metavar="PATH", default=SOCKET, help=f"default: {SOCKET}")
    parser.add_argument("--user", metavar="NAME", default="", help="the director's user")
    parser.add_argument("--key", metavar="FILE", type=Path, help="key that the agents have too")
    parser.add_argument("--while-stdin", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--clean", action="store_true", help="take every rule away and end")


def run(args: argparse.Namespace) -> int:
    if args.clean:
        return clean()
    return main(KernelSpec(Path(args.socket), args.user, args.key, args.while_stdin))
