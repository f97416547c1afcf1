"""`directory:` from the words of the file to the specification and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.config import load as loading
from l7lb.config.diff import diff
from l7lb.config.effective import to_yaml
from l7lb.config.effective_directory import directory_tree, secrets
from l7lb.config.load import load_cluster
from l7lb.config.refusal import Refusal
from l7lb.config.texts_ldap import attribute, catch_filter, dn, optional_attribute, url
from l7lb.model import ClusterSpec
from l7lb.model_directory import (
    CacheSpec,
    EntrySpec,
    HashKind,
    LdapSpec,
    LdapTimeouts,
    LdapTls,
    PasswordCheck,
    Role,
    SecretSpec,
    StaticSpec,
)

Load = Callable[[str], ClusterSpec]
Complaints = Callable[[str], list[str]]

A, A636 = "'ldaps://a'", "'ldaps://a:636'"
LEAST = "urls: 'ldaps://a', base: 'dc=x', account: '(mail={account})'"


def ldap(load: Load, more: str = "") -> LdapSpec:
    spec = load(f"directory: {{ldap: {{{LEAST}{more}}}}}").directory
    assert isinstance(spec, LdapSpec)
    return spec


def test_the_least(load: Load) -> None:
    spec = ldap(load)
    assert [(str(each.url), each.role) for each in spec.replicas] == [("ldaps://a:636", Role.BOTH)]
    assert spec.recipient.text == "(|(mail={address})(mailLocalAddress={address}))"
    assert spec.catch is not None
    assert spec.catch.text == "(mailLocalAddress=@{domain})"
    assert spec.listing.text == "(mail=*)"
    assert (spec.entry, spec.tls, spec.bind, spec.write) == (EntrySpec(), LdapTls(), None, None)
    assert (spec.timeouts, spec.cache) == (LdapTimeouts(), CacheSpec())
    assert (spec.check, spec.hash) == (PasswordCheck.AUTO, HashKind.SERVER)


def test_without_aliases(load: Load) -> None:
    spec = ldap(load, ", aliases: none, server: none")
    assert (spec.recipient.text, spec.catch) == ("(mail={address})", None)
    assert (spec.entry.aliases, spec.entry.server) == ("", "")


def test_short_forms(load: Load) -> None:
    assert ldap(load, ", tls: starttls").tls == LdapTls(start_tls=True)
    assert ldap(load, ", catch: none").catch is None
    assert ldap(load, ", kept: [a, b]").entry.kept == ("a", "b")


def test_no_directory(load: Load) -> None:
    assert load("pools: {}").directory is None


def test_secrets_by_reference(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("short\n")
    monkeypatch.setenv("L7LB_LDAP", "from-the-environment")
    more = ", bind_dn: 'cn=a', password: {file: secret}"
    more += ", write: {bind_dn: 'cn=b', password: {env: L7LB_LDAP}}"
    spec = ldap(load, more)
    assert spec.bind is not None
    assert spec.bind.password == SecretSpec(b"short", str(tmp_path / "secret"))
    assert spec.write is not None
    assert spec.write.password == SecretSpec(b"from-the-environment", "", "L7LB_LDAP")
    assert secrets(spec) == {
        "ldap.password": b"short",
        "ldap.write.password": b"from-the-environment",
    }
    whole = ClusterSpec({}, {}, directory=spec)
    for shown in (repr(whole), to_yaml(whole), str(directory_tree(spec))):
        assert "short" not in shown
        assert "from-the-environment" not in shown
    (tmp_path / "again.yaml").write_text(to_yaml(whole))
    assert load_cluster(tmp_path / "again.yaml").directory == spec


def test_a_changed_secret_is_told_and_not_shown(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("one-secret")
    more = ", bind_dn: 'cn=a', password: {file: secret}"
    old = ClusterSpec({}, {}, directory=ldap(load, more))
    (tmp_path / "secret").write_text("two-secret")
    new = ClusterSpec({}, {}, directory=ldap(load, more))
    assert [str(each) for each in diff(old, new)] == [
        "changed directory directory: ldap.password changed"
    ]
    assert diff(old, old) == []


def test_changes(load: Load, tmp_path: Path) -> None:
    (tmp_path / "users.yaml").write_text("users: {}")
    none = ClusterSpec({}, {})
    one = ClusterSpec({}, {}, directory=ldap(load))
    two = replace(one, directory=replace(ldap(load), queue=5))
    static = load("directory: {static: users.yaml}")
    assert [str(each) for each in diff(none, one)] == ["added directory directory"]
    assert [str(each) for each in diff(one, none)] == ["removed directory directory"]
    assert [str(each) for each in diff(one, two)] == [
        "changed directory directory: ldap.queue 1024 → 5"
    ]
    [change] = diff(one, static)
    assert "static.hash none → scram-sha-256" in change.details


def test_static(load: Load, tmp_path: Path) -> None:
    (tmp_path / "users.yaml").write_text("users: {}")
    file = str(tmp_path / "users.yaml")
    assert load("directory: {static: users.yaml}").directory == StaticSpec(file)
    spec = load("directory: {static: {file: users.yaml, hash: argon2}}").directory
    assert spec == StaticSpec(file, HashKind.ARGON2)


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("directory: 5", ["1:12: directory is not a mapping (such as {static: users.yaml})"]),
        ("directory: {}", ["1:12: a directory has exactly one of ldap and static"]),
        (
            "directory: {ldpa: {}}",
            ["1:13: unknown key 'ldpa' (did you mean 'ldap'?; known keys: ldap, static)"],
        ),
        (
            "directory: {static: none.yaml}",
            ["1:21: none.yaml cannot be read: no such file or directory"],
        ),
        (
            "directory: {ldap: {urls: 'ldaps://a'}}",
            ["1:13: key 'base' is missing", "1:13: key 'account' is missing"],
        ),
        (
            f"directory: {{ldap: {{{LEAST}, bind_dn: 'cn=a'}}}}",
            ["1:91: bind_dn has no password (write password: {file: PATH})"],
        ),
        (
            f"directory: {{ldap: {{{LEAST}, password: {{env: NONE_SUCH}}}}}}",
            ["1:82: a password without bind_dn is nobody's"],
        ),
        (
            f"directory: {{ldap: {{{LEAST}, bind_dn: 'cn=a', password: {{env: NONE_SUCH}}}}}}",
            ["1:115: the environment variable NONE_SUCH is not set"],
        ),
        (
            f"directory: {{ldap: {{{LEAST}, tls: {{key: a.key}}}}}}",
            ["1:88: 'key' means nothing without certificate"],
        ),
        (
            f"directory: {{ldap: {{{LEAST}, tls: {{ca: none.pem}}}}}}",
            ["1:92: none.pem cannot be read: no such file or directory"],
        ),
        (
            f"directory: {{ldap: {{{LEAST}, timeouts: {{retry: 5s, retry_max: 1s}}}}}}",
            ["1:115: retry_max is shorter than retry"],
        ),
        (
            "directory: {ldap: {urls: [], base: 'dc=x', account: '(mail={account})'}}",
            ["1:20: ldap has no urls (such as ldap://10.0.5.1)"],
        ),
        (
            f"directory: {{ldap: {{{LEAST.replace(A, f'[{A}, {A636}]')}}}}}",
            ["1:40: ldaps://a:636 stands here twice"],
        ),
        (
            f"directory: {{ldap: {{{LEAST.replace(A, f'{{url: {A}, role: write}}')}}}}}",
            ["1:26: no server is there for look-ups (one has the role read or both)"],
        ),
    ],
)  # fmt: skip
def test_wrong(complaints: Complaints, text: str, problems: list[str]) -> None:
    found = [each.removeprefix("rules.yaml:") for each in complaints(text)]
    assert found == problems


@pytest.mark.parametrize(
    ("server", "more", "is_warned"),
    [
        ("ldap://a", "", True),
        ("ldap://a", ", tls: starttls", False),
        ("ldaps://a", "", False),
        ("ldap://127.0.0.1", "", False),
        ("ldap://[::1]", "", False),
        ("ldap://localhost", "", False),
        ("ldapi://%2Frun%2Fldapi", "", False),
    ],
)
def test_plain_text_is_warned_of(tmp_path: Path, server: str, more: str, is_warned: bool) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(f"directory: {{ldap: {{{LEAST.replace('ldaps://a', server)}{more}}}}}")
    told = [str(each) for each in loading.load(file).warnings]
    warning = f"passwords travel to {server}:389 in plain text (use ldaps:, or tls: starttls)"
    assert told == ([f"{file}:1:26: {warning}"] if is_warned else [])


@pytest.mark.parametrize("read", [url, dn, attribute, optional_attribute, catch_filter])
@pytest.mark.parametrize("value", [5, True, None, [], "", "((", "\0"])
def test_readers_refuse(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(Refusal):
        read(value)
