"""`l7lb rebalance`: propose moves of accounts that even out the servers, and make them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping

from l7lb.cli.migrate import told
from l7lb.cli.migrating import Desk, add_rate, opened_desk, printable, run_verb
from l7lb.cli.progress import Bar
from l7lb.cli.terms import amount, columns
from l7lb.errors import MigrationRefused
from l7lb.mail.migration.orders import Order
from l7lb.mail.migration.rebalance import Move, plan
from l7lb.mail.migration.residents import residents
from l7lb.model import ClusterSpec

NAME = "rebalance"
HELP = "propose moves of accounts that even out the mail servers, or make them"
HEAD = ("ACCOUNT", "FROM", "TO", "BYTES")
LIMIT = 100


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file: directory, store, mail.storage")
    pool = "pool whose servers and weights count (default: the only one, or `mail`)"
    parser.add_argument("--pool", metavar="POOL", default="", help=pool)
    parser.add_argument("--limit", metavar="N", type=int, default=LIMIT, help="moves at most")
    parser.add_argument("--apply", action="store_true", help="make them, one by one")
    add_rate(parser)


def run(args: argparse.Namespace) -> int:
    return run_verb(NAME, _run, args)


async def _run(args: argparse.Namespace) -> int:
    async with opened_desk(args.file) as desk:
        weights = weights_of(desk.cluster, args.pool)
        bar = Bar()
        bar.begin("measuring")
        try:
            found = await residents(desk.opened.editor, desk.storage, bar.counted)
        finally:
            bar.end()
        moves = plan(found, weights, args.limit)
        print("\n".join(table(moves)) if moves else "nothing to move")
        return await _apply(desk, moves, args.rate) if args.apply else 0


async def _apply(desk: Desk, moves: list[Move], rate: int) -> int:
    """One that cannot be moved stops the rest: what stops one may stop all."""
    bar = Bar()
    migration = desk.migration(rate, bar)
    try:
        for number, move in enumerate(moves, 1):
            bar.begin(f"{number}/{len(moves)}:{move.account}")
            record = await migration.run(Order(move.account, move.target))
            bar.end()
            print(told(record))
            sys.stdout.flush()
    finally:
        bar.end()
    return 0


def weights_of(cluster: ClusterSpec, name: str) -> Mapping[str, int]:
    """Raises MigrationRefused: no such pool, or none is named and there are several."""
    pools = cluster.pools
    chosen = name or ("mail" if "mail" in pools or len(pools) != 1 else next(iter(pools)))
    if chosen not in pools:
        what = f"no pool {name}" if name else "say which pool with --pool"
        raise MigrationRefused(f"{what}; there are {', '.join(pools) or 'none'}")
    return {server.name: server.weight for server in pools[chosen].servers}


def table(moves: list[Move]) -> list[str]:
    rows = [
        (printable(move.account), move.source, move.target, amount(move.size_bytes))
        for move in moves
    ]
    return columns(HEAD, rows, right=("BYTES",))
