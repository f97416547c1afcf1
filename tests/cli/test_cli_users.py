"""`l7lb users`: what is shown, what is asked for, what is refused."""

from __future__ import annotations

import getpass
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from l7lb.cli import users
from l7lb.cli.main import main
from support.slapd import LDAP, Slapd

RULES = """\
pools: {web: {servers: [10.0.0.1:80]}}
services: {www: {protocol: http, listen: "*:80", routes: [{pool: web}]}}
"""
LISTED = """\
account            server  quota  status  aliases
alice@example.org  m1       1GiB  active  @example.net sales@example.org
bob@example.org    m2          -  active  info@example.org
carol@example.org  -           -  active  -
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "users.ldif").write_text((LDAP / "seed.ldif").read_text())
    file = tmp_path / "cluster.yaml"
    file.write_text(f"{RULES}directory: {{static: users.ldif}}\n")
    return file


@pytest.fixture
def run(rules: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    def run_users(*words: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        try:
            code = main(["users", str(rules), *words])
        except SystemExit as stop:
            code = int(str(stop.code))
        found = capsys.readouterr()
        return code, found.out, found.err

    return run_users


def test_list(run: Run) -> None:
    assert run("list") == (0, LISTED, "")
    code, out, _ = run("list", "--server", "m2")
    assert (code, out.count("\n")) == (0, 2)
    code, out, _ = run("list", "--json")
    found = [json.loads(line) for line in out.splitlines()]
    assert [each["account"].partition("@")[0] for each in found] == ["alice", "bob", "carol"]
    assert found[0]["scram"] is True


def test_show(run: Run) -> None:
    code, out, _ = run("show", "alice@example.org")
    assert code == 0
    assert "server       m1\n" in out
    assert "aliases      @example.net, sales@example.org\n" in out
    assert "SSHA" not in out
    code, out, _ = run("show", "alice@example.org", "--json")
    assert json.loads(out)["quota_bytes"] == 2**30
    code, _, err = run("show", "nobody@example.org")
    assert (code, err) == (1, "l7lb users: no account nobody@example.org\n")


def test_a_user_from_birth_to_death(run: Run) -> None:
    added = run(
        "add", "Dora@example.org", "--server", "m2", "--quota", "2GiB", "--alias", "d@example.org",
        typed="brand-new-secret\n",
    )  # fmt: skip
    told = "dora@example.org: active, server m2, quota 2GiB, aliases d@example.org\n"
    assert added == (0, told, "")
    assert run("quota", "dora@example.org", "0")[1] == told.replace(", quota 2GiB", "")
    assert run("server", "dora@example.org", "m1")[1].count("server m1") == 1
    assert run("server", "dora@example.org", "none")[1].count("server") == 0
    changed = run(
        "change", "dora@example.org", "--quota", "1MiB", "--no-alias", "d@example.org",
        "--alias", "e@example.org", "--server", "m3",
    )  # fmt: skip
    assert changed[1] == "dora@example.org: active, server m3, quota 1MiB, aliases e@example.org\n"
    assert run("disable", "dora@example.org")[1].startswith("dora@example.org: disabled")
    assert run("enable", "dora@example.org")[1].startswith("dora@example.org: active")
    assert run("password", "dora@example.org", typed="other-secret")[1].endswith("password set\n")
    assert run("delete", "dora@example.org")[1] == "dora@example.org: deleted\n"
    assert run("list")[1] == LISTED


def test_passwords_are_not_taken_from_the_command_line(run: Run) -> None:
    code, _, err = run("add", "x@example.org", "brand-new-secret")
    assert code == 2
    assert "unrecognized arguments" in err
    code, _, err = run("password", "alice@example.org", typed="short\n")
    assert (code, err) == (1, "l7lb users: a password has at least 8 bytes\n")
    assert run("add", "x@example.org")[0] == 1


def test_a_prompt_asks_twice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal())
    answers = iter(["brand-new-secret", "brand-new-secret", "one-secret", "other-secret"])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(answers))
    assert users.read_password() == b"brand-new-secret"
    with pytest.raises(users.DirectoryRefused, match="differ"):
        users.read_password()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("quota", "alice@example.org", "5"), "is not a size"),
        (("add", "bob@example.org"), "belongs to|is there already"),
        (("server", "alice@example.org", "no server"), "is not the name of a server"),
        (("change", "alice@example.org", "--alias", "bob@example.org"), "belongs to"),
        (("move", "alice@example.org"), "invalid choice"),
    ],
)
def test_refusals(run: Run, words: tuple[str, ...], reason: str) -> None:
    code, _, err = run(*words, typed="brand-new-secret\n")
    assert code in {1, 2}
    assert any(part in err for part in reason.split("|")), err


def test_a_file_without_a_directory(rules: Path, run: Run) -> None:
    rules.write_text(RULES)
    code, _, err = run("list")
    assert (code, err) == (1, f"l7lb users: {rules} names no directory\n")


@pytest.mark.parametrize("verb", [("users",), ("check",)])
def test_a_static_file_with_an_error(rules: Path, verb: tuple[str, ...], capsys) -> None:  # type: ignore[no-untyped-def]
    (rules.parent / "users.ldif").write_text("cn: nobody\n")
    words = (*verb, str(rules), *(["list"] if verb == ("users",) else []))
    assert main(words) == 2
    assert "users.ldif:1:1: an entry begins with its dn" in capsys.readouterr().err


def test_check_of_a_good_directory(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "-q", str(rules)]) == 0
    assert capsys.readouterr() == ("", "")


def test_what_came_from_elsewhere_is_safe_on_a_terminal() -> None:
    assert users.printable("a\x1b[31mb\n") == "a?[31mb?"


def test_on_ldap(run: Run, rules: Path, tmp_path: Path) -> None:
    slapd = Slapd(tmp_path / "slapd").start()
    try:
        (tmp_path / "director.secret").write_text("director-secret\n")
        (tmp_path / "users.secret").write_text("users-secret\n")
        rules.write_text(f"""{RULES}
directory:
  ldap:
    urls: ["{slapd.url}"]
    base: "ou=people,dc=example,dc=org"
    account: "(mail={{account}})"
    bind_dn: "cn=director,ou=services,dc=example,dc=org"
    password: {{file: director.secret}}
    write: {{bind_dn: "cn=users,ou=services,dc=example,dc=org", password: {{file: users.secret}}}}
""")
        assert run("list") == (0, LISTED, "")
        assert run("add", "dora@example.org", typed="brand-new-secret\n")[0] == 0
        assert run("password", "dora@example.org", typed="other-new-secret\n")[0] == 0
        assert run("delete", "dora@example.org")[0] == 0
        (tmp_path / "users.secret").write_text("wrong")
        code, _, err = run("list")
        assert code == 1
        assert "invalid credentials" in err
    finally:
        slapd.stop()
