"""Whatever both sides say in whatever order: no fault of ours, and everything is given back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import pytest

from l7lb.media.control.office import Parts
from l7lb.model import SchedulerKind, SchedulerSpec, Timeouts
from support.rtsp_rig import RtspClient, RtspRig, ScriptedServer, WordRelays, reply, to
from support.rtsp_seeds import STREAMS, TRANSPORTS

SEEDS = range(40)
STEPS = 30
METHODS = ("OPTIONS", "DESCRIBE", "ANNOUNCE", "SETUP", "PLAY", "PAUSE", "RECORD", "TEARDOWN")
RARE = ("GET_PARAMETER", "FETCH")
PATHS = ("rtsp://h/film", "rtsp://h/film/track1", "rtsp://h/other", "*", "rtsp://h/a/../b", "x")
QUICK = Timeouts(head_s=0.2, first_byte_s=0.2, keep_alive_s=0.5, connect_s=1.0)


class Chance:
    """One run's choices."""

    def __init__(self, seed: int, rig: RtspRig, servers: tuple[ScriptedServer, ...]) -> None:
        self.dice = random.Random(seed)
        self.rig = rig
        self.servers = servers
        self.sessions = ["s123", "a.b"]

    def request(self, client: RtspClient) -> None:
        dice, fields = self.dice, []
        method = dice.choice(METHODS if dice.random() < 0.9 else RARE)
        if method == "SETUP" or dice.random() < 0.1:
            fields.append(f"Transport: {dice.choice(TRANSPORTS).decode()}")
        if dice.random() < 0.5:
            fields.append(f"Session: {dice.choice(self.sessions)}")
        client.request(method, dice.choice(PATHS), *fields)

    def junk(self, client: RtspClient) -> None:
        data = self.dice.choice(STREAMS)
        client.send(data[: self.dice.randrange(len(data) + 1)])

    def frames(self, client: RtspClient) -> None:
        client.send(b"$\0\0\4abcd" * self.dice.randrange(1, 50))

    def server_speaks(self, client: RtspClient) -> None:
        server = self.dice.choice(self.servers)
        if server._writers:
            server.send(self.dice.choice((*STREAMS, b"$\0\0\4abcd" * 20)))

    def server_leaves(self, client: RtspClient) -> None:
        if self.dice.random() < 0.2:
            self.dice.choice(self.servers).close_connections()

    def silent(self, client: RtspClient) -> None:
        self.rig.office.silent(f"relay{self.dice.randrange(1, 5)}")

    async def run(self) -> None:
        is_set_up = self.dice.random() < 0.6
        steps: list[Callable[[RtspClient], None]] = [
            *[self.request] * 60,
            *[self.frames] * (4 if is_set_up else 0),
            self.junk,
            self.server_speaks,
            self.server_leaves,
            self.silent,
        ]
        async with await self.rig.client() as client:
            if is_set_up:
                client.request("SETUP", PATHS[1], "Transport: RTP/AVP/TCP")
            listening = asyncio.create_task(self.listen(client))
            for _ in range(STEPS):
                self.dice.choice(steps)(client)
                await asyncio.sleep(self.dice.choice((0, 0, 0.002)))
            if self.dice.random() < 0.3:
                client.writer.transport.abort()
            await asyncio.wait([listening], timeout=0.05)
            listening.cancel()
            await asyncio.wait([listening])

    async def listen(self, client: RtspClient) -> None:
        """Take what comes until the director closes, and remember sessions."""
        while True:
            try:
                said = await client.event()
            except (AssertionError, OSError):
                return
            session = said.get(b"session")
            if session is not None:
                self.sessions.append(session.partition(b";")[0].decode())


@pytest.mark.parametrize("seed", SEEDS)
async def test_any_order(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts(WordRelays())
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        dice = random.Random(seed)
        for server in (one, two):
            if dice.random() < 0.3:
                server.says[b"PLAY"] = lambda request: None
            if dice.random() < 0.3:
                server.says[b"SETUP"] = lambda request: reply(request, 404)
        rig = to(one, two, parts=parts, timeouts=QUICK, scheduler=SchedulerSpec(SchedulerKind.RR))
        async with rig:
            players = [Chance(seed * 10 + number, rig, (one, two)) for number in range(3)]
            await asyncio.gather(*(player.run() for player in players))
    assert one.requests or two.requests
    faults = [record for record in caplog.records if "fault of ours" in record.message]
    failed = [record for record in caplog.records if "session failed" in record.message]
    assert not faults + failed
