"""What a pool shows."""

import json

import pytest

from l7lb.model import (
    Address,
    Health,
    KeyKind,
    KeySpec,
    PersistenceKind,
    PersistenceSpec,
    PoolSpec,
    SchedulerKind,
    SchedulerSpec,
    ServerSpec,
)
from l7lb.pool.report import Verdict
from l7lb.pool.server import Admin, ServerUpdate
from l7lb_protocols.facts import PlainFacts
from support.pools import PoolStory, server_specs

COOKIE = PersistenceSpec(PersistenceKind.COOKIE, b"L7LB")


def story(*names, **options):
    servers = options.pop("servers", None) or server_specs(*names)
    return PoolStory(PoolSpec("web", servers, **options))


def apply(told, name, **changes):
    told.pool.apply(ServerUpdate(name, **changes))


def test_the_view_is_json_and_tells_everything():
    told = story("a", "b", persistence=COOKIE)
    apply(told, "a", health=Health.UP)
    told.take()
    told.later(3.0)
    view = json.loads(json.dumps(told.pool.view()))
    server = view["servers"][0]
    assert {key: view[key] for key in ("name", "scheduler", "persistence", "usable", "queue")} == {
        "name": "web",
        "scheduler": "wlc",
        "persistence": "cookie",
        "usable": 2,
        "queue": 0,
    }
    assert {key: server[key] for key in ("name", "address", "endpoint", "state")} == {
        "name": "a",
        "address": "10.0.0.1:80",
        "endpoint": "10.0.0.1:80",
        "state": "up",
    }
    assert server["health_age_s"] == 3.0
    assert sum(each["active"] for each in view["servers"]) == 1


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "unknown"),
        ({"health": Health.UP}, "up"),
        ({"health": Health.DOWN}, "down"),
        ({"ejected_until": 1e9}, "ejected"),
        ({"health": Health.DOWN, "ejected_until": 1e9}, "down"),
        ({"admin": Admin.DRAIN, "health": Health.DOWN}, "draining"),
        ({"admin": Admin.DRAIN, "drain_until": 0.0}, "drained"),
        ({"admin": Admin.DISABLED, "health": Health.UP}, "disabled"),
    ],
)
def test_one_word_says_it(changes, state):
    told = story("a")
    apply(told, "a", **changes)
    assert told.seen("state") == {"a": (state,)}


def test_endpoints_of_every_family():
    told = story(
        servers=(
            ServerSpec("six", Address("2001:db8::1", 80)),
            ServerSpec("unix", Address("unix:/run/x", 0)),
            ServerSpec("name", Address("app.example.org", 80)),
        )
    )
    assert told.seen("endpoint") == {
        "six": ("[2001:db8::1]:80",),
        "unix": ("/run/x",),
        "name": (None,),
    }


def test_explain_names_every_server_and_the_turn_decides():
    told = story(
        servers=(
            *server_specs("a", "b", "c"),
            ServerSpec("z", Address("10.0.0.9", 80), backup=True),
        )
    )
    apply(told, "b", admin=Admin.DISABLED)
    said = told.pool.explain(PlainFacts())
    assert said.servers == (
        Verdict("a", True, "usable"),
        Verdict("b", False, "disabled by the administrator"),
        Verdict("c", True, "usable"),
        Verdict("z", False, "backup: not needed"),
    )
    assert (said.persistence, said.scheduler) == ("no persistence", "wlc chooses among 2")
    assert said.choice == ""


def test_explain_a_cookie():
    told = story("a", "b", persistence=COOKIE)
    value = told.server("b").cookie.split(b";")[0].removeprefix(b"L7LB=")
    facts = PlainFacts(cookies={b"L7LB": value})
    said = told.pool.explain(facts)
    assert (said.persistence, said.scheduler, said.choice) == (
        "cookie L7LB points to b",
        "not asked",
        "b",
    )
    apply(told, "b", admin=Admin.DRAIN, drain_until=told.clock.now() + 60)
    said = told.pool.explain(facts)
    assert (said.servers[1].reason, said.choice) == ("draining, 60 s left", "b")
    apply(told, "b", health=Health.DOWN, admin=Admin.READY)
    said = told.pool.explain(facts)
    assert said.persistence == "cookie L7LB points to b, but that is down since 0 s"
    assert (said.scheduler, said.choice) == ("wlc has one server to choose from", "a")
    assert told.pool.explain(PlainFacts()).persistence == "no cookie L7LB"


def test_explain_panic_backup_and_nobody():
    told = story(
        servers=(*server_specs("a"), ServerSpec("z", Address("10.0.0.9", 80), backup=True))
    )
    apply(told, "a", health=Health.DOWN)
    assert [each.reason for each in told.pool.explain(PlainFacts()).servers] == [
        "down since 0 s",
        "backup in use: no other server is usable",
    ]
    apply(told, "z", health=Health.DOWN)
    verdicts = told.pool.explain(PlainFacts()).servers
    assert verdicts[0] == Verdict("a", True, "down since 0 s; used, as too few others are healthy")
    apply(told, "a", admin=Admin.DISABLED)
    apply(told, "z", admin=Admin.DISABLED)
    said = told.pool.explain(PlainFacts())
    assert (said.scheduler, said.choice) == ("wlc: no server is usable", "")


def test_explain_a_hash_and_its_missing_key():
    path = SchedulerSpec(SchedulerKind.HASH, KeySpec(KeyKind.HEADER, b"x-user"), bound=1.25)
    told = story("a", "b", "c", scheduler=path)
    facts = PlainFacts(headers={b"x-user": b"anna"})
    said = told.pool.explain(facts)
    assert said.scheduler == f"hash: the key points to {said.choice}"
    assert told.name(facts) == said.choice
    said = told.pool.explain(PlainFacts())
    assert said.scheduler == "hash: the request has no key, the least loaded server gets it"


def test_explain_full_servers():
    told = story(servers=server_specs("a", max_connections=1), persistence=COOKIE)
    told.take()
    value = told.server("a").cookie.split(b";")[0].removeprefix(b"L7LB=")
    said = told.pool.explain(PlainFacts(cookies={b"L7LB": value}))
    assert said.servers == (Verdict("a", False, "full: 1 sessions"),)
    assert said.persistence == "cookie L7LB points to a, which is full: the request waits"


def test_explaining_is_no_use():
    learned = PersistenceSpec(PersistenceKind.LEARNED, b"sid", timeout_s=10.0)
    told = story("a", "b", persistence=learned)
    told.pool.remember(b"s1", "b")
    facts = PlainFacts(cookies={b"sid": b"s1"})
    told.later(9.0)
    assert told.pool.explain(facts).choice == "b"
    told.later(9.0)
    assert told.pool.explain(facts).choice == ""
