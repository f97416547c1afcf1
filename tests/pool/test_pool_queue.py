"""The waiting line."""

from hypothesis import given
from hypothesis import strategies as st

from l7lb.model import Address, ServerSpec
from l7lb.pool.queue import Ticket, WaitingLine
from l7lb.pool.server import Server
from l7lb_protocols.facts import PlainFacts

A, B = (Server(ServerSpec(name, Address("10.0.0.1", 80)), 0, 0.0) for name in "ab")


def ticket(line, pinned=None, exclude=()):
    made = Ticket(PlainFacts(), exclude, lambda slot: None, pinned)
    line.add(made)
    return made


def numbers(line):
    return [each.number for each in line.heads()]


def test_the_head_is_the_oldest():
    line = WaitingLine()
    first, second = ticket(line), ticket(line)
    assert line.heads() == [first]
    line.remove(first)
    assert line.heads() == [second]
    assert line.length == 1


def test_lanes_of_pinned_requests_are_merged_by_age():
    line = WaitingLine()
    tickets = [ticket(line, pin) for pin in (A, None, B, A, None)]
    assert line.heads() == [tickets[0], tickets[1], tickets[2]]
    tickets[0].cancel()
    assert numbers(line) == [2, 3, 4]


def test_who_excludes_servers_does_not_hold_up_the_next():
    line = WaitingLine()
    for exclude in ((A,), (B,), (), ()):
        ticket(line, exclude=exclude)
    assert numbers(line) == [1, 2, 3]


def test_a_lost_server_s_lane_joins_the_others_by_age():
    line = WaitingLine()
    tickets = [ticket(line, pin) for pin in (A, None, B, A)]
    line.unpin(lambda server: server is A)
    assert [each.pinned for each in tickets] == [None, None, B, None]
    for expected in ([1, 3], [2, 3], [3, 4]):
        assert numbers(line) == expected
        line.remove(line.heads()[0])
    line.unpin(lambda server: False)
    assert numbers(line) == [4]


def test_cancelling_twice_is_once():
    line = WaitingLine()
    one = ticket(line)
    assert one.is_waiting
    one.cancel()
    one.cancel()
    assert not one.is_waiting
    assert (line.length, line.heads()) == (0, [])


@given(st.lists(st.tuples(st.sampled_from([None, A, B]), st.booleans()), max_size=30))
def test_everybody_is_served_in_order_of_age_in_each_lane(arrivals):
    line = WaitingLine()
    waiting = []
    for pin, leaves in arrivals:
        one = ticket(line, pin)
        if leaves:
            one.cancel()
        else:
            waiting.append(one)
    served = []
    while line.length:
        head = line.heads()[0]
        line.remove(head)
        served.append(head)
    assert served == waiting
