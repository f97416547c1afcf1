"""What `migrate` and `rebalance` share: directory, store and lease of one run, and its errors."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass

from l7lb.cli.progress import Bar
from l7lb.cli.terms import duration_s
from l7lb.config.load import load_cluster
from l7lb.config.refusal import Refusal
from l7lb.config.units import parse_size
from l7lb.director.embedded_store import FOLDER, SOCKET
from l7lb.director.paths import state_path
from l7lb.director.store import engine_of
from l7lb.directory.opened import Opened, open_directory
from l7lb.errors import ConfigError, DirectoryError, MigrationError, MigrationRefused
from l7lb.mail.assignments import change, moved
from l7lb.mail.migration.migration import Migration
from l7lb.mail.migration.moving import CLOSE_TIMEOUT_S, Options, Ports
from l7lb.model import ClusterSpec
from l7lb.model_migration import MailStorageSpec
from l7lb.model_store import LockdStore, StoreSpec
from l7lb_storage import Session, SessionSpec, StorageError, Store

Verb = Callable[[argparse.Namespace], Coroutine[None, None, int]]


@dataclass(frozen=True, slots=True)
class Desk:
    """All that a run works with."""

    cluster: ClusterSpec
    storage: MailStorageSpec
    opened: Opened
    session: Session
    store: Store

    def migration(self, args: argparse.Namespace, bar: Bar) -> Migration:
        """With the options of `add_options`."""
        ports = Ports(
            session=self.session,
            store=self.store,
            editor=self.opened.editor,
            assign=self.assign,
            observer=bar,
            now=time.time,
        )
        options = Options(bytes_s=args.rate, close_timeout_s=args.wait, ignored=args.ignore)
        return Migration(ports, self.storage, options)

    async def assign(self, account: str, server: str) -> None:
        """In the directors' table: sessions that are elsewhere end. Raises StorageError."""
        for name, pool in self.cluster.pools.items():
            if any(each.name == server for each in pool.servers):
                await change(self.store, (name, account), moved(server, 0.0))


def run_verb(name: str, verb: Verb, args: argparse.Namespace) -> int:
    """Exit status; errors are told on standard error."""
    try:
        return asyncio.run(verb(args))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except (MigrationError, DirectoryError, StorageError, OSError) as error:
        print(f"l7lb {name}: {printable(str(error))}", file=sys.stderr)
        return 1


@asynccontextmanager
async def opened_desk(file: str) -> AsyncIterator[Desk]:
    """Raises ConfigError, MigrationRefused, DirectoryError, StorageError, OSError."""
    cluster = load_cluster(file)
    store = store_of(cluster)
    if cluster.directory is None or store is None or cluster.mail_storage is None:
        raise MigrationRefused(f"{file} must name directory, store and mail.storage")
    opened = open_directory(cluster.directory)
    try:
        async with _session(store) as session:
            keys = Store(session.engine)
            try:
                yield Desk(cluster, cluster.mail_storage, opened, session, keys)
            finally:
                await keys.close()
    finally:
        await opened.directory.close()


def store_of(cluster: ClusterSpec) -> StoreSpec | None:
    """The file's, else the one that the director of this host keeps for mail."""
    if cluster.store is not None or not cluster.has_mail:
        return cluster.store
    return LockdStore(f"unix:{state_path(cluster.director) / FOLDER / SOCKET}")


@asynccontextmanager
async def _session(spec: StoreSpec) -> AsyncIterator[Session]:
    try:
        engine = engine_of(spec)
    except ValueError as error:
        raise MigrationRefused(f"store: {error}") from error
    try:
        await engine.open()
        holder = f"migrate {socket.gethostname()} {os.getpid()}"
        async with await Session.open(engine, SessionSpec(holder)) as session:
            yield session
    finally:
        await engine.close()


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate",
        metavar="SIZE",
        type=rate,
        default=0,
        help="bytes a second while the account is served, such as 10MiB (default: no limit)",
    )
    parser.add_argument(
        "--wait",
        metavar="TIME",
        type=duration_s,
        default=CLOSE_TIMEOUT_S,
        help="for directors and servers to let go of an account (default 1min)",
    )
    parser.add_argument(
        "--ignore",
        metavar="DIRECTOR",
        action="append",
        default=[],
        help="a director that serves nobody and cannot say so, for it is down; may be repeated",
    )


def rate(text: str) -> int:
    """For argparse: bytes a second."""
    try:
        return parse_size(0 if text == "0" else text)
    except Refusal as error:
        raise argparse.ArgumentTypeError(f"{error.message}, {error.hint}") from error


def printable(text: str) -> str:
    """What came from elsewhere, safe on a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)
