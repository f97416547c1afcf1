"""`l7lb diff`: a rules file against the running one."""

from __future__ import annotations

import argparse
from pathlib import Path

from l7lb.cli.changes import change_lines
from l7lb.cli.client import add_control, client_of

NAME = "diff"
HELP = "show what a reload of this file would change"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file")
    add_control(parser)


def run(args: argparse.Namespace) -> int:
    path = Path(args.file).absolute()
    answer = client_of(args).post("/v1/diff", {"path": str(path)})
    for line in change_lines(answer["changes"]):
        print(line)
    return 0
