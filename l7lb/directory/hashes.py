"""Stored passwords: which scheme, does a password fit, and how a new one is stored.

Schemes as in RFC 2307 §5.3 and its many followers. Plain text is refused: a directory that shows
it must be asked by bind. Every comparison takes the same time wherever the difference is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable

import argon2
from argon2.exceptions import Argon2Error, InvalidHashError

from l7lb.accounts import PASSWORD_LIMIT_BYTES, ScramKeys
from l7lb.directory import libcrypt, scram
from l7lb.model_directory import HashKind

PBKDF2_LIMIT = 5_000_000
ARGON2_MEMORY_LIMIT_KIB = 1 << 18
ARGON2_TIME_LIMIT = 20
"""What one login may cost; a stored hash that asks for more is refused."""
_SCHEME = re.compile(rb"\{([A-Za-z0-9-]{1,32})\}(.*)", re.DOTALL)
_ARGON2 = re.compile(rb"\$argon2(?:id|i|d)\$(?:v=[0-9]{1,3}\$)?m=([0-9]{1,9}),t=([0-9]{1,6}),")
_PBKDF2 = re.compile(rb"([0-9]{1,8})\$([A-Za-z0-9./+]{1,256}=*)\$([A-Za-z0-9./+]{1,256}=*)")

Check = Callable[[bytes, bytes], bool]
"""Password and the stored value without its scheme."""


def _digest(algorithm: str, size: int) -> Check:
    """Digest, then salt (none for the unsalted schemes)."""

    def check(password: bytes, stored: bytes) -> bool:
        raw = _decoded(stored)
        if raw is None or len(raw) < size:
            return False
        found = hashlib.new(algorithm, password + raw[size:], usedforsecurity=False).digest()
        return hmac.compare_digest(found, raw[:size])

    return check


def _pbkdf2(algorithm: str) -> Check:
    """`ITERATIONS$SALT$HASH` as OpenLDAP's pw-pbkdf2 and passlib write it (Base64 with `.`)."""

    def check(password: bytes, stored: bytes) -> bool:
        found = _PBKDF2.fullmatch(stored)
        if found is None or not 1 <= int(found[1]) <= PBKDF2_LIMIT:
            return False
        salt, wanted = (_decoded(part.replace(b".", b"+")) for part in found.groups()[1:])
        if not salt or not wanted:
            return False
        made = hashlib.pbkdf2_hmac(algorithm, password, salt, int(found[1]), len(wanted))
        return hmac.compare_digest(made, wanted)

    return check


def _crypt(password: bytes, stored: bytes) -> bool:
    found = libcrypt.crypt(password, stored)
    return found is not None and hmac.compare_digest(found, stored)


def _argon2(password: bytes, stored: bytes) -> bool:
    cost = _ARGON2.match(stored)
    if cost is None or int(cost[1]) > ARGON2_MEMORY_LIMIT_KIB or int(cost[2]) > ARGON2_TIME_LIMIT:
        return False
    try:
        return argon2.PasswordHasher().verify(stored.decode("ascii"), password)
    except (Argon2Error, InvalidHashError, UnicodeDecodeError):
        return False


CHECKS: dict[str, Check] = {
    "SHA": _digest("sha1", 20),
    "SSHA": _digest("sha1", 20),
    "SHA256": _digest("sha256", 32),
    "SSHA256": _digest("sha256", 32),
    "SHA512": _digest("sha512", 64),
    "SSHA512": _digest("sha512", 64),
    "PBKDF2": _pbkdf2("sha1"),
    "PBKDF2-SHA1": _pbkdf2("sha1"),
    "PBKDF2-SHA256": _pbkdf2("sha256"),
    "PBKDF2-SHA512": _pbkdf2("sha512"),
    "CRYPT": _crypt,
    "ARGON2": _argon2,
    "ARGON2I": _argon2,
    "ARGON2ID": _argon2,
}
"""Scheme → how it is checked; SCRAM-SHA-256 is the one with a form of its own."""


def is_known(stored: bytes) -> bool:
    """Whether `is_password` can say anything about this value."""
    if scram.parsed(stored) is not None:
        return True
    scheme = _SCHEME.fullmatch(stored)
    name = scheme[1].decode().upper() if scheme else ""
    return name in CHECKS and (name != "CRYPT" or libcrypt.is_there())


def is_password(stored: bytes, password: bytes) -> bool:
    """Whether it fits; False for an unknown scheme too. Slow: for a thread."""
    if not 0 < len(password) <= PASSWORD_LIMIT_BYTES:
        return False
    keys = scram.parsed(stored)
    if keys is not None:
        return scram.is_password(keys, password)
    scheme = _SCHEME.fullmatch(stored)
    check = CHECKS.get(scheme[1].decode().upper()) if scheme else None
    return check is not None and scheme is not None and check(password, scheme[2])


def is_any(stored: tuple[bytes, ...], password: bytes) -> bool:
    """Whether one of the values fits. Slow: for a thread."""
    return any(is_password(value, password) for value in stored)


def scram_keys(stored: tuple[bytes, ...]) -> ScramKeys | None:
    """The first usable SCRAM verifier among the values."""
    return next((keys for keys in map(scram.parsed, stored) if keys), None)


def new(kind: HashKind, password: bytes) -> bytes:
    """A password as it is stored. Slow: for a thread."""
    if kind is HashKind.ARGON2:
        return b"{ARGON2}" + argon2.PasswordHasher().hash(password).encode("ascii")
    return scram.stored(scram.made(password))


def _decoded(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None
