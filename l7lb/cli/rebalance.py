"""`l7lb rebalance`: propose moves of accounts that even out the servers, and make them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from l7lb.cli.migrate import told
from l7lb.cli.migrating import Desk, add_options, opened_desk, printable, run_verb
from l7lb.cli.progress import Bar
from l7lb.cli.terms import amount, columns
from l7lb.errors import DirectoryError, MigrationError, MigrationRefused
from l7lb.mail.migration.ledger import unfinished
from l7lb.mail.migration.migration import Migration
from l7lb.mail.migration.orders import Order
from l7lb.mail.migration.rebalance import Move, Resident, plan
from l7lb.mail.migration.record import RECORDS, Record
from l7lb.mail.migration.residents import Survey, survey
from l7lb.mail.usage import usage
from l7lb.model import ClusterSpec
from l7lb_storage import StorageError

NAME = "rebalance"
HELP = "propose moves of accounts that even out the mail servers, or make them"
HEAD = ("ACCOUNT", "FROM", "TO", "BYTES", "TRAFFIC/d", "SESSIONS/d", "DELIVERIES/d")
LIMIT = 100


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file: directory, store, mail.storage")
    pool = "pool whose servers and weights count (default: the only one, or `mail`)"
    parser.add_argument("--pool", metavar="POOL", default="", help=pool)
    parser.add_argument("--limit", metavar="N", type=int, default=LIMIT, help="moves at most")
    parser.add_argument("--apply", action="store_true", help="make them, one by one")
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    return run_verb(NAME, _run, args)


async def _run(args: argparse.Namespace) -> int:
    async with opened_desk(args.file) as desk:
        weights = weights_of(desk.cluster, args.pool)
        begun = {record.account: record for record in await unfinished(desk.store)}
        found = await _measured(desk)
        residents = [_settled(each, begun) for each in found.residents]
        moves = [move for move in plan(residents, weights, args.limit) if move.account not in begun]
        for line in (*map(_begun, begun.values()), *(table(moves) if moves else ())):
            print(line)
        if not (begun or moves):
            print("nothing to move")
        failed = [f"{name}: not measured: {why}" for name, why in found.problems.items()]
        if args.apply:
            orders = [Order(account) for account in begun]
            orders += [Order(move.account, move.target) for move in moves]
            failed += await Round(desk, desk.migration(args, bar := Bar()), bar).run(orders)
    for line in failed:
        print(f"l7lb {NAME}: {printable(line)}", file=sys.stderr)
    if failed and args.apply:
        print(f"l7lb {NAME}: the same command goes on with what is left", file=sys.stderr)
    return 1 if failed else 0


async def _measured(desk: Desk) -> Survey:
    uses = await usage(desk.store, time.time())
    bar = Bar()
    bar.begin("measuring")
    try:
        return await survey(desk.opened.editor, desk.storage, bar.counted, uses)
    finally:
        bar.end()


def _settled(resident: Resident, begun: Mapping[str, Record]) -> Resident:
    """An account that is on its way counts where it goes."""
    record = begun.get(resident.account)
    return resident if record is None else replace(resident, server=record.target)


def _begun(record: Record) -> str:
    name = printable(record.account)
    return f"{name}: {record.source} → {record.target} was begun, and is {record.step}"


@dataclass(slots=True)
class Round:
    """All moves of one run, one after the other."""

    desk: Desk
    migration: Migration
    bar: Bar

    async def run(self, orders: Sequence[Order]) -> list[str]:
        """What could not be made, and why; the others are."""
        failed: list[str] = []
        for number, order in enumerate(orders, 1):
            self.bar.begin(f"{number}/{len(orders)}:{order.account}")
            problem = await self._one(order)
            if problem is None:
                continue
            failed.append(f"{order.account}: {problem}")
            if not await self._has_store():
                failed += [f"{each.account}: not tried" for each in orders[number:]]
                break
        return failed

    async def _one(self, order: Order) -> Exception | None:
        try:
            record = await self.migration.run(order)
        except (MigrationError, DirectoryError, StorageError, OSError) as problem:
            return problem
        finally:
            self.bar.end()
        print(told(record))
        sys.stdout.flush()
        return None

    async def _has_store(self) -> bool:
        """Without it, or without our lease, no other account can be moved either."""
        try:
            await self.desk.store.range(RECORDS, limit=1)
        except StorageError:
            return False
        return self.desk.session.valid


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
        (printable(move.account), move.source, move.target, *_amounts(move.resident))
        for move in moves
    ]
    return columns(HEAD, rows, right=HEAD[3:])


def _amounts(each: Resident) -> tuple[str, ...]:
    counts = (each.size_bytes, each.traffic_bytes, each.sessions, each.deliveries)
    return tuple(amount(round(count)) for count in counts)
