"""`directory:`: from the schema to the specification of a directory of accounts."""

from __future__ import annotations

from l7lb.config import credentials
from l7lb.config.addresses import is_this_host
from l7lb.config.files import FileProblem, read_regular
from l7lb.config.schema_directory import (
    DirectorySection,
    Ldap,
    LdapTlsSection,
    Static,
)
from l7lb.config.schema_secret import Secret
from l7lb.config.scope import Scope
from l7lb.config.validate import Valid
from l7lb.model_directory import (
    BindSpec,
    CacheSpec,
    DirectorySpec,
    EntrySpec,
    HashKind,
    LdapSpec,
    LdapTimeouts,
    LdapTls,
    PasswordCheck,
    ReplicaSpec,
    Role,
    StaticSpec,
)
from l7lb_protocols.ldap.filters import FilterTemplate, template

STATIC_LIMIT_BYTES = 16 << 20
ADDRESS = frozenset({"address"})
DOMAIN = frozenset({"domain"})


def directory_spec(valid: Valid[DirectorySection], scope: Scope) -> DirectorySpec | None:
    """None, with the problem noted, when it can make none."""
    section = valid.section
    if valid.broken:
        return None
    if (section.ldap is None) == (section.static is None):
        scope.problem("a directory has exactly one of ldap and static")
        return None
    if section.ldap is not None:
        return _ldap(section.ldap, scope.at("ldap"))
    assert section.static is not None
    return _static(section.static, scope.at("static"))


def _static(static: Static, scope: Scope) -> StaticSpec:
    spot = scope.at("file")
    path = spot.path(static.file)
    try:
        read_regular(path, STATIC_LIMIT_BYTES)
    except FileProblem as problem:
        spot.problem(f"{path} cannot be read: {problem}")
    return StaticSpec(path, HashKind(static.hash))


def _ldap(ldap: Ldap, scope: Scope) -> LdapSpec:
    entry = _entry(ldap)
    timeouts = ldap.timeouts.model_dump()
    if ldap.timeouts.retry_max < ldap.timeouts.retry:
        scope.at("timeouts", "retry_max").problem("retry_max is shorter than retry")
    _warn_of_plain_text(ldap, scope.at("urls"))
    return LdapSpec(
        replicas=_replicas(ldap, scope.at("urls")),
        base=ldap.base,
        account=ldap.account,
        recipient=ldap.recipient or _recipient(entry),
        catch=ldap.catch if "catch" in ldap.model_fields_set else _catch(entry),
        listing=ldap.listing or template(f"({entry.name}=*)"),
        entry=entry,
        subtree=ldap.scope == "subtree",
        bind=_bind(ldap, scope),
        write=_write(ldap, scope.at("write")),
        tls=_tls(ldap.tls, scope.at("tls")),
        check=PasswordCheck(ldap.check),
        hash=HashKind(ldap.hash),
        connections=ldap.connections,
        outstanding=ldap.outstanding,
        bind_connections=ldap.bind_connections,
        queue=ldap.queue,
        page=ldap.page,
        timeouts=LdapTimeouts(**{f"{name}_s": value for name, value in timeouts.items()}),
        cache=CacheSpec(
            ldap.cache.accounts, ldap.cache.unknown, ldap.cache.stale, ldap.cache.limit
        ),
        object_classes=tuple(ldap.object_classes),
    )


def _replicas(ldap: Ldap, scope: Scope) -> tuple[ReplicaSpec, ...]:
    found = tuple(ReplicaSpec(each.url, Role(each.role)) for each in ldap.urls)
    if not found:
        scope.key_problem("ldap has no urls", "such as ldap://10.0.5.1")
    elif all(each.role is Role.WRITE for each in found):
        scope.problem("no server is there for look-ups", "one has the role read or both")
    seen = set()
    for position, replica in enumerate(found):
        if replica.url in seen:
            scope.at(position).problem(f"{replica.url} stands here twice")
        seen.add(replica.url)
    return found


def _warn_of_plain_text(ldap: Ldap, scope: Scope) -> None:
    for position, each in enumerate(ldap.urls):
        is_plain = each.url.scheme == "ldap" and not ldap.tls.start_tls
        if is_plain and not is_this_host(each.url.host):
            message = f"passwords travel to {each.url} in plain text"
            scope.at(position).warn(message, "use ldaps:, or tls: starttls")


def _entry(ldap: Ldap) -> EntrySpec:
    return EntrySpec(
        name=ldap.name,
        aliases=ldap.aliases,
        server=ldap.server,
        quota=ldap.quota,
        status=ldap.status,
        passwords=tuple(ldap.password_attributes),
        kept=tuple(ldap.kept),
        disabled=tuple(each.lower() for each in ldap.disabled),
    )


def _recipient(entry: EntrySpec) -> FilterTemplate:
    alias = f"({entry.aliases}={{address}})" if entry.aliases else ""
    name = f"({entry.name}={{address}})"
    return template(f"(|{name}{alias})" if alias else name, ADDRESS)


def _catch(entry: EntrySpec) -> FilterTemplate | None:
    return template(f"({entry.aliases}=@{{domain}})", DOMAIN) if entry.aliases else None


def _bind(ldap: Ldap, scope: Scope) -> BindSpec | None:
    if ldap.bind_dn is None and ldap.password is None:
        return None
    if ldap.bind_dn is None:
        scope.at("password").key_problem("a password without bind_dn is nobody's")
        return None
    if ldap.password is None:
        # A bind with a name and no password succeeds, as nobody (RFC 4513 §5.1.2).
        scope.at("bind_dn").problem("bind_dn has no password", "write password: {file: PATH}")
        return None
    return _bind_as(ldap.bind_dn, ldap.password, scope.at("password"))


def _write(ldap: Ldap, scope: Scope) -> BindSpec | None:
    if ldap.write is None:
        return None
    return _bind_as(ldap.write.bind_dn, ldap.write.password, scope.at("password"))


def _bind_as(dn: str, password: Secret, scope: Scope) -> BindSpec:
    return BindSpec(dn, credentials.referred(scope, password))


def _tls(tls: LdapTlsSection, scope: Scope) -> LdapTls:
    ca = scope.at("ca").path(tls.ca) if tls.ca else None
    certificate = scope.at("certificate").path(tls.certificate) if tls.certificate else None
    key = scope.at("key").path(tls.key) if tls.key else None
    if ca:
        credentials.check_authorities(scope.at("ca"), ca)
    if certificate:
        credentials.check_pair(scope.at("certificate"), certificate, key)
    elif key:
        scope.at("key").key_problem("'key' means nothing without certificate")
    return LdapTls(tls.start_tls, tls.verify, ca, tls.server_name, certificate, key)
