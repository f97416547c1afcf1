"""Persistence joined to live servers."""

import pytest

from l7lb.model import KeyKind, KeySpec, PersistenceKind, PersistenceSpec, PoolSpec
from l7lb.pool.environment import PoolEnvironment
from l7lb.pool.pins import make_pins
from l7lb.pool.server import Server
from l7lb.ports import LocalCounters, ManualClock
from l7lb.scheduling.base import Inputs
from l7lb_protocols.facts import PlainFacts
from support.pools import server_specs

COOKIE = PersistenceSpec(PersistenceKind.COOKIE, b"L7LB")
LEARNED = PersistenceSpec(PersistenceKind.LEARNED, b"sid")
HASH = PersistenceSpec(PersistenceKind.HASH, key=KeySpec(KeyKind.ACCOUNT))


def build(persistence):
    env = PoolEnvironment(ManualClock(), LocalCounters(), lambda: 0.0, b"k")
    inputs = Inputs(env.counters, env.random, env.clock.now)
    pins = make_pins(PoolSpec("web", (), persistence=persistence), env, inputs)
    specs = server_specs("a", "b", "c")
    servers = {each.name: Server(each, n, 0.0) for n, each in enumerate(specs)}
    if pins is not None:
        pins.update(servers, is_backup=False)
    return pins, servers


def test_no_persistence_no_pins():
    assert build(None)[0] is None


def test_cookie():
    pins, servers = build(COOKIE)
    value = servers["b"].cookie.split(b";")[0].removeprefix(b"L7LB=")
    facts = PlainFacts(cookies={b"L7LB": value})
    assert pins.find(facts) is servers["b"]
    assert pins.explain(facts) == (servers["b"], "cookie L7LB points to b")
    assert pins.explain(PlainFacts()) == (None, "no cookie L7LB")
    forged = PlainFacts(cookies={b"L7LB": b"a" * 22})
    assert pins.find(forged) is None
    assert pins.explain(forged)[1] == "cookie L7LB has a value that no server of this pool has"
    assert not pins.learn("a", b"x")
    assert len(pins) == 0


def test_a_cookie_of_a_server_that_left_points_nowhere():
    pins, servers = build(COOKIE)
    value = servers["b"].cookie.split(b";")[0].removeprefix(b"L7LB=")
    pins.update({"a": servers["a"]}, is_backup=False)
    assert pins.find(PlainFacts(cookies={b"L7LB": value})) is None


def test_learned():
    pins, servers = build(LEARNED)
    facts = PlainFacts(cookies={b"sid": b"s1"})
    assert pins.explain(facts)[1] == "cookie sid has a value that was never learnt, or is forgotten"
    assert pins.learn("c", b"s1")
    assert not pins.learn("c", b"s1")
    assert not pins.learn("c", b"")
    assert pins.find(facts) is servers["c"]
    assert pins.explain(facts) == (servers["c"], "cookie sid was learnt from c")
    assert pins.explain(PlainFacts()) == (None, "no cookie sid")
    assert len(pins) == 1
    pins.update({"a": servers["a"]}, is_backup=False)
    assert pins.find(facts) is None
    assert pins.explain(facts)[0] is None


def test_hash():
    pins, servers = build(HASH)
    owners = {n: pins.find(PlainFacts(account=b"u%d" % n)) for n in range(200)}
    assert set(owners.values()) == set(servers.values())
    assert pins.find(PlainFacts()) is None
    assert pins.explain(PlainFacts()) == (None, "the request has no account: nothing to hash")
    owner = owners[3]
    pins.update({}, is_backup=False)
    nobody = pins.explain(PlainFacts(account=b"u3"))
    assert nobody == (None, "no server keeps clients: nothing to hash")
    pins.update(servers, is_backup=False)
    said = f"hash of the account points to {owner.name}"
    assert pins.explain(PlainFacts(account=b"u3")) == (owner, said)


@pytest.mark.parametrize("change", ["keeps", "weight"])
def test_the_hash_is_over_those_that_keep_clients(change):
    pins, servers = build(HASH)
    before = {n: pins.find(PlainFacts(account=b"u%d" % n)) for n in range(100)}
    if change == "keeps":
        servers["b"].keeps = False
    else:
        servers["b"].full_weight = 0.0
    pins.update(servers, is_backup=False)
    for n, owner in before.items():
        now = pins.find(PlainFacts(account=b"u%d" % n))
        assert now is not servers["b"]
        assert owner is servers["b"] or now is owner


def test_the_hash_counts_backups_only_when_they_are_in_use():
    pins, servers = build(HASH)
    backup = Server(server_specs("z", backup=True)[0], 9, 0.0)
    accounts = [PlainFacts(account=b"u%d" % n) for n in range(100)]
    pins.update({**servers, "z": backup}, is_backup=False)
    assert backup not in {pins.find(each) for each in accounts}
    pins.update({"z": backup}, is_backup=True)
    assert {pins.find(each) for each in accounts} == {backup}
