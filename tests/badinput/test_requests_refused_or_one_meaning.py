"""The catalogue over real sockets: client → director → server, with every kind of server behind.

A sound request of our own goes after each entry: when it has arrived, everything before it has.
"""

from __future__ import annotations

import itertools

import pytest

from badinput.catalogue.case import CLOSED, HOST, Case
from badinput.catalogue.requests import REQUESTS
from badinput.client import Client
from badinput.director import Director
from badinput.seen import Seen, differences

SERVERS = ("recorder", "nginx", "haproxy", "aiohttp")
numbers = itertools.count(1)


def sentinel(director: Director, name: str) -> bytes:
    """Send a request on a new connection and await its answer; returns its target."""
    target = b"/sentinel/%d" % next(numbers)
    with Client(director.ports[name]) as client:
        client.send(b"GET " + target + b" HTTP/1.1\r\nHost: " + HOST + b"\r\n\r\n")
        assert client.read(b"GET").status == 200
    return target


def arrived(director: Director, name: str) -> list[Seen]:
    """What the server behind saw since the last call, without our own request."""
    target = sentinel(director, name)
    seen = director.servers[name].recorder.take()
    assert [one.target for one in seen].count(target) == 1
    return [one for one in seen if one.target != target]


def talk(case: Case, port: int) -> Client:
    """Send the entry and read all answers that must come of it."""
    with Client(port) as client:
        client.send(case.raw, ends=case.ends)
        for meaning in case.meanings:
            client.read(meaning.method)
        if case.refused:
            client.read(b"GET")
            client.read_close()
        return client


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("case", REQUESTS, ids=lambda case: case.name)
def test_over_sockets(case: Case, server: str, director: Director) -> None:
    recorder = director.servers[server].recorder
    recorder.take()
    recorder.take_noise()
    found = talk(case, director.ports[server]).talk
    seen = arrived(director, server)
    statuses = [answer.status for answer in found.answers]
    assert all(answer.whole for answer in found.answers[: len(case.meanings)]), statuses
    if case.refused:
        last = found.answers[-1]
        assert last.whole or CLOSED in case.refused
        assert (last.status if last.whole else CLOSED) in case.refused, last
        assert found.closed
        assert found.unread == b""
    expect(case, statuses, seen, server)
    if not case.in_body and server == "recorder":
        assert recorder.take_noise() == [], "a part of something refused went to the server"


def expect(case: Case, statuses: list[int], seen: list[Seen], server: str) -> None:
    """Every meaning arrived, in order, and nothing else; a server may decline by itself."""
    accepted = [
        meaning
        for meaning, status in zip(case.meanings, statuses, strict=False)
        if status == 200 or server not in case.declined_by
    ]
    assert len(seen) == len(accepted), (statuses, seen)
    for meaning, one in zip(accepted, seen, strict=True):
        assert differences(meaning, one) == []
    answered = statuses[: len(case.meanings)]
    assert all(
        status == 200 or (server in case.declined_by and 400 <= status < 600) for status in answered
    ), answered
