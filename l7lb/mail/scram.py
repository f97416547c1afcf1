"""What SCRAM asks of the directory and of chance, for every protocol that lets clients in."""

from __future__ import annotations

import secrets

from l7lb.accounts import Account
from l7lb_protocols.sasl.keys import ScramKeys, fake_keys

NONCE_BYTES = 18


def keys_of(account: Account | None, said: bytes, seed: bytes) -> ScramKeys:
    """Fake ones where there are none, always the same for what the client `said` and the `seed`,
    so that nobody can tell. Raises ValueError for keys that are none."""
    if account is None or account.scram is None:
        return fake_keys(seed, said)
    kept = account.scram
    return ScramKeys(kept.salt, kept.iterations, kept.stored_key, kept.server_key)


def nonce() -> bytes:
    """Fresh text (RFC 5802 §5.1)."""
    return secrets.token_urlsafe(NONCE_BYTES).encode()
