"""SCRAM-SHA-256 verifiers (RFC 5802 §3, RFC 7677) and the two forms in which they are stored.

`SCRAM-SHA-256$4096:SALT$STORED:SERVER` is RFC 5803's, with or without `{…}` as of RFC 2307;
`{SCRAM-SHA-256}4096,SALT,STORED,SERVER` is Dovecot's. All three parts are Base64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import unicodedata

from l7lb.accounts import ScramKeys

ITERATIONS = 10_000
"""Of new verifiers: more than RFC 7677's 4,096, and what a phone does in a blink."""
ITERATIONS_LIMIT = 1_000_000
"""More than that in a stored verifier is refused: each login would pay for it."""
SALT_BYTES = 16
KEY_BYTES = 32
_STORED = re.compile(
    rb"(?:\{SCRAM-SHA-256\}(?:SCRAM-SHA-256\$)?|SCRAM-SHA-256\$)([0-9]{1,7})[:,]"
    rb"([A-Za-z0-9+/=]{1,256})[$,]([A-Za-z0-9+/=]{44})[:,]([A-Za-z0-9+/=]{44})",
    re.IGNORECASE,
)


def made(password: bytes, iterations: int = ITERATIONS) -> ScramKeys:
    """New keys with a new salt. Slow: for a thread."""
    return derived(password, os.urandom(SALT_BYTES), iterations)


def derived(password: bytes, salt: bytes, iterations: int) -> ScramKeys:
    """RFC 5802 §3. Slow: for a thread."""
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    return ScramKeys(salt, iterations, stored_key, hmac.digest(salted, b"Server Key", "sha256"))


def prepared(password: bytes) -> bytes:
    """As a client prepares it: NFKC as in SASLprep (RFC 4013 §2.2); what is no UTF-8 stays."""
    try:
        return unicodedata.normalize("NFKC", password.decode()).encode()
    except UnicodeDecodeError:
        return password


def is_password(keys: ScramKeys, password: bytes) -> bool:
    """Slow: for a thread."""
    found = derived(password, keys.salt, keys.iterations)
    return hmac.compare_digest(found.stored_key, keys.stored_key)


def stored(keys: ScramKeys) -> bytes:
    """As a value of userPassword."""
    salt, stored_key, server_key = map(
        base64.b64encode, (keys.salt, keys.stored_key, keys.server_key)
    )
    return b"{SCRAM-SHA-256}%d:%s$%s:%s" % (keys.iterations, salt, stored_key, server_key)


def parsed(value: bytes) -> ScramKeys | None:
    """None for what is no verifier, or not a usable one."""
    found = _STORED.fullmatch(value)
    if found is None or not 1 <= int(found[1]) <= ITERATIONS_LIMIT:
        return None
    try:
        salt, stored_key, server_key = (
            base64.b64decode(p, validate=True) for p in found.groups()[1:]
        )
    except binascii.Error:
        return None
    if not salt or len(stored_key) != KEY_BYTES or len(server_key) != KEY_BYTES:
        return None
    return ScramKeys(salt, int(found[1]), stored_key, server_key)
