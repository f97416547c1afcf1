"""`store:`: from the schema to the specification of the shared store."""

from __future__ import annotations

from l7lb.config import compile_pool, credentials
from l7lb.config.addresses import UNIX, is_this_host
from l7lb.config.schema_secret import Secret
from l7lb.config.schema_store import Etcd, Lockd, StoreSection, StoreTlsSection
from l7lb.config.scope import Scope
from l7lb.config.validate import Valid
from l7lb.model_directory import SecretSpec
from l7lb.model_store import EtcdStore, LockdStore, StoreSpec, StoreTls

SECRET_LEAST_BYTES = 16


def store_spec(valid: Valid[StoreSection], scope: Scope) -> StoreSpec | None:
    """None, with the problem noted, when it can make none."""
    section = valid.section
    if valid.broken:
        return None
    if (section.etcd is None) == (section.lockd is None):
        scope.problem("a store has exactly one of etcd and lockd")
        return None
    if section.etcd is not None:
        return _etcd(section.etcd, scope.at("etcd"))
    assert section.lockd is not None
    return _lockd(section.lockd, scope.at("lockd"))


def _etcd(etcd: Etcd, scope: Scope) -> EtcdStore:
    urls = tuple(etcd.urls)
    if not urls:
        scope.at("urls").key_problem("etcd has no urls", "such as http://10.0.6.1:2379")
    schemes = {url.partition(":")[0] for url in urls}
    if len(schemes) > 1:
        scope.at("urls").problem("members are of http and of https", "all of one")
    if len(set(urls)) < len(urls):
        scope.at("urls").problem("a member stands here twice")
    if (etcd.user is None) != (etcd.password is None):
        scope.problem("user and password go together")
    password = _secret(etcd.password, scope.at("password"), 1)
    tls = _tls(etcd.tls, scope.at("tls"))
    return EtcdStore(urls, etcd.prefix, etcd.user or "", password, tls)


def _lockd(lockd: Lockd, scope: Scope) -> LockdStore:
    address = compile_pool.resolved(lockd.address, scope.at("address"))
    tls = _tls(lockd.tls, scope.at("tls")) if lockd.tls is not None else None
    secret = _secret(lockd.secret, scope.at("secret"), SECRET_LEAST_BYTES)
    if not address.host.startswith(UNIX):
        if secret is None:
            scope.problem("lockd over TCP needs a secret", "write secret: {file: PATH}")
        if tls is None and not is_this_host(address.host):
            scope.warn(f"what the store holds travels to {address} in plain text", "add tls: true")
    return LockdStore(address.host, address.port, secret, tls)


def _secret(given: Secret | None, scope: Scope, least_bytes: int) -> SecretSpec | None:
    return None if given is None else credentials.referred(scope, given, least_bytes)


def _tls(tls: StoreTlsSection, scope: Scope) -> StoreTls:
    ca, certificate, key = compile_pool.client_credentials(tls, scope)
    return StoreTls(tls.verify, ca, certificate, key)
