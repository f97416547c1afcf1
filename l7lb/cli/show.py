"""`l7lb show`: a rules file as it is understood, with all that it includes."""

from __future__ import annotations

import argparse
import sys

from l7lb.config.effective import to_yaml
from l7lb.config.load import load_cluster
from l7lb.errors import ConfigError

NAME = "show"
HELP = "show a rules file as it is understood"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file")
    parser.add_argument(
        "--effective",
        action="store_true",
        required=True,
        help="as one file, every key given; it loads again to the same",
    )


def run(args: argparse.Namespace) -> int:
    try:
        sys.stdout.write(to_yaml(load_cluster(args.file)))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
