"""The administrator's drains and weights: kept in a file, applied at start and after a reload.

Owns the file. Must not know pools; what left the rules file is forgotten.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from l7lb.pool.indices import ServerKey
from l7lb.pool.server import Admin, ServerUpdate

FILE = "admin.json"
LIMIT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class AdminEntry:
    """What the administrator said of one server. Wall clock: it must outlive a restart."""

    admin: Admin = Admin.READY
    drain_until_s: float = 0.0
    weight: int | None = None
    since_s: float = 0.0
    is_shared: bool = field(default=False, compare=False)
    """The store has it, or sent it; False: it is still owed to the store."""

    @property
    def is_plain(self) -> bool:
        return self.admin is Admin.READY and self.weight is None

    def as_json(self) -> dict[str, object]:
        return {
            "admin": str(self.admin),
            "drain_until_s": self.drain_until_s,
            "weight": self.weight,
            "since_s": self.since_s,
        }


class AdminState:
    """All entries. Every change is on disk when the call returns; raises OSError."""

    def __init__(self, directory: Path, now: Callable[[], float]) -> None:
        self._path = directory / FILE
        self._now = now
        self._entries: dict[ServerKey, AdminEntry] = {}
        self.is_shared = False
        """There is a store: what was taken back is kept until the store knows."""
        self.on_change: Callable[[], None] = _nobody_asks
        """Called after each word of our own administrator."""

    def load(self) -> None:
        """Read the file. Raises ValueError when it is not ours, and leaves it alone."""
        try:
            with self._path.open("rb") as file:
                raw = json.loads(file.read(LIMIT_BYTES))
            self._entries = {
                (str(entry.pop("pool")), str(entry.pop("server"))): entry_of(entry)
                for entry in raw["servers"]
            }
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self._path} is no state file: {error!r}") from error

    def put_aside(self) -> Path:
        """Rename a file that cannot be read, for somebody to look at. Raises OSError."""
        return self._path.rename(self._path.with_suffix(".unreadable"))

    def get(self, key: ServerKey) -> AdminEntry:
        return self._entries.get(key, AdminEntry())

    def set_admin(self, key: ServerKey, admin: Admin, drain_until_s: float = 0.0) -> None:
        entry = replace(self.get(key), admin=admin, drain_until_s=drain_until_s)
        self._put(key, entry)

    def set_weight(self, key: ServerKey, weight: int | None) -> None:
        """None: the file's."""
        self._put(key, replace(self.get(key), weight=weight))

    def keep_only(self, keys: Iterable[ServerKey]) -> list[ServerKey]:
        """Forget servers that left; returns them."""
        kept = set(keys)
        gone = [key for key in self._entries if key not in kept]
        for key in gone:
            del self._entries[key]
        if gone:
            self._save()
        return gone

    def updates(self, monotonic_s: float) -> list[tuple[str, ServerUpdate]]:
        """All entries as updates for pools, on the monotonic clock."""
        return [(pool, self.update((pool, name), monotonic_s)) for pool, name in self._entries]

    def update(self, key: ServerKey, monotonic_s: float) -> ServerUpdate:
        """The entry as an update for its pool, whole: also what is back to normal."""
        entry = self.get(key)
        until_s = monotonic_s + (entry.drain_until_s - self._now())
        return ServerUpdate(
            name=key[1],
            admin=entry.admin,
            drain_until=until_s if entry.admin is Admin.DRAIN else None,
            weight=-1 if entry.weight is None else entry.weight,
        )

    # ------------------------------------------------------------------ with a store

    def unshared(self) -> list[tuple[ServerKey, AdminEntry]]:
        """What the store does not know yet, also what was taken back."""
        return [(key, entry) for key, entry in self._entries.items() if not entry.is_shared]

    def shared(self) -> list[ServerKey]:
        return [key for key, entry in self._entries.items() if entry.is_shared]

    def was_shared(self, key: ServerKey, entry: AdminEntry) -> None:
        """The store knows now what `entry` says, unless it has changed meanwhile."""
        if self._entries.get(key) == entry:
            self._take(key, entry)
            self._save()

    def adopt(self, key: ServerKey, entry: AdminEntry) -> bool:
        """The store says so; True when it is news. What we owe to the store comes later there
        and will hold, so it stays."""
        known = self.get(key)
        if key in self._entries and not known.is_shared:
            return False
        self._take(key, entry)
        self._save()
        return known != entry

    def _take(self, key: ServerKey, entry: AdminEntry) -> None:
        if entry.is_plain:
            self._entries.pop(key, None)
        else:
            self._entries[key] = replace(entry, is_shared=True)

    # ------------------------------------------------------------------ on disk

    def _put(self, key: ServerKey, entry: AdminEntry) -> None:
        before = dict(self._entries)
        if entry.is_plain and not self.is_shared:
            self._entries.pop(key, None)
        else:
            self._entries[key] = replace(entry, since_s=self._now(), is_shared=False)
        try:
            self._save()
        except OSError:
            self._entries = before
            raise
        self.on_change()

    def _save(self) -> None:
        servers = [
            {"pool": pool, "server": server, "shared": entry.is_shared, **entry.as_json()}
            for (pool, server), entry in sorted(self._entries.items())
        ]
        write_atomically(self._path, json.dumps({"servers": servers}, indent=1).encode())


def _nobody_asks() -> None:
    """There is no store."""


def entry_of(raw: dict[str, object]) -> AdminEntry:
    """Raises KeyError, ValueError or TypeError for what is no entry."""
    weight = raw.get("weight")
    return AdminEntry(
        admin=Admin(str(raw["admin"])),
        drain_until_s=float(str(raw["drain_until_s"])),
        weight=None if weight is None else int(str(weight)),
        since_s=float(str(raw["since_s"])),
        is_shared=raw.get("shared") is True,
    )


def write_atomically(path: Path, data: bytes) -> None:
    """Old or new, never half, also after a power cut. Readable by the owner alone."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)  # noqa: PTH105 - one call, no Path needed
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
