"""A specification of a directory in the words of the rules file, every key given.

Secrets are named by where they were read; the words load again to an equal specification.
"""

from __future__ import annotations

from l7lb.config.nodes import Plain
from l7lb.config.units import format_duration
from l7lb.model_directory import (
    BindSpec,
    CacheSpec,
    DirectorySpec,
    EntrySpec,
    LdapSpec,
    LdapTimeouts,
    LdapTls,
    SecretSpec,
    StaticSpec,
)

NONE = "none"


def directory_tree(spec: DirectorySpec) -> dict[str, Plain]:
    if isinstance(spec, StaticSpec):
        return {"static": {"file": spec.file, "hash": spec.hash.value}}
    return {"ldap": _ldap(spec)}


def secrets(spec: DirectorySpec | None) -> dict[str, bytes]:
    """By the key of the rules file, to tell whether one changed."""
    if not isinstance(spec, LdapSpec):
        return {}
    named = {"ldap.password": spec.bind, "ldap.write.password": spec.write}
    return {key: bind.password.value for key, bind in named.items() if bind}


def _ldap(spec: LdapSpec) -> dict[str, Plain]:
    found: dict[str, Plain] = {
        "urls": [{"url": str(each.url), "role": each.role.value} for each in spec.replicas],
        "base": spec.base,
        "account": spec.account.text,
        "recipient": spec.recipient.text,
        "catch": spec.catch.text if spec.catch else NONE,
        "listing": spec.listing.text,
        "scope": "subtree" if spec.subtree else "one",
        **_entry(spec.entry),
        "object_classes": [*spec.object_classes],
        **(_bind(spec.bind) if spec.bind else {}),
        **({"write": _bind(spec.write)} if spec.write else {}),
        "tls": _tls(spec.tls),
        "check": spec.check.value,
        "hash": spec.hash.value,
        "connections": spec.connections,
        "outstanding": spec.outstanding,
        "bind_connections": spec.bind_connections,
        "queue": spec.queue,
        "page": spec.page,
        "timeouts": _timeouts(spec.timeouts),
        "cache": _cache(spec.cache),
    }
    return found


def _bind(spec: BindSpec) -> dict[str, Plain]:
    return {"bind_dn": spec.dn, "password": secret_tree(spec.password)}


def secret_tree(spec: SecretSpec) -> dict[str, Plain]:
    return {"file": spec.file} if spec.file else {"env": spec.env}


def _entry(spec: EntrySpec) -> dict[str, Plain]:
    return {
        "name": spec.name,
        "aliases": spec.aliases or NONE,
        "server": spec.server or NONE,
        "quota": spec.quota or NONE,
        "status": spec.status or NONE,
        "disabled": [*spec.disabled],
        "password_attributes": [*spec.passwords],
        "kept": [*spec.kept],
    }


def _tls(spec: LdapTls) -> dict[str, Plain]:
    optional = {"ca": spec.ca, "server_name": spec.server_name}
    optional |= {"certificate": spec.certificate, "key": spec.key}
    found: dict[str, Plain] = {"start_tls": spec.start_tls, "verify": spec.verify}
    return found | {key: value for key, value in optional.items() if value is not None}


def _timeouts(spec: LdapTimeouts) -> dict[str, Plain]:
    names = (name.removesuffix("_s") for name in LdapTimeouts.__dataclass_fields__)
    return {name: format_duration(getattr(spec, f"{name}_s")) for name in names}


def _cache(spec: CacheSpec) -> dict[str, Plain]:
    return {
        "accounts": format_duration(spec.positive_s),
        "unknown": format_duration(spec.negative_s),
        "stale": format_duration(spec.stale_s),
        "limit": spec.limit,
    }
