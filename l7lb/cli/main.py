"""The command line: one file for each verb, listed here and nowhere else.

Exit status: 0 done, 1 it could not be done, 2 the question or the rules file is wrong.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import l7lb
from l7lb.cli import (
    demo,
    diff,
    disable,
    drain,
    enable,
    events,
    explain,
    reload,
    run,
    status,
    weight,
)
from l7lb.cli.client import NotAnswered, Refused


class Verb(Protocol):
    """A module of this package."""

    NAME: str
    HELP: str

    @property
    def configure(self) -> Callable[[argparse.ArgumentParser], None]: ...
    @property
    def run(self) -> Callable[[argparse.Namespace], int]: ...


VERBS: tuple[Verb, ...] = (
    run,
    explain,
    diff,
    reload,
    status,
    events,
    drain,
    disable,
    enable,
    weight,
    demo,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    args = parser().parse_args(arguments)
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


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="l7lb", description="A Linux Virtual Server cluster with a content-aware tier."
    )
    top.add_argument("--version", action="version", version=f"l7lb {l7lb.__version__}")
    verbs = top.add_subparsers(metavar="VERB", required=True)
    for verb in VERBS:
        sub = verbs.add_parser(verb.NAME, help=verb.HELP, description=verb.HELP)
        verb.configure(sub)
        sub.set_defaults(run=verb.run)
    return top


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
