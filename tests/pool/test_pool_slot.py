"""Slots."""

from l7lb.model import Address, ServerSpec
from l7lb.pool.server import Server
from l7lb.pool.slot import Home, Outcome, Slot


class Noting(Home):
    """Notes what a slot says."""

    def __init__(self):
        super().__init__()
        self.said = []

    def give_back(self, server, outcome):
        self.said.append((server.name, outcome))

    def measured(self, server, taken_s):
        self.said.append((server.name, taken_s))

    def learn(self, server, value):
        self.said.append((server.name, value))


def build(set_cookie=b"", taken_s=0.0):
    home = Noting()
    return home, Slot(
        home, Server(ServerSpec("a", Address("10.0.0.1", 80)), 0, 0.0), set_cookie, taken_s
    )


def test_a_slot_is_given_back_once():
    home, slot = build()
    assert slot.is_open
    slot.release(Outcome.FAILED)
    slot.release(Outcome.OK)
    assert not slot.is_open
    assert home.said == [("a", Outcome.FAILED)]


def test_the_first_byte_counts_once_and_only_when_timed():
    home, slot = build(taken_s=7.0)
    slot.first_byte()
    slot.first_byte()
    assert home.said == [("a", 7.0)]
    home, slot = build()
    slot.first_byte()
    assert home.said == []


def test_after_release_nothing_is_said_any_more():
    home, slot = build(taken_s=7.0)
    slot.learn(b"v")
    slot.release(Outcome.OK)
    slot.learn(b"w")
    slot.first_byte()
    assert home.said == [("a", b"v"), ("a", Outcome.OK)]


def test_the_cookie_with_and_without_secure():
    _, slot = build(b"L7LB=x; Path=/")
    assert slot.set_cookie_secure == b"L7LB=x; Path=/; Secure"
    _, slot = build()
    assert slot.set_cookie_secure == b""
