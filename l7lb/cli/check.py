"""`l7lb check`: read a rules file as the director does, and show all that is wrong with it.

Exit status: 0 when it can be used (warnings go to standard error), 2 when not.
"""

from __future__ import annotations

import argparse
import sys

from l7lb.config.load import load
from l7lb.directory.opened import check_directory
from l7lb.errors import ConfigError, DirectoryRefused
from l7lb.model import ClusterSpec

NAME = "check"
HELP = "say what is wrong with a rules file"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing when it is right")


def run(args: argparse.Namespace) -> int:
    try:
        loaded = load(args.file)
        check_directory(loaded.spec.directory)
    except ConfigError as error:
        print(error, file=sys.stderr)
        print(f"{args.file}: {_counted(len(error.problems), 'problem')}", file=sys.stderr)
        return 2
    except DirectoryRefused as error:
        print(f"{args.file}: {error}", file=sys.stderr)
        return 2
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if not args.quiet:
        print(f"{args.file}: good; {_contents(loaded.spec)}")
    return 0


def _contents(spec: ClusterSpec) -> str:
    servers = sum(len(pool.servers) for pool in spec.pools.values())
    routes = sum(len(service.routes) for service in spec.services.values())
    numbers = {
        "service": len(spec.services),
        "route": routes,
        "pool": len(spec.pools),
        "server": servers,
    }
    return ", ".join(_counted(number, word) for word, number in numbers.items())


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
