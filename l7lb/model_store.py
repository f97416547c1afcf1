"""Frozen specifications of the store that directors share: what `store:` in the rules file says.

As in `model`: everything compares by value.
"""

from __future__ import annotations

from dataclasses import dataclass

from l7lb.model_directory import SecretSpec


@dataclass(frozen=True, slots=True)
class StoreTls:
    """TLS to the store's servers. Verification is on unless the file says otherwise."""

    verify: bool = True
    ca: str | None = None
    """PEM file; None: the system's."""
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class EtcdStore:
    urls: tuple[str, ...]
    """Of members, `http://` or `https://`."""
    prefix: str = "l7lb/"
    """Keeps clusters apart that share an etcd."""
    user: str = ""
    password: SecretSpec | None = None
    tls: StoreTls = StoreTls()


@dataclass(frozen=True, slots=True)
class LockdStore:
    host: str
    """`unix:/absolute/path`, an address or a name."""
    port: int = 0
    secret: SecretSpec | None = None
    tls: StoreTls | None = None
    """None: plain, for a unix socket or loopback."""


StoreSpec = EtcdStore | LockdStore
