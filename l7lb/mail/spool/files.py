"""One spooled message as a file: its envelope, the message, and each later state of the envelope.

    <record> <message> <record> <record> …          the last whole record counts

A file appears whole or not at all (written elsewhere, fsync, rename, fsync of the folder). Later
states are appended, so that no write can harm what stands. All functions block: call them in
threads. They raise OSError.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

from l7lb_protocols.smtp.errors import Misuse, RecordDamaged, RecordTruncated
from l7lb_protocols.smtp.spool_record import MAX_BODY, MAX_HEAD, SpoolRecord, decode, encode

SUFFIX = ".mail"
PIECE_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was read. `torn_bytes` at its end are of a record that was not written whole."""

    record: SpoolRecord
    first_bytes: int
    """Of the first record: there the message begins."""
    whole_bytes: int
    torn_bytes: int


class TornFile(Exception):
    """Not what we wrote, or not whole: for a person to look at."""


def file_name(queue_id: str, service: str) -> str:
    return f"{queue_id}.{quote(service, safe='')}{SUFFIX}"


def parts_of(name: str) -> tuple[str, str]:
    """Queue id and service. Raises TornFile."""
    queue_id, dot, rest = name.removesuffix(SUFFIX).partition(".")
    if not name.endswith(SUFFIX) or not dot or not queue_id:
        raise TornFile("not a name that we give")
    return queue_id, unquote(rest)


def create(path: Path, record: SpoolRecord, message: Iterable[bytes]) -> int:
    """The file, safe on disk; returns the length of its first record."""
    first = encode(record)
    beside = path.with_suffix(".new")
    try:
        with open(beside, "xb", opener=_private) as file:
            file.write(first)
            file.writelines(message)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
        sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    return len(first)


def append(path: Path, record: SpoolRecord) -> int:
    """A later state; returns its length."""
    data = encode(record)
    with path.open("ab") as file:
        size = file.tell()
        try:
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
        except OSError:
            with suppress(OSError):
                os.ftruncate(file.fileno(), size)
            raise
    return len(data)


def read(path: Path) -> Found:
    """Check a file from end to end. Raises TornFile."""
    total = path.stat().st_size
    with path.open("rb") as file:
        first, first_bytes = _record(file)
        _check_message(file, first)
        record, whole = first, first_bytes + first.message_bytes
        while whole < total:
            try:
                record, size = _record(file)
            except TornFile:
                break
            whole += size
            file.seek(whole)
    return Found(record, first_bytes, whole, total - whole)


def cut(path: Path, whole_bytes: int) -> None:
    """Take off the end of a record that was not written whole."""
    os.truncate(path, whole_bytes)


def message(path: Path, found_at: int, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(found_at)
        while size > 0:
            piece = file.read(min(PIECE_BYTES, size))
            if not piece:
                raise OSError(f"{path}: the message is not whole")
            size -= len(piece)
            yield piece


def remove(path: Path) -> None:
    path.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _record(file: BinaryIO) -> tuple[SpoolRecord, int]:
    """The record at the file's position, which ends behind it."""
    start = file.tell()
    head = file.readline(MAX_HEAD)
    words = head.split(b" ")
    size = int(words[2]) if len(words) == 4 and words[2].isdigit() and len(words[2]) < 9 else 0
    try:
        record, used = decode(head + file.read(min(size, MAX_BODY)))
    except (RecordDamaged, RecordTruncated, Misuse) as problem:
        raise TornFile(str(problem)) from problem
    file.seek(start + used)
    return record, used


def _check_message(file: BinaryIO, record: SpoolRecord) -> None:
    digest = hashlib.blake2b(digest_size=16)
    left = record.message_bytes
    while left > 0:
        piece = file.read(min(PIECE_BYTES, left))
        if not piece:
            raise TornFile("the message is not whole")
        digest.update(piece)
        left -= len(piece)
    if record.message_digest and digest.hexdigest().encode() != record.message_digest:
        raise TornFile("the message is not what was written")
