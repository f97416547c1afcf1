"""What a director believes: replays, gaps, lost datagrams, silence, restarts of either side."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.hot import holdings as module
from l7lb.media.hot.choice import Candidate
from l7lb.media.hot.holdings import FRESH_S, NOTED_S, PENDING, Heard, Holdings
from l7lb.media.hot.telling import DATAGRAMS_MOST, State, Teller
from l7lb_protocols.announce.datagram import Announcement, parse, room_for
from l7lb_protocols.announce.listing import Listing

SECRET = b"sixteen bytes or more"
SERVERS = [("m1", 1), ("m2", 1)]


class Agent:
    """What one node says."""

    def __init__(self, node: str = "m1", epoch: int = 1) -> None:
        self.teller = Teller(node, epoch, SECRET, 7677)
        self.held: set[int] = set()

    def say(self, sessions: int = 0, load: int = 0) -> list[Announcement]:
        state = State(sessions, load, 2_000_000, 10**9)
        return [parse(data, SECRET) for data in self.teller.datagrams(self.held, state)]

    def tell(self, holdings: Holdings, now_s: float, sessions: int = 0, load: int = 0) -> Heard:
        """All of it heard; the answer to the last."""
        found = [holdings.hear(said, now_s) for said in self.say(sessions, load)]
        return found[-1]

    def join(self, holdings: Holdings, now_s: float = 0.0) -> None:
        assert self.tell(holdings, now_s) is Heard.LIST
        assert holdings.learn(self.teller.listing(), now_s)


def holder_names(holdings: Holdings, file: int, now_s: float) -> list[str]:
    return [each.name for each in holdings.view(file, SERVERS, now_s) if each.holds]


def test_a_node_counts_from_its_list_on() -> None:
    holdings, agent = Holdings(), Agent()
    agent.held = {5}
    assert agent.tell(holdings, 0.0) is Heard.LIST
    assert holdings.needs_list() == ["m1"]
    assert holdings.list_port("m1") == 7677
    assert holder_names(holdings, 5, 0.0) == []
    assert holdings.learn(agent.teller.listing(), 0.0)
    assert holder_names(holdings, 5, 0.0) == ["m1"]
    assert holdings.needs_list() == []


def test_changes_follow_the_list() -> None:
    holdings, agent = Holdings(), Agent()
    agent.join(holdings)
    agent.held = {5, 6}
    assert agent.tell(holdings, 1.0, sessions=4, load=1000) is Heard.GOOD
    agent.held = {6}
    assert agent.tell(holdings, 1.5, sessions=4, load=1000) is Heard.GOOD
    assert holder_names(holdings, 5, 1.5) == []
    assert holdings.view(6, SERVERS, 1.5)[0] == Candidate("m1", 4.0, True, True, 1)
    [line] = holdings.nodes(2.0)
    assert (line.name, line.files, line.sessions, line.load) == ("m1", 1, 4, 1.0)
    assert (line.age_s, line.is_fresh, line.needs_list) == (0.5, True, False)


def test_a_replay_is_ignored() -> None:
    holdings, agent = Holdings(), Agent()
    agent.join(holdings)
    agent.held = {5}
    [added] = agent.say()
    assert holdings.hear(added, 1.0) is Heard.GOOD
    agent.held = set()
    assert agent.tell(holdings, 2.0) is Heard.GOOD
    assert holdings.hear(added, 3.0) is Heard.OLD
    assert holder_names(holdings, 5, 3.0) == []
    assert holdings.nodes(3.0)[0].age_s == 1.0


def test_a_recording_of_a_former_life_makes_nobody_alive() -> None:
    """To a director that has just started too: the list's nonce is what proves life."""
    holdings, agent = Holdings(), Agent(epoch=1)
    agent.held = {5}
    recorded = agent.say(sessions=9)
    assert holdings.hear(recorded[0], 0.0) is Heard.LIST
    assert holder_names(holdings, 5, 0.0) == []
    assert holdings.view(5, SERVERS, 0.0)[0].load == 0.0
    again = Agent(epoch=2)
    again.join(holdings, 1.0)
    assert holdings.hear(recorded[0], 2.0) is Heard.OLD


def test_a_lost_datagram_asks_for_the_list() -> None:
    holdings, agent = Holdings(), Agent()
    agent.join(holdings)
    agent.held = {5}
    agent.say()
    agent.held = {5, 6}
    assert agent.tell(holdings, 1.0) is Heard.LIST
    assert holder_names(holdings, 6, 1.0) == []
    assert holdings.learn(agent.teller.listing(), 1.0)
    assert holder_names(holdings, 5, 1.0) == ["m1"]
    assert holder_names(holdings, 6, 1.0) == ["m1"]


def test_what_is_said_while_the_list_travels_is_not_lost() -> None:
    holdings, agent = Holdings(), Agent()
    agent.tell(holdings, 0.0)
    listing = agent.teller.listing()
    agent.held = {7}
    agent.tell(holdings, 0.1)
    assert holdings.learn(listing, 0.2)
    assert holder_names(holdings, 7, 0.2) == ["m1"]


def test_a_hole_while_the_list_travels_asks_again() -> None:
    holdings, agent = Holdings(), Agent()
    agent.tell(holdings, 0.0)
    listing = agent.teller.listing()
    agent.held = {7}
    agent.say()
    agent.held = {7, 8}
    agent.tell(holdings, 0.1)
    assert not holdings.learn(listing, 0.2)
    assert holdings.needs_list() == ["m1"]


