"""Pools in the words of the rules file."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from l7lb.config.effective_pool import pool_tree, retry_tree, server_tree
from l7lb.config.nodes import Plain
from l7lb.model import (
    Address,
    CheckKind,
    CheckSpec,
    KeyKind,
    KeySpec,
    PersistenceKind,
    PersistenceSpec,
    PoolSpec,
    SchedulerKind,
    SchedulerSpec,
    ServerSpec,
    ServerTls,
)
from l7lb.model_failures import OutlierSpec, RetrySpec

SERVER = ServerSpec("a", Address("10.0.0.1", 80))
POOL = PoolSpec("web", (SERVER,))
HTTP = CheckSpec(CheckKind.HTTP, path="/up")
HEADER = KeySpec(KeyKind.HEADER, b"x-user")
COOKIE = PersistenceSpec(PersistenceKind.COOKIE, b"L7LB")


def check_tree(spec: CheckSpec) -> dict[str, Plain]:
    found = pool_tree(replace(POOL, check=spec))["check"]
    assert isinstance(found, dict)
    return found


def test_a_pool_of_defaults() -> None:
    assert pool_tree(POOL) == {
        "servers": [server_tree(SERVER)],
        "scheduler": "wlc",
        "persistence": "none",
        "check": {
            "tcp": True,
            "every": "2s",
            "fast_every": "500ms",
            "timeout": "2s",
            "rise": 2,
            "fall": 3,
            "jitter": "10%",
        },
        "outlier": {
            "consecutive_errors": 5,
            "consecutive_connect_errors": 2,
            "latency_factor": 0.0,
            "ejection": "10s",
            "max_ejection": "5m",
            "max_ejected": "50%",
        },
        "retry": retry_tree(RetrySpec()),
        "slow_start": "0s",
        "panic_threshold": "20%",
        "max_queue": 1024,
        "queue_timeout": "10s",
        "drain_deadline": "1h",
        "tls": "none",
        "send_proxy": "none",
        "resolve_every": "30s",
        "reuse": True,
        "max_idle": 64,
    }


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("2001:db8::1", 80), "[2001:db8::1]:80"),
        (Address("web.example", 80), "web.example:80"),
        (Address("unix:/run/a", 0), "unix:/run/a"),
    ],
)
def test_servers(address: Address, text: str) -> None:
    assert server_tree(ServerSpec("b", address, 3, backup=True, max_connections=9)) == {
        "name": "b",
        "address": text,
        "weight": 3,
        "backup": True,
        "max_connections": 9,
    }


def test_retries() -> None:
    tree = {"attempts": 0, "budget": "12.5%", "minimum": 1}
    assert retry_tree(RetrySpec(0, 0.125, 1)) == tree


@pytest.mark.parametrize(
    ("spec", "tree"),
    [
        (SchedulerSpec(SchedulerKind.RR), "rr"),
        (SchedulerSpec(SchedulerKind.MH, bound=1.25), {"mh": True, "bound": 1.25}),
        (SchedulerSpec(SchedulerKind.HASH, KeySpec(KeyKind.URI)), {"hash": "uri"}),
        (
            SchedulerSpec(SchedulerKind.HASH, HEADER, 2.0),
            {"hash": {"header": "x-user"}, "bound": 2},
        ),
        (SchedulerSpec(SchedulerKind.SH, KeySpec(KeyKind.SOURCE)), {"sh": "source"}),
        (
            SchedulerSpec(SchedulerKind.SH, KeySpec(KeyKind.SOURCE, prefix_length=(24, 64))),
            {"sh": {"source": {"ipv4": 24, "ipv6": 64}}},
        ),
        (
            SchedulerSpec(
                SchedulerKind.RENDEZVOUS,
                KeySpec(KeyKind.CAPTURE, pattern=re.compile(b"/u/([^/]+)")),
            ),
            {"rendezvous": {"capture": "/u/([^/]+)"}},
        ),
    ],
)
def test_schedulers(spec: SchedulerSpec, tree: Plain) -> None:
    assert pool_tree(replace(POOL, scheduler=spec))["scheduler"] == tree


@pytest.mark.parametrize(
    ("spec", "tree"),
    [
        (None, "none"),
        (COOKIE, {"cookie": "L7LB", "timeout": "0s", "same_site": "Lax", "path": "/"}),
        (
            replace(COOKIE, timeout_s=60.0, same_site="Strict", path="/a", domain="a.org"),
            {
                "cookie": "L7LB",
                "timeout": "1m",
                "same_site": "Strict",
                "path": "/a",
                "domain": "a.org",
            },
        ),
        (
            PersistenceSpec(PersistenceKind.LEARNED, b"sid", timeout_s=1800.0, limit=5),
            {"learned": "sid", "timeout": "30m", "limit": 5},
        ),
        (PersistenceSpec(PersistenceKind.HASH, key=HEADER), {"hash": {"header": "x-user"}}),
    ],
)
def test_persistence(spec: PersistenceSpec | None, tree: Plain) -> None:
    assert pool_tree(replace(POOL, persistence=spec))["persistence"] == tree


def test_an_http_check_has_keys_of_its_own() -> None:
    tcp, http = check_tree(CheckSpec()), check_tree(HTTP)
    assert tcp.keys() - http.keys() == {"tcp"}
    assert {key: http[key] for key in http.keys() - tcp.keys()} == {
        "http": "/up",
        "method": "GET",
        "status": ["200-399"],
        "body_limit": "64KiB",
        "tls": "none",
    }


@pytest.mark.parametrize(
    ("spec", "keys"),
    [
        (replace(HTTP, statuses=((200, 200), (300, 399))), {"status": [200, "300-399"]}),
        (replace(HTTP, host="a.org"), {"host": "a.org"}),
        (replace(HTTP, body=re.compile(b"ok|up")), {"body": "ok|up"}),
        (replace(HTTP, tls=ServerTls()), {"tls": {"verify": True}}),
        (CheckSpec(port=8080), {"tcp": True, "port": 8080}),
        (CheckSpec(CheckKind.ICMP), {"icmp": True}),
        (CheckSpec(CheckKind.NONE), {"none": True}),
    ],
)
def test_checks(spec: CheckSpec, keys: dict[str, Plain]) -> None:
    assert keys.items() <= check_tree(spec).items()


def test_only_an_http_check_shows_what_only_it_uses() -> None:
    tree = check_tree(CheckSpec(host="a.org", body=re.compile(b"ok"), tls=ServerTls()))
    assert not tree.keys() & {"http", "method", "status", "host", "body", "body_limit", "tls"}


def test_outliers() -> None:
    spec = OutlierSpec(0, 1, 2.5, 0.25, 60.0, 0.1)
    assert pool_tree(replace(POOL, outlier=spec))["outlier"] == {
        "consecutive_errors": 0,
        "consecutive_connect_errors": 1,
        "latency_factor": 2.5,
        "ejection": "250ms",
        "max_ejection": "1m",
        "max_ejected": "10%",
    }


@pytest.mark.parametrize(
    ("tls", "tree"),
    [
        (None, "none"),
        (ServerTls(), {"verify": True}),
        (ServerTls(verify=False, server_name="a.org"), {"verify": False, "server_name": "a.org"}),
        (
            ServerTls(ca="/ca.pem", certificate="/c.pem", key="/c.key"),
            {"verify": True, "ca": "/ca.pem", "certificate": "/c.pem", "key": "/c.key"},
        ),
    ],
)
def test_tls(tls: ServerTls | None, tree: Plain) -> None:
    assert pool_tree(replace(POOL, tls=tls))["tls"] == tree


@pytest.mark.parametrize(("version", "word"), [(0, "none"), (1, "v1"), (2, "v2")])
def test_send_proxy(version: int, word: str) -> None:
    assert pool_tree(replace(POOL, send_proxy=version))["send_proxy"] == word
