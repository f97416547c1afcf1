"""`l7lb demo`: a cluster on loopback, with real traffic through it."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from l7lb.demo import show

NAME = "demo"
HELP = "run a small cluster on loopback, send requests through it, and kill a server meanwhile"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--directory",
        metavar="DIR",
        type=Path,
        default=show.DIRECTORY,
        help="where its files are kept (default: %(default)s)",
    )
    after = parser.add_mutually_exclusive_group()
    after.add_argument("--leave", action="store_true", help="leave the cluster up afterwards")
    after.add_argument("--exit", action="store_true", help="stop it afterwards")
    after.add_argument("--stop", action="store_true", help="stop one that was left up, do no more")
    parser.epilog = "Without --leave or --exit it stays up when a terminal is there to use it."


def run(args: argparse.Namespace) -> int:
    if args.stop:
        count = show.stop(args.directory)
        print(f"{count} processes ended" if count else "no demo was running")
        return 0
    leave = args.leave or (sys.stdin.isatty() and not args.exit)
    return show.run(args.directory, program(), leave=leave)


def program() -> str:
    """How this program is called from here."""
    if shutil.which("l7lb"):
        return "l7lb"
    called = Path(sys.argv[0])
    return str(show.relative(called.absolute())) if called.name == "l7lb" else "python3 -m l7lb"