def test_a_list_that_does_not_fit_what_is_said_is_asked_for_again() -> None:
    holdings, agent = Holdings(), Agent()
    agent.tell(holdings, 0.0)
    listing = agent.teller.listing()
    assert holdings.learn(replace(listing, files=(99,)), 0.0)
    assert agent.tell(holdings, 0.5) is Heard.LIST
    assert holdings.needs_list() == ["m1"]


def test_a_list_of_before_a_restart_is_not_taken() -> None:
    holdings, old = Holdings(), Agent(epoch=1)
    old.held = {5}
    old.tell(holdings, 0.0)
    Agent(epoch=2).tell(holdings, 0.1)
    assert not holdings.learn(old.teller.listing(), 0.2)
    assert not holdings.learn(Listing("m9", 1, 1, ()), 0.2)
    assert holdings.needs_list() == ["m1"]


def test_the_word_of_a_silent_agent_ages_out() -> None:
    holdings, agent = Holdings(), Agent()
    agent.held = {5}
    agent.join(holdings)
    assert holder_names(holdings, 5, FRESH_S) == ["m1"]
    assert holder_names(holdings, 5, FRESH_S + 0.1) == []
    [line] = holdings.nodes(FRESH_S + 0.1)
    assert not line.is_fresh
    assert agent.tell(holdings, 60.0) is Heard.GOOD
    assert holder_names(holdings, 5, 60.0) == ["m1"]


def test_a_restarted_agent_whose_list_cannot_be_had_ages_out() -> None:
    holdings, agent = Holdings(), Agent(epoch=1)
    agent.held = {5}
    agent.join(holdings)
    again = Agent(epoch=2)
    assert again.tell(holdings, 1.0) is Heard.LIST
    assert holder_names(holdings, 5, 1.0) == []
    again.tell(holdings, 4.0)
    assert holdings.nodes(4.0)[0].age_s == 4.0


def test_of_a_server_that_says_nothing_the_load_is_the_mean() -> None:
    holdings, agent = Holdings(), Agent()
    agent.join(holdings)
    agent.tell(holdings, 1.0, sessions=6)
    assert [each.load for each in holdings.view(1, SERVERS, 1.0)] == [6.0, 6.0]
    assert [each.load for each in Holdings().view(1, SERVERS, 1.0)] == [0.0, 0.0]


def test_choices_made_here_count_until_the_server_counts_them() -> None:
    holdings, agent = Holdings(), Agent()
    agent.join(holdings)
    holdings.note("m1", 0.0)
    holdings.note("m2", 0.0)
    holdings.note("m2", 0.0)
    assert [each.load for each in holdings.view(1, SERVERS, NOTED_S)] == [1.0, 3.0]
    assert [each.load for each in holdings.view(1, SERVERS, NOTED_S + 0.1)] == [0.0, 0.0]
    assert holdings.view(1, [("m1", 4)], 0.0)[0].weight == 4


def test_bounds_and_forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NODES_MOST", 1)
    holdings = Holdings()
    Agent("m1").join(holdings)
    assert Agent("m2").tell(holdings, 0.0) is Heard.CROWD
    holdings.note("m1", 0.0)
    holdings.forget("m1")
    holdings.forget("m9")
    assert holdings.nodes(0.0) == []
    agent = Agent("m2")
    for _ in range(PENDING + 5):
        agent.tell(holdings, 0.0)
    assert len(holdings._nodes["m2"].pending) == PENDING


# --------------------------------------------------------------------------- what is told


def test_many_changes_take_several_datagrams_and_very_many_a_list() -> None:
    holdings, agent = Holdings(), Agent()
    agent.join(holdings)
    room = room_for("m1")
    agent.held = set(range(1, 3 * room))
    said = agent.say()
    assert [len(each.added) for each in said] == [room, room, room - 1]
    assert [holdings.hear(each, 1.0) for each in said] == [Heard.GOOD] * 3
    assert holdings.needs_list() == []
    agent.held = set(range(10_000, 10_001 + DATAGRAMS_MOST * room))
    [alone] = agent.say()
    assert alone.added == alone.evicted == ()
    holdings.hear(alone, 2.0)
    assert holdings.needs_list() == ["m1"]
    assert holdings.learn(agent.teller.listing(), 2.0)
    assert holder_names(holdings, 10_000, 2.0) == ["m1"]


@given(st.integers(0, 10**6))
def test_whatever_is_lost_or_late_the_list_makes_it_right(seed: int) -> None:
    rng = random.Random(seed)
    holdings, agent = Holdings(), Agent()
    agent.join(holdings)
    late: list[Announcement] = []
    for step in range(40):
        for _ in range(rng.randrange(4)):
            agent.held ^= {rng.randrange(1, 20)}
        for said in agent.say():
            if rng.random() < 0.3:
                late.append(said)
            else:
                holdings.hear(said, float(step))
        if late and rng.random() < 0.3:
            holdings.hear(late.pop(rng.randrange(len(late))), float(step))
        while holdings.needs_list():
            holdings.learn(agent.teller.listing(), float(step))
    agent.tell(holdings, 41.0)
    while holdings.needs_list():
        holdings.learn(agent.teller.listing(), 41.0)
    assert {file for file in range(20) if holder_names(holdings, file, 41.0)} == agent.held
