"""`l7lb run`: be a director."""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
from pathlib import Path

from l7lb.config.load import load
from l7lb.director.events import log_to_stderr
from l7lb.director.loops import loop_factory
from l7lb.director.supervisor import Options, Supervisor
from l7lb.errors import ConfigError, ControlError
from l7lb.model import ClusterSpec

NAME = "run"
HELP = "run a director by this rules file, in the foreground"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file")
    parser.add_argument(
        "--control", metavar="PATH", help="control socket (default: the file's, or $L7LB_CONTROL)"
    )


def run(args: argparse.Namespace) -> int:
    path = Path(args.file).absolute()
    try:
        loaded = load(path)
        factory = loop_factory(loaded.spec.director.loop)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"{path}: director.loop: {error}", file=sys.stderr)
        return 2
    log_to_stderr()
    allow_descriptors()
    options = Options(path, args.control, warnings=loaded.warnings)
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(serve(loaded.spec, options))


async def serve(spec: ClusterSpec, options: Options) -> int:
    try:
        await Supervisor(spec, options).run()
    except (ControlError, OSError) as error:
        print(f"l7lb run: {error}", file=sys.stderr)
        return 1
    return 0


def allow_descriptors() -> None:
    """A client takes one or two descriptors: use all that this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
