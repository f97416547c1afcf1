"""`l7lb users`: administration of the accounts in the directory that a rules file names.

Passwords come from a prompt or from standard input, never from the command line, which every user
of the machine can read.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable

from l7lb.accounts import PASSWORD_LIMIT_BYTES, Account, AccountEdit
from l7lb.cli.terms import columns
from l7lb.config.load import load_cluster
from l7lb.config.refusal import Refusal
from l7lb.config.units import format_size, parse_size
from l7lb.directory.opened import open_directory
from l7lb.directory.users import Users
from l7lb.errors import ConfigError, DirectoryError, DirectoryRefused

NAME = "users"
HELP = "list and change the users in the directory"
HEAD = ("account", "server", "quota", "status", "aliases")

Action = Callable[[Users, argparse.Namespace], Awaitable[None]]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="rules file that names the directory")
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    listing = _action(actions, "list", show_all, "all accounts", named=False)
    listing.add_argument("--server", metavar="NAME", help="only those whose home server is NAME")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    shown = _action(actions, "show", show, "one account")
    shown.add_argument("--json", action="store_true", help="as JSON")
    added = _action(actions, "add", add, "add an account; its password is asked for")
    _settings(added)
    added.add_argument("--alias", metavar="ADDRESS", action="append", default=[])
    changed = _action(actions, "change", change, "change several things at once")
    _settings(changed)
    changed.add_argument("--alias", metavar="ADDRESS", action="append", default=[])
    changed.add_argument("--no-alias", metavar="ADDRESS", action="append", default=[])
    _action(actions, "disable", disable, "let it log in no more")
    _action(actions, "enable", enable, "let it log in again")
    _action(actions, "password", password, "set the password; it is asked for")
    quota = _action(actions, "quota", set_quota, "set the quota")
    quota.add_argument("quota", metavar="SIZE", type=size, help="such as 2GiB; 0 for none")
    server = _action(actions, "server", set_server, "set the home server; moves no mail")
    server.add_argument("server", metavar="NAME", type=server_name, help="`none` for none")
    _action(actions, "delete", delete, "delete the account, not its mail")


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    act: Action,
    words: str,
    *,
    named: bool = True,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=words, description=words)
    if named:
        parser.add_argument("account", metavar="ACCOUNT")
    parser.set_defaults(act=act)
    return parser


def _settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", metavar="NAME", type=server_name, help="`none` for none")
    parser.add_argument("--quota", metavar="SIZE", type=size, help="such as 2GiB; 0 for none")


def size(text: str) -> int:
    """For argparse: as in the rules file."""
    try:
        return parse_size(0 if text == "0" else text)
    except Refusal as error:
        raise argparse.ArgumentTypeError(f"{error.message}, {error.hint}") from error


def server_name(text: str) -> str:
    """For argparse: empty for none."""
    return "" if text == "none" else text


def run(args: argparse.Namespace) -> int:
    try:
        return asyncio.run(_run(args))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except DirectoryError as error:
        print(f"l7lb users: {printable(str(error))}", file=sys.stderr)
        return 1


async def _run(args: argparse.Namespace) -> int:
    spec = load_cluster(args.file).directory
    if spec is None:
        raise DirectoryRefused(f"{args.file} names no directory")
    opened = open_directory(spec)
    try:
        await args.act(opened.users, args)
    finally:
        await opened.directory.close()
    return 0


# --------------------------------------------------------------------------- actions


async def show_all(users: Users, args: argparse.Namespace) -> None:
    rows = []
    async for account in users.list():
        if args.server is not None and account.server != args.server:
            continue
        if args.json:
            print(json.dumps(as_json(account)))
        else:
            rows.append(row(account))
    if not args.json:
        print("\n".join(columns(HEAD, sorted(rows), right=("quota",))))


async def show(users: Users, args: argparse.Namespace) -> None:
    account = await users.show(args.account)
    if args.json:
        print(json.dumps(as_json(account)))
        return
    for name, value in as_json(account).items():
        if name == "attributes" and isinstance(value, dict):
            for attribute, values in value.items():
                print(f"{attribute:12} {printable(', '.join(values))}")
            continue
        texts = value if isinstance(value, list) else [value]
        words = ["-" if each is None else str(each) for each in texts]
        print(f"{name:12} {printable(', '.join(words)) or '-'}")


async def add(users: Users, args: argparse.Namespace) -> None:
    account = Account(
        name=args.account,
        addresses=tuple(args.alias),
        server=args.server or None,
        quota_bytes=args.quota or 0,
    )
    print(line(await users.add(account, read_password())))


async def change(users: Users, args: argparse.Namespace) -> None:
    edit = AccountEdit(
        server=args.server,
        quota_bytes=args.quota,
        add_addresses=tuple(args.alias),
        remove_addresses=tuple(args.no_alias),
    )
    print(line(await users.change(args.account, edit)))


async def disable(users: Users, args: argparse.Namespace) -> None:
    print(line(await users.disable(args.account)))


async def enable(users: Users, args: argparse.Namespace) -> None:
    print(line(await users.enable(args.account)))


async def password(users: Users, args: argparse.Namespace) -> None:
    await users.set_password(args.account, read_password())
    print(f"{printable(args.account)}: password set")


async def set_quota(users: Users, args: argparse.Namespace) -> None:
    print(line(await users.set_quota(args.account, args.quota)))


async def set_server(users: Users, args: argparse.Namespace) -> None:
    print(line(await users.set_server(args.account, args.server)))


async def delete(users: Users, args: argparse.Namespace) -> None:
    await users.delete(args.account)
    print(f"{printable(args.account)}: deleted")


# --------------------------------------------------------------------------- in and out


def read_password() -> bytes:
    """From the terminal, twice; else the first line of standard input. Raises DirectoryRefused."""
    if not sys.stdin.isatty():
        return sys.stdin.readline(2 * PASSWORD_LIMIT_BYTES).rstrip("\r\n").encode()
    first = getpass.getpass("New password: ")
    if getpass.getpass("Again: ") != first:
        raise DirectoryRefused("the two passwords differ")
    return first.encode()


def row(account: Account) -> tuple[str, ...]:
    quota = format_size(account.quota_bytes) if account.quota_bytes else "-"
    aliases = " ".join(account.addresses) or "-"
    found = (account.name, account.server or "-", quota, account.status.value, aliases)
    return tuple(map(printable, found))


def line(account: Account) -> str:
    """How the account stands now."""
    _, server, quota, status, aliases = row(account)
    told = {"server": server, "quota": quota, "aliases": aliases}
    rest = "".join(f", {name} {value}" for name, value in told.items() if value != "-")
    return f"{printable(account.name)}: {status}{rest}"


def as_json(account: Account) -> dict[str, object]:
    """Everything but what belongs to the password."""
    return {
        "account": account.name,
        "status": account.status.value,
        "server": account.server,
        "quota_bytes": account.quota_bytes,
        "aliases": [*account.addresses],
        "entry": account.handle,
        "attributes": {name: [*values] for name, values in account.attributes.items()},
        "scram": account.scram is not None,
    }


def printable(text: str) -> str:
    """What came from elsewhere, safe on a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)
