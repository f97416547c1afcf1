"""The command line: one file for each verb, listed here and nowhere else.

Exit status: 0 done, 1 it could not be done, 2 the question or the rules file is wrong.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import l7lb
from l7lb.cli.client import NotAnswered, Refused

VERBS = (
    "run",
    "check",
    "explain",
    "diff",
    "show",
    "schema",
    "reload",
    "status",
    "events",
    "drain",
    "disable",
    "enable",
    "weight",
    "users",
    "locks",
    "migrate",
    "rebalance",
    "where",
    "move",
    "kick",
    "media_kernel",
    "media_direct",
    "media_agent",
    "demo",
)
"""Modules of this package. Only the one that is asked for is imported: it starts sooner."""


class Verb(Protocol):
    """What each of those modules has."""

    NAME: str
    HELP: str

    @property
    def configure(self) -> Callable[[argparse.ArgumentParser], None]: ...
    @property
    def run(self) -> Callable[[argparse.Namespace], int]: ...


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    asked = tuple(name for name in VERBS if words[:1] == [name.replace("_", "-")])
    args = parser(asked or VERBS).parse_args(words)
    try:
        return int(args.run(args))
    except Refused as error:
        print_refusal(error)
        return 2 if error.status == 422 else 1
    except NotAnswered as error:
        print(f"l7lb: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        return 130


def parser(names: Sequence[str] = VERBS) -> argparse.ArgumentParser:
    """For these verbs."""
    top = argparse.ArgumentParser(
        prog="l7lb", description="A Linux Virtual Server cluster with a content-aware tier."
    )
    top.add_argument("--version", action="version", version=f"l7lb {l7lb.__version__}")
    verbs = top.add_subparsers(metavar="VERB", required=True)
    for verb in map(load, names):
        sub = verbs.add_parser(verb.NAME, help=verb.HELP, description=verb.HELP)
        verb.configure(sub)
        sub.set_defaults(run=verb.run)
    return top


def load(name: str) -> Verb:
    return cast("Verb", importlib.import_module(f"l7lb.cli.{name}"))


def print_refusal(error: Refused) -> None:
    problems = error.answer.get("problems")
    if not isinstance(problems, list):
        print(f"l7lb: {error}", file=sys.stderr)
        return
    for problem in problems:
        hint = f" ({problem['hint']})" if problem["hint"] else ""
        place = f"{problem['file']}:{problem['line']}:{problem['column']}"
        print(f"{place}: {problem['message']}{hint}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
