"""`l7lb schema`: the JSON Schema of the rules file, for editors."""

from __future__ import annotations

import argparse
import sys

from l7lb.config.reference import schema_text

NAME = "schema"
HELP = "print the JSON Schema of the rules file"


def configure(parser: argparse.ArgumentParser) -> None:
    del parser  # no arguments


def run(args: argparse.Namespace) -> int:
    del args
    sys.stdout.write(schema_text())
    return 0
