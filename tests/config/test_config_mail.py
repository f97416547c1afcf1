"""Mail services, their pools and routes, from the words of the file to the specification."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from l7lb.config.compile_mail import ALPN, PORTS, TIMEOUTS
from l7lb.config.diff import diff
from l7lb.config.effective import to_yaml
from l7lb.config.load import load as load_rules
from l7lb.config.schema_cluster import PROTOCOLS
from l7lb.config.schema_mail import Mechanism
from l7lb.errors import ConfigError
from l7lb.model import (
    Address,
    ClusterSpec,
    LogFormat,
    ServerSpec,
    ServerTls,
    ServiceSpec,
    ValueMatch,
)
from l7lb.model_mail import (
    Auth,
    GreylistSpec,
    LoginOptions,
    PenaltySpec,
    RateKey,
    RateSpec,
    SmtpOptions,
)
from l7lb_protocols.sasl.offer import MECHANISMS

Load = Callable[[str], ClusterSpec]
Complaints = Callable[[str], list[str]]

POOLS = """\
pools:
  mail:
    servers: {name: m1, address: 10.0.4.1, ports: {imap: 143, pop3: 110, lmtp: 24, smtp: 25}}
    persistence: account
  web: {servers: 10.0.1.1:80}
directory: {static: users.yaml}
services:
"""
IMAP = "imap: {protocol: imap, listen: '*:143', routes: {pool: mail}"


@pytest.fixture(autouse=True)
def users(tmp_path: Path) -> None:
    (tmp_path / "users.yaml").write_text("users: {}\n")


@pytest.fixture
def service(load: Load) -> Callable[[str], ServiceSpec]:
    """The one service of a file with this text below `services:`."""

    def compiled(text: str) -> ServiceSpec:
        [found] = load(f"{POOLS}  {text}\n").services.values()
        return found

    return compiled


Service = Callable[[str], ServiceSpec]


# --------------------------------------------------------------------------- services


def test_what_the_manual_shows(load: Load) -> None:
    text = """\
  imap:
    protocol: imap
    listen: "*:143"
    routes: [{account: "*@VIP.example.org", pool: mail}, {pool: mail}]
  pop:  {protocol: pop3, listen: "*:110", routes: {pool: mail}}
  mx:   {protocol: smtp, listen: "*:25", routes: [{recipient: "*@example.org", pool: mail}]}
