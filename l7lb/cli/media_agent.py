"""`l7lb media-agent`: keep hot files on a media server's own disk, and say what is there."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from l7lb.cli.terms import age, amount, columns
from l7lb.config.load import load
from l7lb.director.events import log_to_stderr
from l7lb.errors import ConfigError
from l7lb.media.hot.agent import Agent
from l7lb.media.hot.errors import CannotStart
from l7lb.media.hot.status import Status, read
from l7lb.model_hot_files import HotFilesSpec

NAME = "media-agent"
HELP = "keep hot files on this media server's own disk (beside the server, as its user)"
LATE = 3.0
"""A status that is older than so many of its intervals is that of an agent that has ended."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file: media.hot_files")
    parser.add_argument("node", metavar="SERVER", help="this server's name in its pool")
    parser.add_argument("--status", action="store_true", help="show how the agent is, and end")


def run(args: argparse.Namespace) -> int:
    try:
        spec = load(Path(args.file).absolute()).spec.hot_files
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if spec is None:
        print(f"{args.file}: it has no media.hot_files", file=sys.stderr)
        return 2
    if args.status:
        return show(spec, args.node)
    log_to_stderr({"node": args.node})
    code = asyncio.run(serve(spec, args.node))
    sys.stdout.flush()
    sys.stderr.flush()
    return code


async def serve(spec: HotFilesSpec, node: str) -> int:
    """Until SIGTERM or SIGINT."""
    try:
        task = asyncio.ensure_future(Agent(spec, node).run(ready))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        await task
    except asyncio.CancelledError:
        return 0
    except CannotStart as error:
        print(f"l7lb media-agent: {error}", file=sys.stderr)
    return 1


def ready(port: int) -> None:
    print(f"ready lists={port}", flush=True)


# --------------------------------------------------------------------------- --status


def show(spec: HotFilesSpec, node: str) -> int:
    local = os.path.realpath(spec.path(spec.local, node))
    status = read(local)
    if status is None:
        print(f"no agent has run in {local}", file=sys.stderr)
        return 1
    age_s = time.time() - status.time_s
    print("\n".join(lines(status, age_s)))
    return 0 if age_s <= LATE * status.every_s else 1


def lines(status: Status, age_s: float) -> list[str]:
    """The whole page."""
    alive = "" if age_s <= LATE * status.every_s else "; THE AGENT DOES NOT RUN"
    hits = f", {100 * status.hits // status.accesses} % of them local" if status.accesses else ""
    failed = f"; last: {status.last_failure}" if status.last_failure else ""
    busy = f", load {status.load_permille / 10:.0f} %" if status.load_permille else ""
    found = [
        f"{status.node}, {age(age_s)} ago{alive}",
        f"shared     {status.shared}; {amount(status.files)} files presented",
        (
            f"local      {status.copies} copies, {amount(status.copied_bytes)} of "
            f"{amount(status.capacity_bytes)} bytes; disk {status.disk}"
        ),
        (
            f"readers    {status.sessions}, {amount(status.rate_bits_s)} bit/s{busy}; "
            f"{amount(status.accesses)} openings{hits}"
        ),
        (
            f"copying    {status.copying or 'nothing'}; {status.copies_made} made, "
            f"{status.evicted} evicted, {status.refused} not worth it, "
            f"{status.copies_failed} failed{failed}"
        ),
        f"watches    {status.watches}",
    ]
    found += [f"cannot say to {where}: {why}" for where, why in status.unreachable.items()]
    rows = [(n, f"{score:.2f}", "here" if held else "") for n, score, held in status.hot]
    return [*found, "", *columns(("FILE", "VIEWINGS", "COPY"), rows, ("VIEWINGS",))]
