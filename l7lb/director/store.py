"""The engine that a rules file's `store:` names. Knows nothing of what is kept in it."""

from __future__ import annotations

import ssl
from pathlib import Path

from l7lb.model_store import EtcdStore, LockdStore, StoreSpec, StoreTls
from l7lb_storage.engine import Engine
from l7lb_storage.etcd.engine import EtcdEngine
from l7lb_storage.etcd.gateway import EtcdSpec
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress

UNIX = "unix:"


def engine_of(spec: StoreSpec) -> Engine:
    """Not opened yet. Raises ValueError or OSError when a TLS file cannot be used."""
    if isinstance(spec, EtcdStore):
        return EtcdEngine(_etcd(spec))
    return LockdEngine(_lockd(spec))


def _etcd(spec: EtcdStore) -> EtcdSpec:
    is_tls = spec.urls[0].startswith("https:")
    return EtcdSpec(
        endpoints=spec.urls,
        prefix=spec.prefix,
        tls=_context(spec.tls) if is_tls else None,
        user=spec.user,
        password=spec.password.value.decode() if spec.password is not None else "",
    )


def _lockd(spec: LockdStore) -> LockdAddress:
    secret = spec.secret.value if spec.secret is not None else b""
    if spec.host.startswith(UNIX):
        return LockdAddress(unix=Path(spec.host.removeprefix(UNIX)), secret=secret)
    tls = _context(spec.tls) if spec.tls is not None else None
    return LockdAddress(host=spec.host, port=spec.port, secret=secret, tls=tls)


def _context(spec: StoreTls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=spec.ca)
    if not spec.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if spec.certificate is not None:
        context.load_cert_chain(spec.certificate, spec.key)
    return context
