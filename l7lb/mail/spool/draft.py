"""A message that is coming and may have to be kept: in memory while small, else in a nameless file.

A crash leaves nothing of it: nobody was told that it is accepted.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import IO

from l7lb.mail.spool.files import PIECE_BYTES

MEMORY_BYTES = 512 << 10
"""What is held in memory before it goes to the file."""


class Draft:
    """`add` pieces; once `is_full`, `take` them and `spill` them (which blocks: in a thread)."""

    def __init__(self, folder: Path, counted: Callable[[int], None]) -> None:
        self.size = 0
        self._folder = folder
        self._counted = counted
        self._pieces: list[bytes] = []
        self._held = 0
        self._file: IO[bytes] | None = None
        self._digest = blake2b(digest_size=16)
        self._closed = False

    @property
    def is_full(self) -> bool:
        return self._held >= MEMORY_BYTES

    @property
    def digest(self) -> bytes:
        return self._digest.hexdigest().encode()

    def add(self, piece: bytes) -> None:
        """Raises SpoolFull (from `counted`)."""
        self._counted(len(piece))
        self.size += len(piece)
        self._digest.update(piece)
        self._pieces.append(piece)
        self._held += len(piece)

    def take(self) -> list[bytes]:
        """What is held in memory, for `spill`."""
        pieces, self._pieces, self._held = self._pieces, [], 0
        return pieces

    def spill(self, pieces: list[bytes]) -> None:
        """To the file; one call at a time. Raises OSError."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - until `close`
        self._file.writelines(pieces)

    def content(self) -> Iterator[bytes]:
        """All of it, in order. Blocks."""
        if self._file is not None:
            self._file.flush()
            self._file.seek(0)
            while piece := self._file.read(PIECE_BYTES):
                yield piece
        yield from self._pieces

    def close(self) -> None:
        """Forget it. Only the first call does anything."""
        if not self._closed:
            self._closed = True
            self._counted(-self.size)
            self._pieces = []
            if self._file is not None:
                self._file.close()
