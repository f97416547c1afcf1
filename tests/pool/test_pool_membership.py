"""Who may be chosen."""

import itertools

import pytest

from l7lb.model import Address, Health, ServerSpec
from l7lb.pool.membership import is_healthy, is_ready, keeps_clients, objection, select
from l7lb.pool.server import Admin, Server

NOW_S = 100.0


def server(name, **state):
    options = {key: state.pop(key) for key in ("backup", "weight") if key in state}
    made = Server(ServerSpec(name, Address("10.0.0.1", 80), **options), 0, 0.0)
    for key, value in state.items():
        setattr(made, key, value)
    return made


def chosen(*servers, threshold=0.5):
    selection = select(servers, threshold, NOW_S)
    flags = ("!" if selection.is_panic else "") + ("b" if selection.is_backup else "")
    return " ".join(each.name for each in selection.candidates) + flags


def up(name, **state):
    return server(name, health=Health.UP, **state)


def down(name, **state):
    return server(name, health=Health.DOWN, **state)


def test_up_and_unknown_are_chosen_down_is_not():
    assert chosen(up("a"), server("b"), down("c")) == "a b"


def test_ejected_servers_return_by_time():
    assert chosen(up("a"), up("b", ejected_until=NOW_S + 1)) == "a"
    assert chosen(up("a"), up("b", ejected_until=NOW_S)) == "a b"


@pytest.mark.parametrize(
    "state",
    [
        {"admin": Admin.DISABLED},
        {"admin": Admin.DRAIN},
        {"weight": 0},
        {"removed": True},
        {"endpoint": None},
    ],
)
def test_the_administrator_s_word_counts_even_in_panic(state):
    assert chosen(up("a"), up("b", **state)) == "a"
    assert chosen(down("a"), down("b", **state)) == "a!"
    assert chosen(up("b", **state)) == ""


def test_panic_is_below_the_threshold_of_those_that_are_ready():
    assert chosen(up("a"), down("b")) == "a"
    assert chosen(up("a"), down("b"), down("c")) == "a b c!"
    assert chosen(up("a"), down("b"), down("c", admin=Admin.DISABLED)) == "a"
    assert chosen(down("a"), up("b", ejected_until=NOW_S + 1)) == "a b!"


def test_without_a_threshold_there_is_no_panic():
    assert chosen(up("a"), down("b"), down("c"), threshold=0.0) == "a"
    assert chosen(down("a"), threshold=0.0) == ""


def test_backups_serve_when_nobody_else_can():
    backup = up("z", backup=True)
    assert chosen(up("a"), backup) == "a"
    assert chosen(down("a"), backup) == "zb"
    assert chosen(up("a", admin=Admin.DRAIN), backup) == "zb"
    assert chosen(up("a"), down("b"), down("c"), backup) == "a b c!"


def test_when_the_backups_are_down_too_everything_is_tried():
    assert chosen(down("a"), down("z", backup=True)) == "a!"
    assert chosen(down("a", admin=Admin.DISABLED), down("z", backup=True)) == "z!b"


def test_healthy_backups_are_spares():
    z, y = up("z", backup=True), down("y", backup=True)
    assert select([up("a"), z, y], 0.5, NOW_S).spares == (z,)


@pytest.mark.parametrize(
    ("state", "keeps", "keeps_in_panic"),
    [
        ({}, True, True),
        ({"health": Health.DOWN}, False, True),
        ({"ejected_until": NOW_S + 1}, False, True),
        ({"weight": 0}, True, True),
        ({"backup": True}, True, True),
        ({"admin": Admin.DRAIN, "drain_until": NOW_S + 1}, True, True),
        ({"admin": Admin.DRAIN, "drain_until": NOW_S}, False, False),
        ({"admin": Admin.DISABLED}, False, False),
        ({"removed": True}, False, False),
        ({"endpoint": None}, False, False),
    ],
)
def test_who_keeps_its_clients(state, keeps, keeps_in_panic):
    assert keeps_clients(server("a", **state), is_panic=False, now_s=NOW_S) is keeps
    assert keeps_clients(server("a", **state), is_panic=True, now_s=NOW_S) is keeps_in_panic


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({}, ""),
        ({"health": Health.DOWN, "health_since": 88.0}, "down since 12 s"),
        ({"ejected_until": 107.0}, "ejected after errors, back in 7 s"),
        ({"weight": 0}, "weight 0"),
        ({"admin": Admin.DRAIN, "drain_until": 160.0}, "draining, 60 s left"),
        ({"admin": Admin.DRAIN, "drain_until": 99.0}, "drained"),
        ({"admin": Admin.DISABLED}, "disabled by the administrator"),
        ({"removed": True}, "removed from the file"),
        ({"endpoint": None}, "the name 10.0.0.1 is not resolved yet"),
    ],
)
def test_objections_in_words(state, words):
    assert objection(server("a", **state), NOW_S) == words


def test_an_objection_is_there_exactly_when_a_server_is_not_usable():
    for admin, health, ejected_until, weight in itertools.product(
        Admin, Health, (0.0, NOW_S + 5), (0, 1)
    ):
        one = server("a", admin=admin, health=health, ejected_until=ejected_until, weight=weight)
        usable = is_ready(one) and is_healthy(one, NOW_S)
        assert (objection(one, NOW_S) == "") is usable