"""
    services = load(POOLS + text).services
    assert services["imap"].routes[0].match.accounts == (b"*@vip.example.org",)
    assert services["mx"].routes[0].match.recipients == (b"*@example.org",)
    assert (services["pop"].login, services["mx"].smtp) == (LoginOptions(), SmtpOptions())


@pytest.mark.parametrize(
    ("protocol", "keep_alive_s", "tunnel_idle_s"),
    [("imap", 60.0, 2100.0), ("pop3", 60.0, 2100.0), ("smtp", 300.0, 2100.0)],
)
def test_timeouts_of_mail(
    service: Service, protocol: str, keep_alive_s: float, tunnel_idle_s: float
) -> None:
    rest = "listen: '*:1', routes: {pool: mail}"
    found = service(f"s: {{protocol: {protocol}, {rest}}}").timeouts
    assert (found.keep_alive_s, found.tunnel_idle_s) == (keep_alive_s, tunnel_idle_s)
    given = "timeouts: {keep_alive: 7s, tunnel_idle: 1h}"
    found = service(f"s: {{protocol: {protocol}, {given}, {rest}}}").timeouts
    assert (found.keep_alive_s, found.tunnel_idle_s) == (7.0, 3600.0)
    assert found.connect_s == 5.0


def test_imap_that_cuts_idle_off_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    warnings = []
    for idle, protocol in (("29m", "imap"), ("30m", "imap"), ("5m", "pop3")):
        head = f"s: {{protocol: {protocol}, listen: '*:1', routes: {{pool: mail}}"
        path.write_text(f"{POOLS}  {head}, timeouts: {{tunnel_idle: {idle}}}}}\n")
        warnings += [problem.message for problem in load_rules(path).warnings]
    assert warnings == ["clients in IDLE are cut off"]


def test_options_of_login(service: Service) -> None:
    login = service(
        f"{IMAP}, login: {{mechanisms: LOGIN, default_domain: Example.org, penalty: none,"
        " trusted: 10.0.0.1, max_sessions: 0, spread: 0}}"
    ).login
    assert login == LoginOptions(
        mechanisms=("LOGIN",),
        default_domain="example.org",
        penalty=PenaltySpec(delays_s=()),
        trusted=("10.0.0.1/32",),
        max_sessions=0,
        spread_s=0.0,
    )


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("{auth: required}", SmtpOptions(auth=Auth.REQUIRED)),
        ("{greylist: true}", SmtpOptions(greylist=GreylistSpec())),
        ("{greylist: none}", SmtpOptions()),
        ("{message: 1MiB}", SmtpOptions(message_bytes=1 << 20)),
        (
            "{rates: {source: 100/1h}}",
            SmtpOptions(rates=(RateSpec(RateKey.SOURCE, 100, 3600.0),)),
        ),
        (
            "{rates: [{key: sender, count: 3, per: 1m}, {recipient: 5/1500ms}]}",
            SmtpOptions(
                rates=(RateSpec(RateKey.SENDER, 3, 60.0), RateSpec(RateKey.RECIPIENT, 5, 1.5))
            ),
        ),
    ],
)
def test_options_of_smtp(service: Service, text: str, options: SmtpOptions) -> None:
    rest = "listen: '*:25', routes: {pool: mail}"
    assert service(f"mx: {{protocol: smtp, smtp: {text}, {rest}}}").smtp == options


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{source: 100}", "100 is not a rate (such as 100/1h)"),
        ("{source: x/1h}", "'x/1h' is not a rate (such as 100/1h)"),
        ("{source: 1/1m, sender: 1/1m}", "a rate has one key (write a list: one rate, one item)"),
        ("{source: 0/1m}", "0 is out of range (at least 1)"),
        ("{source: 1/0}", "'0' is not a duration (such as 250ms, 2s, 1m or 1h)"),
        ("{}", "key 'key' is missing"),
    ],
)
def test_rates_that_are_none(complaints: Complaints, text: str, complaint: str) -> None:
    rest = f"routes: {{pool: mail}}, smtp: {{rates: {text}}}"
    service = f"mx: {{protocol: smtp, listen: '*:25', {rest}}}"
    assert complaint in [each.split(": ", 1)[1] for each in complaints(f"{POOLS}  {service}")]


def test_logs_of_mail(service: Service) -> None:
    assert service(f"{IMAP}}}").access_log.format is LogFormat.JSON
    assert service(f"{IMAP}, access_log: off}}").access_log.format is LogFormat.OFF


# --------------------------------------------------------------------------- listeners


@pytest.mark.parametrize(
    ("protocol", "offered"), [("imap", ("imap",)), ("pop3", ("pop3",)), ("smtp", ())]
)
def test_tls_of_mail_offers_what_is_spoken(
    load: Load, folder: Path, protocol: str, offered: tuple[str, ...]
) -> None:
    pem = folder / "certs/www.pem"
    listen = f"[{{address: '*:1', starttls: {pem}}}, {{address: '*:2', tls: [{pem}]}}]"
    text = f"  s: {{protocol: {protocol}, listen: {listen}, routes: {{pool: mail}}}}"
    first, second = load(POOLS + text).services["s"].listen
    assert (first.tls, second.starttls) == (None, None)
    assert [tls.alpn for tls in (first.starttls, second.tls) if tls] == [offered, offered]


def test_every_protocol_has_its_words() -> None:
    assert set(ALPN) == set(TIMEOUTS) == set(PROTOCOLS)
    assert set(PORTS) == set(PROTOCOLS) - {"http"}
    assert {name.encode() for name in get_args(Mechanism)} == set(MECHANISMS)


# --------------------------------------------------------------------------- servers and pools


@pytest.mark.parametrize(
    ("text", "server"),
    [
        (
            "{address: 10.0.4.1, ports: {pop3: 110, imap: 143}}",
            ServerSpec("10.0.4.1", Address("10.0.4.1", 110), ports=(("pop3", 110), ("imap", 143))),
        ),
        (
            "{address: '10.0.4.1:9', ports: {imap: 143}}",
            ServerSpec("10.0.4.1:9", Address("10.0.4.1", 9), ports=(("imap", 143),)),
        ),
        (
            "{address: '[2001:db8::1]', ports: {smtp: 25}}",
            ServerSpec("[2001:db8::1]", Address("2001:db8::1", 25), ports=(("smtp", 25),)),
        ),
        (
            "{name: m, address: m.example.org, ports: {lmtp: 24}}",
            ServerSpec("m", Address("m.example.org", 24), ports=(("lmtp", 24),)),
        ),
    ],
)
def test_servers_with_ports(load: Load, text: str, server: ServerSpec) -> None:
    assert load(f"pools: {{p: {{servers: {text}}}}}").pools["p"].servers == (server,)


@pytest.mark.parametrize("address", ["10.0.4.1", "m.example.org", "'[2001:db8::1]'"])
def test_a_server_without_any_port(complaints: Complaints, address: str) -> None:
    shown = address.strip("'")
    assert complaints(f"pools: {{p: {{servers: [{address}]}}}}") == [
        f"rules.yaml:1:23: '{shown}' has no port (such as {shown}:80)"
    ]


def test_login_and_starttls_at_servers(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("first\n")
    text = f"""\
