"""Files and directories of a Maildir: names, making them, replacing and publishing durably.

The layout is that of the standard library's `mailbox.Maildir`. Everything here blocks. Must not
know UIDs, locks or protocols.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from pathlib import Path

PARTS = ("tmp", "new", "cur")
FLAGS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}
"""IMAP's system flags and their letters; other letters are kept as they are."""
LETTERS = {letter: flag for flag, letter in FLAGS.items()}
INFO = ":2,"
PARENTS = 3
"""Whoever died while making a Maildir may have made so many, and synced none."""
TMP_AGE_S = 36 * 3600.0
_WIRE_SIZE = re.compile(r",W=([0-9]{1,15})")


def unique_name(size: int) -> str:
    """A new one. `size`: in bytes, each line with its CRLF, kept in the name (Maildir++)."""
    host = socket.gethostname().replace("/", "\\057").replace(":", "\\072").replace(",", "")
    now = time.time_ns()
    random = secrets.token_hex(8)
    return f"{now // 10**9}.M{now // 1000 % 10**6:06}P{os.getpid()}R{random}.{host},W={size}"


def split_name(name: str) -> tuple[str, str]:
    """Unique part and letters of the flags, in order."""
    unique, _, letters = name.partition(INFO)
    return unique, "".join(sorted(set(letters)))


def wire_size(unique: str) -> int | None:
    """As the name tells it."""
    found = _WIRE_SIZE.search(unique)
    return int(found[1]) if found else None


def age_key(name: str) -> tuple[int, str]:
    """Sorts names in the order of arrival, as far as names tell."""
    digits = name.partition(".")[0]
    return (int(digits) if digits.isdigit() and len(digits) < 20 else 0, name)


def sync_directory(path: Path) -> None:
    """What was renamed or made in it is on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_made(path: Path) -> bool:
    """Whole, and on the disk with its parents."""
    return (path / PARTS[-1]).is_dir()


def make(path: Path) -> None:
    """The Maildir, with parents, durably. Does nothing when it is there."""
    if is_made(path):
        return
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
    for part in PARTS[:-1]:
        (path / part).mkdir(mode=0o700, exist_ok=True)
    for each in (path, *path.parents[: max(PARENTS, len(missing))]):
        sync_directory(each)
    (path / PARTS[-1]).mkdir(mode=0o700, exist_ok=True)  # says to others that all is safe
    sync_directory(path)


def stage(path: Path, data: bytes) -> Path:
    """Write a message into `tmp/`, durably. Its name there is the unique one."""
    staged = path / "tmp" / unique_name(len(data))
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    return staged


def replace(path: Path, data: bytes) -> None:
    """Put a whole new file in the place of the old one, durably."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def drop_old_drafts(path: Path) -> None:
    """Take away what nobody will publish any more."""
    oldest = time.time() - TMP_AGE_S
    with os.scandir(path / "tmp") as entries:
        for entry in entries:
            if entry.stat().st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)


def names_in(path: Path) -> list[str]:
    """Files of one part; names that begin with a dot are none (Maildir)."""
    return [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]
