"""Events of one round: what belongs to a closed descriptor reaches nobody else."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from l7lb.net.poller import READ, WRITE, Pollable, Poller
from support.peers import within


@pytest.fixture
async def poller() -> Iterator[Poller]:
    made = Poller(asyncio.get_running_loop())
    yield made
    made.close()


class Noted(Pollable):
    """Remembers its events; does something at the first."""

    def __init__(self, act: object = None) -> None:
        super().__init__()
        self.events: list[int] = []
        self.told = asyncio.Event()
        self._act = act

    def ready(self, events: int) -> None:
        self.events.append(events)
        self.told.set()
        act, self._act = self._act, None
        if callable(act):
            act()


async def test_descriptor_that_is_used_again_in_the_same_round(poller: Poller) -> None:
    """Both are ready; whoever is first closes the other, whose number a new socket gets."""
    ends = [socket.socketpair() for _ in range(2)]
    fresh: list[socket.socket] = []
    newcomer = Noted()

    def swap(victim: socket.socket) -> None:
        number = victim.fileno()
        poller.forget(number)
        pair = socket.socketpair()
        os.dup2(pair[0].fileno(), number)
        victim.detach()
        fresh.extend([*pair, socket.socket(fileno=number)])
        poller.watch(number, newcomer, READ)

    for n in range(2):
        other = ends[1 - n][0]
        poller.watch(ends[n][0].fileno(), Noted(lambda other=other: swap(other)), READ)
        ends[n][1].send(b"x")
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(fresh) == 3
    assert newcomer.events == []
    fresh[1].send(b"real")
    await within(newcomer.told.wait())
    assert newcomer.events[0] & READ
    for sock in (*fresh, *(each for pair in ends for each in pair)):
        sock.close()


async def test_fault_in_one_connection_leaves_the_others(poller: Poller) -> None:
    def fault() -> None:
        raise RuntimeError("a fault of ours")

    bad, good = socket.socketpair()
    noted = Noted()
    poller.watch(bad.fileno(), Noted(fault), WRITE)
    poller.watch(good.fileno(), noted, WRITE)
    await within(noted.told.wait())
    assert bad.fileno() not in poller
    assert good.fileno() in poller
    poller.forget(good.fileno())
    bad.close()
    good.close()
