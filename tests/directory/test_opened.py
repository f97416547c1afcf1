"""From a specification to a directory, and what is said when it cannot be."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.directory.opened import check_directory, check_installed, open_directory
from l7lb.errors import ConfigError, DirectoryRefused
from l7lb.model_directory import LdapTls, StaticSpec
from support.directories import ldap_spec
from support.slapd import LDAP, Slapd

STATIC = StaticSpec(str(LDAP / "seed.ldif"))


def without_python_ldap(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a checkout: the folder `ldap/` is found, and nothing in it."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {"ldap", "_ldap"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "l7lb.directory.libldap", raising=False)
    monkeypatch.delattr("l7lb.directory.libldap", raising=False)
    monkeypatch.setitem(sys.modules, "_ldap", None)
    monkeypatch.setitem(sys.modules, "ldap.controls", None)


async def test_ldap(slapd: Slapd) -> None:
    opened = open_directory(ldap_spec(slapd.url))
    assert await opened.directory.account("alice@example.org")
    assert (await opened.users.show("alice@example.org")).server == "m1"
    await opened.directory.close()


async def test_static() -> None:
    opened = open_directory(STATIC)
    assert await opened.directory.account("alice@example.org")
    assert (await opened.users.show("alice@example.org")).server == "m1"
    await opened.directory.close()


async def test_without_python_ldap_the_extra_is_named(
    slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_python_ldap(monkeypatch)
    for ask in (check_installed, check_directory, open_directory):
        with pytest.raises(DirectoryRefused, match=r"pip install 'l7lb\[ldap\]'"):
            ask(ldap_spec(slapd.url))


async def test_without_python_ldap_the_static_directory_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_python_ldap(monkeypatch)
    check_directory(STATIC)
    check_directory(None)
    assert await open_directory(STATIC).directory.verify("bob@example.org", b"bob-secret")


async def test_tls_files_that_are_gone(slapd: Slapd) -> None:
    tls = LdapTls(ca="/nonexistent/ca.pem")
    with pytest.raises(DirectoryRefused, match=r"directory.ldap.tls"):
        open_directory(replace(ldap_spec(slapd.url), tls=tls))


def test_a_static_file_is_read_by_check(tmp_path: Path) -> None:
    (tmp_path / "users.yaml").write_text("users: [")
    with pytest.raises(ConfigError, match="not YAML"):
        check_directory(StaticSpec(str(tmp_path / "users.yaml")))
