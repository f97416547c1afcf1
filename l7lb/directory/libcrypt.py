"""crypt(3) of the system's libcrypt (libxcrypt), for hashes that other systems made.

The standard library has none any more (3.13). ctypes lets go of the interpreter while it works.
"""

from __future__ import annotations

import ctypes
from functools import cache

NAMES = ("libcrypt.so.1", "libcrypt.so.2")
OUTPUT_BYTES = 384
DATA_BYTES = 32768
"""sizeof(struct crypt_data), crypt(3)."""


@cache
def _crypt_rn() -> ctypes._FuncPointer | None:
    for name in NAMES:
        try:
            found = ctypes.CDLL(name).crypt_rn
        except (OSError, AttributeError):
            continue
        found.restype = ctypes.c_char_p
        found.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int)
        return found
    return None


def is_there() -> bool:
    """Whether this system has one."""
    return _crypt_rn() is not None


def crypt(password: bytes, setting: bytes) -> bytes | None:
    """The hash of a password by the method and salt of `setting`, which may be a whole hash.

    None when libcrypt knows no such method, or a NUL stands in either. Slow: for a thread.
    """
    function = _crypt_rn()
    if function is None or b"\0" in password or b"\0" in setting:
        return None
    data = ctypes.create_string_buffer(DATA_BYTES)
    found = function(password, setting, data, DATA_BYTES)
    ctypes.memset(data, 0, DATA_BYTES)
    return found if isinstance(found, bytes) and not found.startswith(b"*") else None
