"""What a rules file means: defaults, inheritance, relations between keys, secrets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.config import load as loading
from l7lb.config.refusal import Refusal
from l7lb.config.texts import path_match, regex
from l7lb.errors import ConfigError
from l7lb.model import (
    Address,
    CheckKind,
    CheckSpec,
    ClusterSpec,
    KeyKind,
    KeySpec,
    ListenTls,
    PathKind,
    PathMatch,
    PersistenceKind,
    PersistenceSpec,
    Place,
    PoolSpec,
    SchedulerKind,
    SchedulerSpec,
    ServerSpec,
    ServerTls,
    ServiceSpec,
    Timeouts,
)

Load = Callable[[str], ClusterSpec]
Complaints = Callable[[str], list[str]]


def pool(settings: str) -> str:
    return f"pools: {{web: {{servers: 10.0.0.1:80, {settings}}}}}"


def service(routes: str, settings: str = "listen: '*:80'") -> str:
    return (
        "pools: {web: {servers: 10.0.0.1:80}}\n"
        f"services: {{www: {{protocol: http, {settings}, routes: {routes}}}}}"
    )


def test_what_is_left_out_has_the_default_of_the_model(load: Load) -> None:
    spec = load(service("[{pool: web}]"))
    server = ServerSpec("10.0.0.1:80", Address("10.0.0.1", 80))
    assert spec.pools["web"] == PoolSpec("web", (server,))
    www = spec.services["www"]
    assert www == replace(ServiceSpec("www", "http", www.listen, www.routes), name="www")
    assert replace(spec, files=()) == ClusterSpec(spec.pools, spec.services)


BLOCK = """\
pools: {web: {servers: 10.0.0.1:80}}
services:
  www:
    protocol: http
    listen: "*:80"
    routes:
      - {host: a.example, path: /x/*, pool: web}
      - pool: web
"""


def test_a_route_knows_its_place(load: Load, tmp_path: Path) -> None:
    places = [route.place for route in load(BLOCK).services["www"].routes]
    assert places == [Place(f"{tmp_path}/rules.yaml", line, 9) for line in (7, 8)]


@pytest.mark.parametrize(
    ("text", "scheduler"),
    [
        ("rr", SchedulerSpec(SchedulerKind.RR)),
        (
            "{hash: path, bound: 1.25}",
            SchedulerSpec(SchedulerKind.HASH, KeySpec(KeyKind.PATH), 1.25),
        ),
        (
            "{hash: {header: X-User}}",
            SchedulerSpec(SchedulerKind.HASH, KeySpec(KeyKind.HEADER, b"x-user")),
        ),
        (
            "{hash: {capture: '^/users/([^/]+)/'}}",
            SchedulerSpec(
                SchedulerKind.HASH,
                KeySpec(KeyKind.CAPTURE, pattern=re.compile(rb"^/users/([^/]+)/")),
            ),
        ),
        ("mh", SchedulerSpec(SchedulerKind.MH)),
        ("{mh: true, bound: 2}", SchedulerSpec(SchedulerKind.MH, bound=2)),
        (
            "{sh: {source: {ipv4: 24}}}",
            SchedulerSpec(SchedulerKind.SH, KeySpec(KeyKind.SOURCE, prefix_length=(24, 128))),
        ),
    ],
)
def test_schedulers(load: Load, text: str, scheduler: SchedulerSpec) -> None:
    assert load(pool(f"scheduler: {text}")).pools["web"].scheduler == scheduler


@pytest.mark.parametrize(
    ("text", "persistence"),
    [
        ("none", None),
        ("off", None),
        ("source", PersistenceSpec(PersistenceKind.HASH, key=KeySpec(KeyKind.SOURCE))),
        ("{cookie: L7LB}", PersistenceSpec(PersistenceKind.COOKIE, b"L7LB")),
        ("{learned: SID}", PersistenceSpec(PersistenceKind.LEARNED, b"SID", timeout_s=1800.0)),
        (
            "{header: X-A}",
            PersistenceSpec(PersistenceKind.HASH, key=KeySpec(KeyKind.HEADER, b"x-a")),
        ),
        (
            "{hash: {cookie: A}}",
            PersistenceSpec(PersistenceKind.HASH, key=KeySpec(KeyKind.COOKIE, b"A")),
        ),
    ],
)
def test_persistence(load: Load, text: str, persistence: PersistenceSpec | None) -> None:
    assert load(pool(f"persistence: {text}")).pools["web"].persistence == persistence


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("tcp", CheckSpec()),
        ("none", CheckSpec(CheckKind.NONE)),
        ("off", CheckSpec(CheckKind.NONE)),
        ("http", CheckSpec(CheckKind.HTTP)),
        (
            "{http: /healthz, every: 2s, rise: 2, fall: 3}",
            CheckSpec(CheckKind.HTTP, path="/healthz"),
        ),
        ("{http: /, status: 204}", CheckSpec(CheckKind.HTTP, statuses=((204, 204),))),
        (
            "{http: /, status: [200-299, 401]}",
            CheckSpec(CheckKind.HTTP, statuses=((200, 299), (401, 401))),
        ),
        ("{tcp: true, every: 1s}", CheckSpec(interval_s=1.0)),
    ],
)
def test_checks(load: Load, text: str, check: CheckSpec) -> None:
    assert load(pool(f"check: {text}")).pools["web"].check == check


def test_an_http_check_goes_by_tls_as_the_pool_does(load: Load) -> None:
    tls = ServerTls(server_name="a.example")
    given = "tls: {server_name: a.example}"
    assert load(pool(f"{given}, check: http")).pools["web"].check.tls == tls
    assert load(pool(f"{given}, check: tcp")).pools["web"].check.tls is None
    assert load(pool(f"{given}, check: {{http: /, tls: none}}")).pools["web"].check.tls is None
    assert load(pool("check: {http: /, tls: true}")).pools["web"].check.tls == ServerTls()


def test_timeouts_of_a_route_stand_on_those_of_the_service(load: Load) -> None:
    spec = load(
        service(
            "[{pool: web, timeouts: {first_byte: 5m}}, {path: /x, pool: web}]",
            "listen: '*:80', timeouts: {connect: 1s}",
        )
    )
    www = spec.services["www"]
    assert www.timeouts == Timeouts(connect_s=1.0)
    assert www.routes[0].timeouts == Timeouts(connect_s=1.0, first_byte_s=300.0)
    assert www.routes[1].timeouts is None


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("/", PathMatch(PathKind.EXACT, b"/")),
        ("/x", PathMatch(PathKind.EXACT, b"/x")),
        ("/x/", PathMatch(PathKind.EXACT, b"/x/")),
        ("/*", PathMatch(PathKind.PREFIX, b"")),
        ("/x/*", PathMatch(PathKind.PREFIX, b"/x")),
        ("/x//*", PathMatch(PathKind.PREFIX, b"/x/")),
        ("/%7ea%c3%a9", PathMatch(PathKind.EXACT, b"/~a%C3%A9")),
        ("/é", PathMatch(PathKind.EXACT, b"/%C3%A9")),
        ("~ /x", PathMatch(PathKind.REGEX, b"", re.compile(rb"/x"))),
        ("~/(x)*", PathMatch(PathKind.REGEX, b"", re.compile(rb"/(x)*"))),
    ],
)
def test_paths(text: str, match: PathMatch) -> None:
    assert path_match(text) == match


@pytest.mark.parametrize(
    "text", ["(", "[", "(?P<a", "(?<=a*)b", "a{99999999999}", "(" * 3000, "[[a]]", "x" * 5000, "\\"]
)
def test_what_is_no_regular_expression(text: str) -> None:
    with pytest.raises(Refusal, match=r"no regular expression|longer than"):
        regex(text)


@pytest.mark.parametrize(
    ("routes", "names"),
    [
        ("[{pool: web}]", ["*"]),
        (
            "[{host: [A.example, '*.b.example'], path: /x/*, pool: web}]",
            ["a.example,*.b.example/x/*"],
        ),
        ("[{method: [GET, HEAD], from: 10.0.0.0/8, pool: web}]", ["GET,HEAD from:10.0.0.0/8"]),
        (
            '[{header: {X: b, y: true}, query: {q: {regex: a+}}, cookie: {c: "\\n"}, reply: 404}]',
            ["header:x=b header:y query:q~a+ cookie:c=\\x0a"],
        ),
        ("[{name: mine, path: /a, pool: web}]", ["mine"]),
    ],
)
def test_names_of_routes(load: Load, routes: str, names: list[str]) -> None:
    assert [route.name for route in load(service(routes)).services["www"].routes] == names


def test_long_names_of_routes_are_cut_and_stay_apart(load: Load) -> None:
    start = "/" + "x" * 300
    routes = load(service(f"[{{path: {start}a, pool: web}}, {{path: {start}b, pool: web}}]"))
    one, other = (route.name for route in routes.services["www"].routes)
    assert one != other
    assert len(one) == len(other) == 209


def test_a_tie_names_both_lines(complaints: Complaints) -> None:
    [found] = complaints(BLOCK + "      - {path: /x/*, host: A.EXAMPLE, reply: 404}\n")
    assert found.startswith(
        "rules.yaml:9:9: this route and the one in line 7 match exactly the sam"
    )


def test_a_collision_over_two_files_names_both(tmp_path: Path, complaints: Complaints) -> None:
    (tmp_path / "more.yaml").write_text(BLOCK.replace("www", "other").replace("web", "more"))
    found = complaints("include: more.yaml\n" + BLOCK.replace("path: /x/*, ", ""))
    assert found == ["more.yaml:5:13: *:80 is taken by *:80 at rules.yaml:6:13"]


def test_listeners_of_two_services_collide(complaints: Complaints) -> None:
    text = service("[{pool: web}]", "listen: ['*:80', '10.0.0.1:443']")[:-1]
    found = complaints(
        text + ", b: {protocol: http, listen: ['0.0.0.0:443'], routes: [{pool: web}]}}"
    )
    assert found == ["rules.yaml:2:121: 0.0.0.0:443 is taken by 10.0.0.1:443 at rules.yaml:2:51"]


def test_port_0_and_the_other_family_never_collide(load: Load) -> None:
    listen = "listen: ['127.0.0.1:0', '127.0.0.1:0', '0.0.0.0:80', '[::]:80']"
    assert len(load(service("[{pool: web}]", listen)).services["www"].listen) == 4


def test_a_pool_whose_weights_are_all_0_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("pools: {web: {servers: [{address: 10.0.0.1:80, weight: 0}]}}")
    loaded = loading.load(path)
    assert [str(warning) for warning in loaded.warnings] == [
        f"{path}:1:24: every server has weight 0: the pool takes no new sessions"
    ]


# --------------------------------------------------------------------------- secrets, certificates


def test_a_secret_comes_from_a_file_or_the_environment(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(b"0123456789abcdef\r\n")
    monkeypatch.setenv("L7LB_TEST_SECRET", "fedcba9876543210")
    for where, value in (
        ("file: secret", b"0123456789abcdef"),
        ("env: L7LB_TEST_SECRET", b"fedcba9876543210"),
    ):
        assert load(f"director: {{cookie_secret: {{{where}}}}}").director.cookie_secret == value


@pytest.mark.parametrize(
    ("secret", "problem"),
    [
        (
            "abcdefghijklmnopqrst",
            "a secret never stands in the rules file (write {file: PATH} or {env: NAME})",
        ),
        ("{file: missing}", "missing cannot be read: no such file or directory"),
        ("{file: short}", "the secret is shorter than 16 bytes"),
        ("{env: L7LB_NOT_SET}", "the environment variable L7LB_NOT_SET is not set"),
        ("{env: A-B}", "'A-B' is not the name of a variable"),
        ("{}", "a secret has exactly one of file and env"),
        ("{value: x}", "unknown key 'value'"),
    ],
)
def test_secrets_that_cannot_be_had(
    complaints: Complaints, tmp_path: Path, secret: str, problem: str
) -> None:
    (tmp_path / "short").write_text("short")
    [found] = complaints(f"director: {{cookie_secret: {secret}}}")
    assert problem in found


def listener(tls: str) -> str:
    return service("[{pool: web}]", f"listen: [{{address: '*:443', tls: {tls}}}]")


@pytest.mark.parametrize(
    "tls", ["certs/www.pem", "[certs/www.pem]", "{certificates: [certs/www.pem]}"]
)
def test_one_certificate_in_every_form(load: Load, folder: Path, tls: str) -> None:
    listen = load(listener(tls)).services["www"].listen[0]
    assert listen.tls is not None
    assert [pair.chain for pair in listen.tls.certificates] == [f"{folder}/certs/www.pem"]
    assert listen.tls == ListenTls(listen.tls.certificates)


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        ("certs/missing.pem", "certs/missing.pem cannot be read"),
        ("certs", "certs cannot be read: it is not a regular file"),
        ("secret", "cannot be used"),
        ("certs/client.pem", "cannot be used"),
        ("{certificates: {chain: certs/www.pem, key: certs/client.key}}", "key values mismatch"),
        ("{certificates: {chain: certs/www.pem, key: encrypted.key}}", "cannot be used"),
        ("{certificates: certs/www.pem, client_ca: secret}", "holds no usable certificates"),
        ("{certificates: certs/www.pem, ciphers: NOT-A-CIPHER}", "OpenSSL knows none of these"),
        (
            "{certificates: certs/www.pem, client_required: false}",
            "means nothing without client_ca",
        ),
    ],
)
def test_certificates_that_cannot_be_used(
    complaints: Complaints, folder: Path, tls: str, problem: str
) -> None:
    (folder / "encrypted.key").write_text(
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n"
        "-----END RSA PRIVATE KEY-----\n"
    )
    [found] = complaints(listener(tls))
    assert problem in found


def test_all_problems_come_at_once_and_in_order(complaints: Complaints) -> None:
    found = complaints(
        service(
            "[{pool: wbe}, {path: x, pool: web}, {path: /y, pol: web}]", "listen: [], backlog: 1"
        )
    )
    places = [tuple(map(int, line.split(":")[1:3])) for line in found]
    assert places == sorted(places)
    assert len(found) == 5


def test_the_error_knows_its_problems(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load("pools: {web: {servers: 10.0.0.1:80, wieght: 1}}")
    [problem] = caught.value.problems
    assert (problem.place.line, problem.place.column) == (1, 37)
    assert problem.message == "unknown key 'wieght'"
    assert problem.hint.startswith("known keys: servers, scheduler")
