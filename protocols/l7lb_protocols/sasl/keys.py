"""Keys that verify SCRAM-SHA-256: made, written and read (RFC 5802 §3, RFC 7677, RFC 5803).

A verifier holds no password. Must not know where the keys are kept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

MECHANISM = b"SCRAM-SHA-256"
DIGEST_BYTES = 32
MIN_ITERATIONS = 4096
"""RFC 7677 §4."""
MAX_ITERATIONS = 10_000_000


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What the verifier knows of one account. Raises ValueError when made of nonsense."""

    salt: bytes
    iterations: int
    stored: bytes = field(repr=False)
    """StoredKey: the digest of the key that a client proves to have."""
    server: bytes = field(repr=False)
    """ServerKey: proves the server to the client."""

    def __post_init__(self) -> None:
        if not MIN_ITERATIONS <= self.iterations <= MAX_ITERATIONS:
            raise ValueError(f"iterations must be {MIN_ITERATIONS} to {MAX_ITERATIONS}")
        if not self.salt or len(self.stored) != DIGEST_BYTES or len(self.server) != DIGEST_BYTES:
            raise ValueError("salt or keys of a wrong size")

    @classmethod
    def from_salted(cls, salted: bytes, salt: bytes, iterations: int) -> ScramKeys:
        """From SaltedPassword, the result of PBKDF2."""
        client = digest(salted, b"Client Key")
        stored = hashlib.sha256(client).digest()
        return cls(salt, iterations, stored, digest(salted, b"Server Key"))

    @classmethod
    def derive(cls, password: bytes, salt: bytes, iterations: int = MIN_ITERATIONS) -> ScramKeys:
        """From the password; costs `iterations` HMACs, so never where clients wait."""
        salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
        return cls.from_salted(salted, salt, iterations)

    @classmethod
    def parse(cls, text: bytes) -> ScramKeys:
        """From a value of `authPassword` (RFC 5803 §2); raises ValueError."""
        parts = [part.strip(b" ") for part in text.split(b"$")]
        if len(parts) != 3 or parts[0].upper() != MECHANISM:
            raise ValueError("keys are not SCRAM-SHA-256$iterations:salt$stored:server")
        iterations, _, salt = parts[1].partition(b":")
        stored, _, server = parts[2].partition(b":")
        if not iterations.isdigit() or len(iterations) > 8:
            raise ValueError("iterations are no number")
        return cls(_decoded(salt), int(iterations), _decoded(stored), _decoded(server))

    def text(self) -> bytes:
        """As a value of `authPassword` (RFC 5803 §2)."""
        salt, stored, server = map(base64.b64encode, (self.salt, self.stored, self.server))
        return b"%s$%d:%s$%s:%s" % (MECHANISM, self.iterations, salt, stored, server)


def fake_keys(
    secret: bytes, account: bytes, iterations: int = MIN_ITERATIONS, salt_bytes: int = 16
) -> ScramKeys:
    """Keys for an account that has none: the same at every call, and no proof fits them.

    `secret` belongs to the cluster, so that every director shows one salt; `iterations` and
    `salt_bytes` (at most 32) must be those that real accounts have, lest they tell the difference.
    """
    if not 1 <= salt_bytes <= DIGEST_BYTES:
        raise ValueError("a salt has 1 to 32 bytes")
    salt = digest(secret, b"salt:" + account)[:salt_bytes]
    stored = digest(secret, b"stored:" + account)
    return ScramKeys(salt, iterations, stored, digest(secret, b"server:" + account))


def digest(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256."""
    return hmac.digest(key, message, "sha256")


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("keys are not Base64") from None
