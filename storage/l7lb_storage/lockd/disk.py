"""What lockd keeps: leases, queue entries, keys, epoch and revision, in one SQLite file.

Every commit is on the disk (WAL, synchronous FULL) before anybody hears of what it holds. One
process has the file; it must be on a local disk. Runs in a thread of its own and must not know the
event loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from l7lb_storage.errors import StorageError
from l7lb_storage.lock_table import Entry
from l7lb_storage.machine import Gone, Kept, LiveLease, Record
from l7lb_storage.model import Changed, Claim, Item
from l7lb_storage.modes import Mode

VERSION = 1
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "fuse.sshfs", "fuse.glusterfs"}
"""File systems where SQLite's locks or its shared memory cannot be relied on."""
SCHEMA = """
CREATE TABLE number (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE lease (id INTEGER PRIMARY KEY, ttl_s REAL NOT NULL, holder TEXT NOT NULL);
CREATE TABLE entry (
    lease INTEGER, number INTEGER, resource TEXT NOT NULL, mode TEXT NOT NULL,
    holder TEXT NOT NULL, since_s REAL NOT NULL, place INTEGER NOT NULL, token INTEGER NOT NULL,
    PRIMARY KEY (lease, number)) WITHOUT ROWID;
CREATE TABLE item (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, created INTEGER NOT NULL,
    revision INTEGER NOT NULL, lease INTEGER NOT NULL) WITHOUT ROWID;
"""
Step = tuple[str, tuple[object, ...]]


def steps(record: Record) -> Step:
    """The statement that keeps a record, with its values as they are now."""
    match record:
        case LiveLease():
            values = (record.id, record.ttl_s, record.holder)
            return "INSERT OR REPLACE INTO lease VALUES (?,?,?)", values
        case Entry():
            return "INSERT OR REPLACE INTO entry VALUES (?,?,?,?,?,?,?,?)", _entry_row(record)
        case Changed(key, None, _):
            return "DELETE FROM item WHERE key = ?", (key,)
        case Changed(key, Item() as item, _):
            row = (key, item.value, item.created, item.revision, item.lease)
            return "INSERT OR REPLACE INTO item VALUES (?,?,?,?,?)", row
        case Gone((lease,)):
            return "DELETE FROM lease WHERE id = ?", (lease,)
        case Gone(name):
            return "DELETE FROM entry WHERE lease = ? AND number = ?", name
    raise AssertionError(record)


def numbers(epoch: int, revision: int) -> list[Step]:
    statement = "INSERT OR REPLACE INTO number VALUES (?,?)"
    return [(statement, ("epoch", epoch)), (statement, ("revision", revision))]


class Disk:
    """Use from one thread. Raises StorageError when the file is not ours or in use."""

    def __init__(self, path: Path) -> None:
        if file_system(path) in REMOTE:
            raise StorageError(f"{path} is on a network file system; SQLite needs a local disk")
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=0)
        except sqlite3.Error as error:
            raise StorageError(f"{path}: {error}") from error
        try:
            self._prepare(path)
        except BaseException:
            self._connection.close()
            raise

    def load(self) -> Kept:
        """Everything, as it was committed last."""
        ask = self._connection.execute
        found: dict[str, int] = dict(ask("SELECT name, value FROM number"))
        return Kept(
            epoch=found["epoch"],
            revision=found["revision"],
            leases=[LiveLease(*row) for row in ask("SELECT id, ttl_s, holder, 0.0 FROM lease")],
            entries=[_entry(row) for row in ask("SELECT * FROM entry")],
            items=[Item(*row) for row in ask("SELECT * FROM item")],
        )

    def commit(self, batch: Iterable[Step]) -> None:
        """All of it or nothing. Raises sqlite3.Error."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in batch:
                self._connection.execute(statement, values)
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._connection.close()

    def _prepare(self, path: Path) -> None:
        try:
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("BEGIN IMMEDIATE")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            self._connection.execute("COMMIT")
            if version == 0:
                self._create()
        except sqlite3.Error as error:
            raise StorageError(f"{path} cannot be used: {error}") from error
        if version not in (0, VERSION):
            raise StorageError(f"{path} has version {version}; this is for version {VERSION}")

    def _create(self) -> None:
        statements = [(text, ()) for text in SCHEMA.split(";") if text.strip()]
        version = f"PRAGMA user_version = {VERSION}"
        self.commit([*statements, *numbers(Kept().epoch, 0), (version, ())])


def file_system(path: Path) -> str:
    """Type of the file system that a path is on, as the kernel names it; empty when unknown."""
    best, found = "", ""
    target = str(path.resolve())
    try:
        mounts = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    for line in mounts:
        point, kind = line.split(" ")[1:3]
        inside = target == point or target.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, found = point, kind
    return found


def _entry_row(entry: Entry) -> tuple[object, ...]:
    claim = entry.claim
    name = (claim.lease, claim.number, claim.resource, claim.mode.value)
    return (*name, claim.holder, claim.since_s, entry.order, entry.token)


def _entry(row: tuple[int, int, str, str, str, float, int, int]) -> Entry:
    lease, number, resource, mode, holder, since_s, place, token = row
    return Entry(Claim(lease, number, resource, Mode(mode), holder, since_s), place, token)
