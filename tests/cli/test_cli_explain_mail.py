"""`l7lb explain` for logins and recipients: account, rules, and the server it comes to."""

import argparse
import json
from pathlib import Path

import pytest

from l7lb.cli import explain as verb
from l7lb.cli.explain_mail import AskedMail, full_name
from l7lb.model import ServiceSpec
from l7lb.model_mail import LoginOptions

RULES = """\
pools:
  mail:
    servers:
      - {name: m1, address: 192.0.2.1, ports: {imap: 143, pop3: 110, lmtp: 24}}
      - {name: m2, address: 192.0.2.2, ports: {imap: 143, pop3: 110, lmtp: 24}}
  vip: {servers: {name: v1, address: 192.0.2.3, ports: {imap: 143, lmtp: 24}}}
services:
  imap:
    protocol: imap
    listen: "*:143"
    login: {default_domain: example.org}
    routes:
      - {account: "*@vip.example.org", pool: vip}
      - {account: "*@example.org", from: 198.51.100.0/24, pool: mail}
  other: {protocol: imap, listen: "*:144", routes: {pool: vip}}
  mx:
    protocol: smtp
    listen: "*:25"
    routes:
      - {recipient: "*@vip.example.org", pool: vip}
      - {pool: mail}
  out: {protocol: smtp, listen: "*:26", smtp: {accept_unknown: true}, routes: {pool: mail}}
"""
USERS = """\
users:
  anna@example.org: {server: m2, aliases: [info@example.org]}
  ben@example.org: {attributes: {Room: ["6", "7"]}}
  cleo@example.org: {status: disabled}
  dora@example.org: {server: gone}
  eva@vip.example.org: {}
"""
INSIDE = ("--from", "198.51.100.7")


@pytest.fixture
def rules(tmp_path: Path) -> str:
    (tmp_path / "users.yaml").write_text(USERS)
    path = tmp_path / "cluster.yaml"
    path.write_text(f"directory: {{static: users.yaml}}\n{RULES}")
    return str(path)


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return verb.run(parser.parse_args(words))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    status = run(*words)
    return status, [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_the_server_that_the_directory_gives(
    rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, lines = told(capsys, rules, "imap", "Anna", *INSIDE)
    assert status == 0
    assert lines[0] == "service imap, listening on *:143"
    assert "question login of anna@example.org" in lines
    assert "directory account anna@example.org, active, server m2" in lines
    assert "pool mail" in lines
    assert "✓ m1 usable" in lines
    assert "persistence the directory gives m2" in lines
    assert "choice m2" in lines


def test_an_account_without_a_server_gets_one_by_rendezvous(
    rules: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, lines = told(capsys, rules, "imap", "ben@example.org", *INSIDE)
    assert "directory account ben@example.org, active, no server" in lines
    assert any(line.startswith("scheduler weighted rendezvous") for line in lines)
    [choice] = [line for line in lines if line.startswith("choice")]
    assert choice in {"choice m1", "choice m2"}
    _, delivered = told(capsys, rules, "smtp", "ben@example.org")
    assert choice in delivered, "a delivery goes where the logins go"


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("imap", "nobody"), "refused as a wrong password is"),
        (("smtp", "nobody@example.org"), "refused 550, nobody has this address"),
        (("imap", "cleo"), "refused the account is disabled"),
    ],
)
def test_who_is_refused(
    rules: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], refusal: str
) -> None:
    status, lines = told(capsys, rules, *words)
    assert status == 1
    assert lines[-1] == refusal


def test_a_server_that_the_pool_has_not(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = told(capsys, rules, "imap", "dora", *INSIDE)
    assert (
        "persistence the directory gives gone, which is none of this pool: nobody gets in" in lines
    )
    assert not any(line.startswith("choice") for line in lines)


def test_no_rule(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = told(capsys, rules, "imap", "ben")
    assert status == 1
    assert any("source 127.0.0.1 is not in 198.51.100.0/24" in line for line in lines)
    assert any("account ben@example.org is not *@vip.example.org" in line for line in lines)
    assert lines[-1] == "route none: it is refused"


def test_recipients(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = told(capsys, rules, "smtp", "<Info@example.org>")
    assert "question mail for info@example.org" in lines
    assert "choice m2" in lines
    _, lines = told(capsys, rules, "smtp", "eva@vip.example.org")
    assert "choice v1" in lines
    _, lines = told(capsys, rules, "smtp", "who@example.net", "--service", "out")
    assert "directory knows nobody of this name, which the service accepts" in lines


def test_as_json(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(rules, "imap", "anna", *INSIDE, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["facts"]["account"] == "anna@example.org"
    assert found["question"] == "login of anna@example.org"
    assert found["pools"][0]["choice"] == "m2"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("pop3", "anna"), "there is no service of pop3; there are: none"),
        (("imap", "anna", "--service", "mx"), "no service mx of imap; there are: imap, other"),
        (("imap", " "), "' ' is nobody's name"),
        (("imap", "anna", "--from", "here"), "'here' is no IP address"),
        (("imap", "anna", "-H", "A: b"), "imap has no headers"),
    ],
)
def test_what_cannot_be_asked(
    rules: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], complaint: str
) -> None:
    assert run(rules, *words) == 2
    assert complaint in capsys.readouterr().err


def test_without_a_directory_the_name_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(RULES.partition("  mx:")[0])
    status, lines = told(capsys, str(path), "imap", "ben", *INSIDE)
    assert status == 0
    assert "directory none: the name is taken as it is" in lines


def test_a_directory_that_is_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cluster.yaml"
    ldap = "urls: ['ldapi://%2Fnowhere%2Fldapi'], base: 'dc=x', account: '(mail={account})'"
    limits = "timeouts: {search: 200ms, connect: 200ms}"
    path.write_text(f"directory: {{ldap: {{{ldap}, {limits}}}}}\n{RULES}")
    status, lines = told(capsys, str(path), "imap", "ben", *INSIDE)
    assert status == 0
    assert any(line.startswith("directory away (") for line in lines)
    assert any(line.startswith("choice m") for line in lines)


def test_only_logins_get_the_default_domain() -> None:
    service = ServiceSpec("s", "smtp", (), (), login=LoginOptions(default_domain="example.org"))
    assert full_name(AskedMail("smtp", "postmaster", ""), service) == "postmaster"
    assert full_name(AskedMail("pop3", "anna", ""), service) == "anna@example.org"


def test_the_attribute_that_decides(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    route = '      - {attribute: {room: "7"}, from: 203.0.113.0/24, pool: vip}\n'
    first = '      - {account: "*@vip.example.org", pool: vip}\n'
    text = Path(rules).read_text()
    assert first in text
    Path(rules).write_text(text.replace(first, first + route))
    status, lines = told(capsys, rules, "imap", "ben", "--from", "203.0.113.1")
    assert status == 0
    assert "pool vip" in lines
    assert any(line.startswith("route attribute:room=7 ") for line in lines)
    status, lines = told(capsys, rules, "imap", "anna", "--from", "203.0.113.1")
    assert status == 1
    assert any("attribute room has no value" in line for line in lines)