pools:
  p:
    servers: {{address: a, ports: {{imap: 143}}}}
    check: http
    tls: {{starttls: true, verify: false}}
    login: {{master: director, secret: {{file: {tmp_path}/secret}}}}
"""
    old = load(text)
    pool = old.pools["p"]
    assert pool.tls == ServerTls(verify=False, starttls=True)
    assert pool.check.tls is None, "a check that speaks HTTP knows no STARTTLS"
    assert pool.login is not None
    assert (pool.login.master, pool.login.secret.value, pool.login.separator) == (
        "director",
        b"first",
        "",
    )
    assert "first" not in to_yaml(old)
    (tmp_path / "secret").write_text("second\n")
    assert [str(each) for each in diff(old, load(text))] == ["changed pool p: login.secret changed"]


# --------------------------------------------------------------------------- the directory


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ("protocol: imap", ""),
        ("protocol: pop3", ""),
        ("protocol: smtp", "recipients are looked up"),
        ("protocol: smtp, smtp: {accept_unknown: true}", ""),
        ("protocol: smtp, smtp: {accept_unknown: true, auth: optional}", "clients log in"),
    ],
)
def test_who_needs_a_directory(load: Load, service: str, why: str) -> None:
    text = POOLS.replace("directory: {static: users.yaml}\n", "")
    text += f"  s: {{{service}, listen: '*:1', routes: {{pool: mail}}}}"
    if not why:
        assert load(text).directory is None
        return
    with pytest.raises(ConfigError, match=f"a directory is needed: {why}"):
        load(text)


def test_a_master_user_needs_a_directory(complaints: Complaints, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x\n")
    login = "login: {master: director, secret: {file: secret}}"
    text = POOLS.replace("directory: {static: users.yaml}\n", "")
    text = text.replace("persistence: account", login) + f"  {IMAP}}}"
    why = "pool 'mail' is entered as master user"
    assert complaints(text) == [
        f"rules.yaml:7:3: a directory is needed: {why} (add directory)",
    ]


# --------------------------------------------------------------------------- attributes

LDAP = "directory: {ldap: {urls: ldaps://a, base: dc=x, account: '(mail={account})', kept: Room}}"


def test_routes_by_attribute(load: Load) -> None:
    text = POOLS.replace("directory: {static: users.yaml}", LDAP)
    routes = "[{attribute: {room: '7', ROOM2: true}, pool: mail}]"
    with pytest.raises(ConfigError) as caught:
        load(f"{text}  i: {{protocol: imap, listen: '*:143', routes: {routes}}}\n")
    assert "accounts do not carry the attribute room2 (directory: {ldap: {kept: room2}})" in str(
        caught.value
    )
    routes = "[{attribute: {ROOM: '7'}, pool: mail}]"
    spec = load(f"{text}  i: {{protocol: imap, listen: '*:143', routes: {routes}}}\n")
    assert spec.services["i"].routes[0].match.attributes == (ValueMatch(b"room", b"7"),)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ("{'a b': x}", "'a b' is not the name of an attribute"),
        ("{room: a, ROOM: b}", "attribute 'ROOM' stands twice (attribute names have no case)"),
        ("{room: {}}", "the match is not named (one of: equals, regex, present)"),
    ],
)
def test_wrong_attributes(load: Load, values: str, complaint: str) -> None:
    routes = f"[{{attribute: {values}, pool: mail}}]"
    with pytest.raises(ConfigError, match=re.escape(complaint)):
        load(f"{POOLS}  i: {{protocol: imap, listen: '*:143', routes: {routes}}}\n")
