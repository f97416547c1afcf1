"""A specification of the store in the words of the rules file, every key given.

Secrets are named by where they were read; the words load again to an equal specification.
"""

from __future__ import annotations

from l7lb.config.effective_directory import secret_tree
from l7lb.config.nodes import Plain
from l7lb.model import Address
from l7lb.model_store import EtcdStore, LockdStore, StoreSpec, StoreTls


def store_tree(spec: StoreSpec) -> dict[str, Plain]:
    return {"etcd": _etcd(spec)} if isinstance(spec, EtcdStore) else {"lockd": _lockd(spec)}


def secrets(spec: StoreSpec | None) -> dict[str, bytes]:
    """By the key of the rules file, to tell whether one changed."""
    if isinstance(spec, EtcdStore) and spec.password is not None:
        return {"etcd.password": spec.password.value}
    if isinstance(spec, LockdStore) and spec.secret is not None:
        return {"lockd.secret": spec.secret.value}
    return {}


def _etcd(spec: EtcdStore) -> dict[str, Plain]:
    found: dict[str, Plain] = {"urls": [*spec.urls], "prefix": spec.prefix}
    if spec.password is not None:
        found |= {"user": spec.user, "password": secret_tree(spec.password)}
    return found | {"tls": _tls(spec.tls)}


def _lockd(spec: LockdStore) -> dict[str, Plain]:
    found: dict[str, Plain] = {"address": str(Address(spec.host, spec.port))}
    if spec.secret is not None:
        found["secret"] = secret_tree(spec.secret)
    return found | ({"tls": _tls(spec.tls)} if spec.tls is not None else {})


def _tls(spec: StoreTls) -> dict[str, Plain]:
    optional = {"ca": spec.ca, "certificate": spec.certificate, "key": spec.key}
    given: dict[str, Plain] = {key: value for key, value in optional.items() if value is not None}
    return {"verify": spec.verify, **given}
