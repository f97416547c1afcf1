"""Putting a finished copy in place, taking it back, and putting the old mail away.

Every step is one renaming inside the fence of its side, and may be done again after a crash. All
of it blocks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from l7lb.errors import MigrationRefused
from l7lb.mail.migration.copying import sync_directory
from l7lb.mail.migration.layout import Home
from l7lb.mail.migration.tree import scan
from l7lb_storage.fence import FILE, guard

COPY_FENCE = ".l7lb-fence"
"""In the copy: its tokens are those of the turn to migrate, not those of the account."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The two sides of one migration, and the names beside them."""

    source: Home
    target: Home
    stamp: str

    @property
    def is_shared(self) -> bool:
        """One directory for both servers: there is nothing to copy."""
        return self.source.maildir == self.target.maildir

    @property
    def copy(self) -> Path:
        return self.target.beside("migrating", self.stamp)

    @property
    def replaced(self) -> Path:
        """A Maildir without a message that stood where the copy belongs."""
        return self.target.beside("replaced", self.stamp)

    @property
    def retired(self) -> Path:
        return self.source.beside("migrated", self.stamp)


def check_mounted(paths: Paths) -> None:
    """Storage that is not mounted looks like storage without mail. Raises MigrationRefused."""
    for home in (paths.source, paths.target):
        if not home.mount.is_dir():
            raise MigrationRefused(f"{home.mount} is not there; is the storage mounted?")


def check_sides(paths: Paths, *, without_mail: bool) -> None:
    """Before the mail is where it shall be. Raises MigrationRefused."""
    check_mounted(paths)
    if not without_mail and not paths.source.maildir.is_dir():
        raise MigrationRefused(f"{paths.source.maildir} is not there; is the storage mounted?")
    if not paths.is_shared:
        _refuse_mail(paths.target.maildir)


def begin_copy(paths: Paths) -> None:
    """The directory of the copy, and those above it."""
    made = [p for p in paths.copy.parents if not p.exists()]
    paths.copy.mkdir(mode=0o700, parents=True, exist_ok=True)
    for directory in made:
        own(directory, paths.source.maildir)
    sync_directory(paths.copy.parent)


@contextmanager
def fenced(home: Home, token: int) -> Iterator[None]:
    """Nobody with an older token changes this side from now on.

    Raises StaleToken, DeadlinePassed. Where there is nothing yet, nobody can change it.
    """
    if not home.fence.is_dir():
        yield
        return
    with guard(home.fence, token):
        own(home.fence / FILE, home.fence)
        yield


def install(paths: Paths, token: int) -> None:
    """The copy becomes the target's Maildir. Raises MigrationRefused when there is mail."""
    target = paths.target
    with fenced(target, token):
        if target.maildir.exists():
            _refuse_mail(target.maildir)
            target.maildir.rename(_free(paths.replaced))
        if target.fence == target.maildir:
            with guard(paths.copy, token):
                own(paths.copy / FILE, paths.copy)
        paths.copy.rename(target.maildir)
        (target.maildir / COPY_FENCE).unlink(missing_ok=True)
    sync_directory(target.maildir.parent)


def is_installed(paths: Paths) -> bool:
    """While the step is `switching`: whether `install` came to its end."""
    return not paths.copy.exists() and paths.target.maildir.exists()


def uninstall(paths: Paths, token: int) -> None:
    """Undoes `install`, as far as that came."""
    with fenced(paths.target, token):
        if is_installed(paths):
            paths.target.maildir.rename(paths.copy)
        if paths.replaced.exists() and not paths.target.maildir.exists():
            paths.replaced.rename(paths.target.maildir)
    sync_directory(paths.copy.parent)


def retire(paths: Paths, token: int) -> list[Path]:
    """Put the old mail away; returns everything that was put away by this migration.

    A fence in the Maildir went with it. So an empty one stays behind that refuses a server which
    still believes in an older token.
    """
    source = paths.source
    with fenced(source, token):
        if source.maildir.exists() and not paths.retired.exists():
            source.maildir.rename(paths.retired)
    if source.fence == source.maildir and paths.retired.exists():
        source.maildir.mkdir(mode=0o700, exist_ok=True)
        own(source.maildir, paths.retired)
        with fenced(source, token):
            sync_directory(source.maildir)
    sync_directory(source.maildir.parent)
    return [path for path in (paths.retired, paths.replaced) if path.exists()]


def discard(directory: Path) -> None:
    """Delete one that has a name of ours; none other. No error when it is gone.

    Raises MigrationRefused, OSError.
    """
    if not any(f".{mark}-" in directory.name for mark in ("migrated", "replaced", "migrating")):
        raise MigrationRefused(f"{directory} was not put away by a migration")
    if directory.exists():
        shutil.rmtree(directory)
        sync_directory(directory.parent)


def own(path: Path, like: Path) -> None:
    """Give it to the owner of `like`, where we may: servers must be able to open it."""
    if os.geteuid() == 0 and like.exists() and path.exists():
        found = like.stat()
        os.chown(path, found.st_uid, found.st_gid)


def _refuse_mail(maildir: Path) -> None:
    if scan(maildir).messages:
        raise MigrationRefused(f"there is mail in {maildir} already; move it away first")


def _free(path: Path) -> Path:
    """An earlier try may have put something away."""
    number = 0
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}.{number}")
    return found
