"""`l7lb explain`: the question is read, the listener chosen, and the answer told whole."""

import argparse
import json
from pathlib import Path

import pytest

from l7lb.cli import explain as verb
from l7lb.cli.explain_http import NotAskable, read_header, read_url
from l7lb.director.paths import SECRET_FILE
from l7lb.persistence.cookie import token

RULES = """\
pools:
  web: {servers: [192.0.2.1:80, 192.0.2.2:80, {address: "origin.example.net:80", backup: true}],
        persistence: {cookie: L7LB}}
  canary: {servers: [192.0.2.3:80]}
services:
  www:
    protocol: http
    listen: ["*:80", {address: "127.0.0.2:8080"}]
    http: {trusted_proxies: [10.0.0.0/8]}
    routes:
      - {path: /old/*, redirect: {to: "/new/{1}?{query}", status: 308}}
      - {path: /api/*, method: [POST, PUT], pool: {web: 90, canary: 10}}
      - {path: /api/*, header: {x-env: test}, pool: canary}
      - {path: /inside, from: 198.51.100.0/24, pool: canary}
      - {host: only.example.org, pool: web}
  other:
    protocol: http
    listen: "127.0.0.3:8080"
    routes:
      - {pool: canary}
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text(RULES)
    return str(path)


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    verb.configure(parser)
    return verb.run(parser.parse_args(words))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    status = run(*words)
    lines = capsys.readouterr().out.splitlines()
    return status, [" ".join(line.split()) for line in lines]


def asked_json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    run(*words, "--json")
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def test_a_request_that_a_pool_takes(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = told(capsys, rules, "POST", "http://www.example.org/api/v1?x=1")
    assert status == 0
    assert lines[0] == "service www, listening on *:80"
    assert "request POST www.example.org/api/v1?x=1" in lines
    assert any(line.startswith("✓") and "every condition holds" in line for line in lines)
    assert any("host www.example.org is not only.example.org" in line for line in lines)
    assert "pool web, 90 % of requests" in lines
    assert "pool canary, 10 % of requests" in lines
    assert "✓ 192.0.2.1:80 usable" in lines
    assert any(line.startswith("✗ origin.example.net:80 backup") for line in lines)
    assert "persistence no cookie L7LB" in lines
    assert any(line.startswith("scheduler wlc chooses among 2") for line in lines)
    assert not any("- " in line[:2] for line in lines), "no other rule holds"


def test_a_rule_that_holds_too_is_told(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = told(capsys, rules, "PUT", "http://www.example.org/api/v1", "-H", "X-Env: test")
    assert status == 0
    assert any(line.startswith("-") and "it names a method" in line for line in lines)


def test_a_redirect_and_its_location(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = told(capsys, rules, "GET", "http://www.example.org/%6Fld/a%20b?q")
    assert status == 0
    assert "action redirect with 308 to /new/a%20b?q" in lines


def test_persistence_by_cookie_with_the_secret_of_the_director(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(f"director: {{state: {tmp_path}}}\n{RULES}")
    words = (str(path), "GET", "http://only.example.org/", "-H")
    unknown = "(the secret of the director is not known here: our cookies miss)"
    assert unknown in told(capsys, *words, "Cookie: L7LB=x")[1]
    (tmp_path / SECRET_FILE).write_bytes(bytes(32))
    value = token(bytes(32), "web", "192.0.2.2:80").decode()
    _, lines = told(capsys, *words, f"Cookie: L7LB={value}")
    assert "persistence cookie L7LB points to 192.0.2.2:80" in lines
    assert "choice 192.0.2.2:80" in lines
    assert unknown not in lines


def test_no_rule(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = told(capsys, rules, "GET", "http://www.example.org/api/x")
    assert status == 1
    assert any("method GET is not one of POST, PUT" in line for line in lines)
    assert any("header X-Env is absent" in line for line in lines)
    assert "route none: the answer is 404" in lines


def test_a_head_that_is_refused(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, lines = told(capsys, rules, "GET", "http://www.example.org/a%00b")
    assert status == 1
    assert any(line.startswith("refused 400") for line in lines)
    assert "rules, in the order tried:" not in lines


@pytest.mark.parametrize(
    ("words", "route"),
    [
        (("--from", "198.51.100.7"), True),
        (("--from", "198.51.101.7"), False),
        (("--from", "10.1.1.1", "-H", "X-Forwarded-For: 198.51.100.7"), True),
        (("--from", "192.0.2.99", "-H", "X-Forwarded-For: 198.51.100.7"), False),
    ],
)
def test_the_source_is_the_clients(
    rules: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], route: bool
) -> None:
    found = asked_json(capsys, rules, "GET", "http://www.example.org/inside", *words)
    assert (found["route"] is not None) is route


@pytest.mark.parametrize(
    ("url", "words", "service", "listener"),
    [
        ("http://www.example.org/", (), "www", "*:80"),
        ("http://www.example.org:8080/", (), "www", "127.0.0.2:8080"),
        ("http://127.0.0.3:8080/", (), "other", "127.0.0.3:8080"),
        ("http://www.example.org/", ("--service", "other"), "other", "127.0.0.3:8080"),
    ],
)
def test_the_listener(
    rules: str,
    capsys: pytest.CaptureFixture[str],
    url: str,
    words: tuple[str, ...],
    service: str,
    listener: str,
) -> None:
    found = asked_json(capsys, rules, "GET", url, *words)
    assert (found["service"], found["listener"]) == (service, listener)


def test_json_has_everything(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = asked_json(capsys, rules, "GET", "http://ONLY.example.org/")
    assert found["facts"] == {
        "method": "GET",
        "host": "only.example.org",
        "path": "/",
        "query": "",
        "source": "127.0.0.1",
        "sni": "",
    }
    trials = found["trials"]
    assert isinstance(trials, list)
    assert len(trials) == 5
    assert [trial["matched"] for trial in trials] == [True, False, False, False, False]
    pools = found["pools"]
    assert isinstance(pools, list)
    assert [pool["name"] for pool in pools] == ["web"]
    assert [server["usable"] for server in pools[0]["servers"]] == [True, True, False]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("GET", "https://www.example.org/"), "nothing listens for https on port 443"),
        (("GET", "http://www.example.org/", "--service", "x"), "there is no service x"),
        (("GET", "ftp://www.example.org/"), "neither http:// nor https://"),
        (("GET", "http://www.example.org/", "-H", "x"), "'x' is not 'Name: value'"),
    ],
)
def test_a_wrong_question(
    rules: str, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str
) -> None:
    assert run(rules, *words) == 2
    assert problem in capsys.readouterr().err


def test_a_wrong_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("services: {www: {protocol: http, listen: '*:80', routes: [{pool: no}]}}\n")
    assert run(str(path), "GET", "http://a/") == 2
    assert "cluster.yaml:1:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("http://a", ("http", "a", 80, "/")),
        ("HTTPS://A/b?c#d", ("https", "A", 443, "/b?c")),
        ("http://a:81?x", ("http", "a", 81, "/?x")),
        ("http://[::1]/x", ("http", "[::1]", 80, "/x")),
        ("http://[::1]:8080", ("http", "[::1]", 8080, "/")),
    ],
)
def test_urls(url: str, read: tuple[str, str, int, str]) -> None:
    assert read_url(url) == read


@pytest.mark.parametrize(
    "url", ["a", "http://", "http:///x", "http://a:0/", "http://a:b/", "http://a:65536/",
            "http://a/b c", "http://a/\r\nX: y"]
)  # fmt: skip
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(NotAskable):
        read_url(url)


def test_headers() -> None:
    assert read_header("X-A:  b:c ") == ("X-A", "b:c")
    for bad in ("", ":x", "x", "a: b\r\nc: d"):
        with pytest.raises(NotAskable):
            read_header(bad)
