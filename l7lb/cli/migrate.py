"""`l7lb migrate`: move the mail of one account to another server, and go on where one stopped."""

from __future__ import annotations

import argparse
import sys
import time

from l7lb.cli.migrating import Desk, add_options, opened_desk, printable, run_verb
from l7lb.cli.progress import Bar
from l7lb.mail.migration.migration import clean
from l7lb.mail.migration.orders import Order
from l7lb.mail.migration.record import Record

NAME = "migrate"
HELP = "move an account's mail to another server"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file: directory, store, mail.storage")
    parser.add_argument("account", metavar="ACCOUNT", nargs="?")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--to", metavar="SERVER", default="", help="its new server")
    what.add_argument("--resume", action="store_true", help="go on with what was begun")
    what.add_argument("--abort", action="store_true", help="take back what was begun")
    what.add_argument("--clean", action="store_true", help="delete old mail whose time is over")
    source = "server that has its mail, where the directory names none"
    parser.add_argument("--from", metavar="SERVER", default="", dest="source", help=source)
    parser.add_argument("--without-mail", action="store_true", help="it needs to have no mail yet")
    add_options(parser)


def run(args: argparse.Namespace) -> int:
    if args.clean != (args.account is None) or not (
        args.to or args.resume or args.abort or args.clean
    ):
        words = "an ACCOUNT with --to SERVER, --resume or --abort; or --clean alone"
        print(f"l7lb migrate: say {words}", file=sys.stderr)
        return 2
    return run_verb(NAME, _run, args)


async def _run(args: argparse.Namespace) -> int:
    async with opened_desk(args.file) as desk:
        if args.clean:
            for each in await clean(desk.store, time.time()):
                print(f"deleted {printable(each.path)}")
            return 0
        bar = Bar()
        bar.begin(args.account)
        try:
            print(await _one(desk, args, bar))
        finally:
            bar.end()
    return 0


async def _one(desk: Desk, args: argparse.Namespace, bar: Bar) -> str:
    migration = desk.migration(args, bar)
    if args.abort:
        record = await migration.abort(args.account)
        return f"{printable(record.account)}: stays on {record.source}"
    order = Order(args.account, args.to, args.source, args.without_mail)
    return told(await migration.run(order))


def told(record: Record) -> str:
    """One line about a migration that is done."""
    found = record.sum
    copied = f", {found.messages} messages, {found.size_bytes} bytes" if found.digest else ""
    return f"{printable(record.account)}: {record.source} → {record.target}{copied}"
