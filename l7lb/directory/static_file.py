"""The file of a static directory on disk: read whole, replaced whole, by one writer at a time."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from l7lb.directory.static_document import Document
from l7lb.directory.static_ldif import LdifDocument
from l7lb.directory.static_yaml import YamlDocument
from l7lb.errors import ConfigError, DirectoryRefused, Problem
from l7lb.model import Place

FILE_LIMIT_BYTES = 16 << 20


def load(file: str) -> Document:
    """Blocks. Raises ConfigError."""
    try:
        text = _read(file)
    except OSError as error:
        raise _problem(file, f"cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise _problem(file, f"byte {error.start} is not UTF-8") from None
    return LdifDocument(text, file) if file.endswith(".ldif") else YamlDocument(text, file)


def _read(file: str) -> str:
    # Without O_NONBLOCK a FIFO in the place of the file would hold the thread for ever.
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _problem(file, "is not a regular file")
        data = opened.read(FILE_LIMIT_BYTES + 1)
    if len(data) > FILE_LIMIT_BYTES:
        raise _problem(file, f"has more than {FILE_LIMIT_BYTES} bytes")
    return data.decode()


def _problem(file: str, message: str) -> ConfigError:
    return ConfigError([Problem(Place(file, 1, 1), f"{file} {message}")])


@contextmanager
def changing(file: str) -> Iterator[Document]:
    """The document as it is now; what the block makes of it is written when the block ends well.

    Blocks, also while another process changes the file. Raises ConfigError, DirectoryRefused.
    """
    target = Path(os.path.realpath(file))
    try:
        with _locked(target.parent) as folder:
            document = load(file)
            yield document
            _replace(target, document.text().encode())
            os.fsync(folder)
    except OSError as error:
        raise DirectoryRefused(f"{file} cannot be written: {error.strerror or error}") from None


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """By the folder, because the file itself is replaced."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _replace(path: Path, data: bytes) -> None:
    """Old or new, never half; owner and permissions stay."""
    before = path.stat()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            now = os.fstat(descriptor)
            if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
                os.fchown(descriptor, before.st_uid, before.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)  # noqa: PTH105 - one call, no Path needed
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
