"""One live server."""

import pytest

from l7lb.model import Address, Health, ServerSpec
from l7lb.pool.server import Admin, Server, ServerUpdate, literal_endpoint

SPEC = ServerSpec("a", Address("10.0.0.1", 80), weight=4)


@pytest.mark.parametrize(
    ("address", "endpoint"),
    [
        (Address("10.0.0.1", 80), (2, ("10.0.0.1", 80))),
        (Address("2001:db8::1", 443), (10, ("2001:db8::1", 443, 0, 0))),
        (Address("unix:/run/app.sock", 0), (1, "/run/app.sock")),
        (Address("app.example.org", 80), None),
        (Address("fe80::1%eth0", 80), None),
    ],
)
def test_literal_addresses_need_no_resolver(address, endpoint):
    assert literal_endpoint(address) == endpoint


def test_families_are_the_system_s():
    import socket

    from l7lb.pool import server

    assert (server.AF_UNIX, server.AF_INET, server.AF_INET6) == (
        socket.AF_UNIX,
        socket.AF_INET,
        socket.AF_INET6,
    )


def test_an_update_changes_what_it_names():
    server = Server(SPEC, 0, 10.0)
    server.update(ServerUpdate("a", health=Health.DOWN), 20.0, 100.0)
    assert (server.health, server.health_since, server.admin) == (Health.DOWN, 20.0, Admin.READY)
    server.update(ServerUpdate("a", health=Health.DOWN, weight=7), 30.0, 100.0)
    assert (server.health_since, server.weight_override) == (20.0, 7)
    server.update(ServerUpdate("a", endpoint=(2, ("10.9.9.9", 1))), 30.0, 100.0)
    assert server.endpoint == (2, ("10.9.9.9", 1))
    assert repr(server) == "<Server a ready down>"


def test_a_drain_has_a_deadline_that_repetition_does_not_move():
    server = Server(SPEC, 0, 10.0)
    server.update(ServerUpdate("a", admin=Admin.DRAIN), 20.0, 100.0)
    server.update(ServerUpdate("a", admin=Admin.DRAIN), 50.0, 100.0)
    assert server.drain_until == 120.0
    server.update(ServerUpdate("a", drain_until=60.0), 50.0, 100.0)
    assert server.drain_until == 60.0
    assert not server.is_enabled


def test_weights():
    server = Server(SPEC, 0, 0.0)
    server.weigh(10.0, 0.0)
    assert (server.full_weight, server.weight) == (4.0, 4.0)
    server.update(ServerUpdate("a", weight=0), 0.0, 1.0)
    server.weigh(10.0, 0.0)
    assert server.full_weight == 0.0
    server.update(ServerUpdate("a", weight=-1), 0.0, 1.0)
    server.weigh(10.0, 0.0)
    assert server.full_weight == 4.0


@pytest.mark.parametrize(
    ("before", "after", "is_slow"),
    [
        (ServerUpdate("a", health=Health.DOWN), ServerUpdate("a", health=Health.UP), True),
        (ServerUpdate("a"), ServerUpdate("a", health=Health.UP), False),
        (ServerUpdate("a", admin=Admin.DISABLED), ServerUpdate("a", admin=Admin.READY), True),
        (ServerUpdate("a", admin=Admin.DRAIN), ServerUpdate("a", admin=Admin.READY), False),
    ],
)
def test_who_comes_back_from_outside_starts_slowly(before, after, is_slow):
    server = Server(SPEC, 0, 0.0)
    server.update(before, 0.0, 1.0)
    server.update(after, 5.0, 1.0)
    server.weigh(10.0, 10.0)
    assert server.weight == (2.0 if is_slow else 4.0)
    assert server.full_weight == 4.0
    server.weigh(10.0, 15.0)
    assert (server.weight, server.ramp_since) == (4.0, None)


def test_ejections_by_update_are_counted_once():
    server = Server(SPEC, 0, 0.0)
    server.update(ServerUpdate("a", ejected_until=10.0), 0.0, 1.0)
    # the same ejection, told by another process a moment later
    server.update(ServerUpdate("a", ejected_until=10.1), 0.1, 1.0)
    assert (server.ejected_until, server.outlier.ejections) == (10.1, 1)
    server.update(ServerUpdate("a", ejected_until=0.0), 1.0, 1.0)
    assert (server.ejected_until, server.outlier.ejections) == (0.0, 1)
