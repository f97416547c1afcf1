"""nftables in this process: ctypes on libnftables.so.1, never a spawned `nft`.

Owns the library's context. Knows no rule. One call is one transaction: all of it or nothing.
A context belongs to one thread at a time, and to the network namespace of the thread that calls.
"""

from __future__ import annotations

import ctypes
import json
from typing import Any, Self

LIBRARY = "libnftables.so.1"
_JSON = 1 << 4
_NUMERIC = 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10
TEXT_LIMIT_BYTES = 16 << 20


class NftError(Exception):
    """The kernel or the library refuses; the message is what it says."""


class NftAway(NftError):
    """No libnftables here."""


def load() -> ctypes.CDLL:
    """Raises NftAway."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise NftAway(f"{LIBRARY} is not there: install Debian's libnftables1") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_free.argtypes = [ctypes.c_void_p]
    library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
        getattr(library, name).restype = ctypes.c_char_p
    return library


class Nft:
    """Close it, or use it as a context manager."""

    def __init__(self) -> None:
        """Raises NftAway."""
        self._library = load()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise NftAway("libnftables gives no context")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)
        self._library.nft_ctx_output_set_flags(self._context, _JSON | _NUMERIC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None

    def run(self, text: str) -> str:
        """Commands of nft(8), applied at once or not at all. Returns what was printed.

        Raises NftError.
        """
        data = text.encode()
        if len(data) > TEXT_LIMIT_BYTES or b"\0" in data:
            raise NftError(f"{len(data)} bytes of commands cannot be taken")
        if not self._context:
            raise NftError("the context is closed")
        code = self._library.nft_run_cmd_from_buffer(self._context, data)
        printed = self._library.nft_ctx_get_output_buffer(self._context) or b""
        complaint = self._library.nft_ctx_get_error_buffer(self._context) or b""
        if code != 0:
            raise NftError(complaint.decode(errors="replace").strip() or "nftables refuses")
        return str(printed.decode(errors="replace"))

    def objects(self, listing: str) -> list[dict[str, Any]]:
        """The objects of a `list` command as libnftables-json(5) has them. Raises NftError."""
        printed = self.run(listing)
        found = json.loads(printed) if printed.strip() else {}
        return [each for each in found.get("nftables", []) if "metainfo" not in each]

    def table(self, family: str, name: str) -> list[dict[str, Any]]:
        """All objects of a table; empty without it. Raises NftError where nothing can be asked."""
        tables = [each["table"] for each in self.objects(f"list tables {family}")]
        if not any(each["name"] == name for each in tables):
            return []
        return self.objects(f"list table {family} {name}")
