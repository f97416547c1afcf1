"""SETUP: what may be used, what both sides are told, and what is given back."""

from __future__ import annotations

import asyncio

import pytest

from l7lb.errors import MediaRefused, RelayRefused
from l7lb.media.control.office import Parts
from l7lb.media.control.states import State
from l7lb.media.ports import Choice, FlowPath
from l7lb.model import PoolSpec, ServerSpec
from l7lb.model_media import MediaSpec, Mode
from support.rtsp_rig import ScriptedServer, WordKernel, WordRelays, reply, to

UDP = "Transport: RTP/AVP;unicast;client_port=5000-5001"
TCP = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"


class Fixed:
    """`l7lb.media.ports.Modes` with one answer."""

    def __init__(self, mode: Mode | None) -> None:
        self.mode = mode

    def choose(self, service: str, pool: PoolSpec, server: ServerSpec, client: str) -> Choice:
        return Choice(self.mode, "fixed")


def relayed() -> Parts:
    return Parts(WordRelays())


def relays_of(parts: Parts) -> WordRelays:
    assert isinstance(parts.relays, WordRelays)
    return parts.relays


async def test_the_relay_stands_between() -> None:
    parts = relayed()
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        async with await rig.client() as client:
            said = await client.ask("SETUP", "rtsp://h/film/track1", UDP + ";mode=play")
            assert server.requests[0].get(b"transport") == (
                b"RTP/AVP;unicast;client_port=40006-40007;mode=play"
            )
            assert said.get(b"transport") == (
                b"RTP/AVP;unicast;client_port=5000-5001;mode=play;"
                b"server_port=40004-40005;ssrc=0A0B0C0D"
            )
            relays = relays_of(parts)
            [ask] = relays.opened
            assert (ask.client, ask.server) == ("127.0.0.1", "127.0.0.1")
            assert (ask.client_local, ask.server_local) == ("127.0.0.1", "127.0.0.1")
            [(stream, told)] = relays.told
            assert (stream.session, told.client_ports, told.server_ports) == (
                "relay1",
                (5000, 5001),
                (6000, 6001),
            )


async def test_two_streams_play_and_teardown() -> None:
    parts = relayed()
    async with ScriptedServer() as server, to(server, parts=parts, rtsp={"silent_s": 7.0}) as rig:
        async with await rig.client() as client:
            session = f"Session: {await client.set_up(UDP)}"
            second = UDP.replace("5000-5001", "5002-5003")
            said = await client.ask("SETUP", "rtsp://h/film/track2", second, session)
            assert said.status == 200
            relays = relays_of(parts)
            assert [ask.session for ask in relays.opened] == ["", "relay1"]
            await client.ask("PLAY", "rtsp://h/film", session)
            assert ("relay1", 7.0) in relays.touched
            await client.ask("TEARDOWN", "rtsp://h/film/track1", session)
            assert relays.closed == [("relay1", 1)]
            await client.ask("TEARDOWN", "rtsp://h/film", session)
            assert relays.closed[1:] == [("relay1", -1)]


async def test_another_connection_ends_the_session() -> None:
    parts = relayed()
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        async with await rig.client() as client:
            session = f"Session: {await client.set_up(UDP)}"
        relays = relays_of(parts)
        alias = relays.told[0][1].alias
        assert relays.timeouts == [40.0]
        relays.touched.clear()
        async with await rig.client() as client:
            await client.ask("PLAY", "rtsp://h/film", session)
            assert {name for name, _ in relays.touched} == {alias}
            await client.ask("TEARDOWN", "rtsp://h/film", session)
            assert relays.closed == [(alias, -1)]


async def test_a_player_that_leaves_with_its_teardown() -> None:
    parts = relayed()
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        server.says[b"TEARDOWN"] = lambda request: None
        async with await rig.client() as client:
            session = await client.set_up(UDP)
            client.request("TEARDOWN", "rtsp://h/film", f"Session: {session}")
            await rig.until(lambda: server.methods()[-1] == b"TEARDOWN")
            client.abort()
        await rig.until(lambda: relays_of(parts).closed)
        assert relays_of(parts).closed == [("relay1", -1)]
        assert len(rig.office.book) == 0


async def test_a_setup_that_fails_gives_ports_back() -> None:
    parts = relayed()
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        server.says[b"SETUP"] = lambda request: reply(request, 404)
        async with await rig.client() as client:
            assert (await client.ask("SETUP", "rtsp://h/film", UDP)).status == 404
            assert relays_of(parts).closed == [("relay1", 1)]


async def test_the_server_takes_tcp_of_two_offers() -> None:
    parts = relayed()
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        server.says[b"SETUP"] = lambda request: reply(
            request, 200, "Session: 1", "Transport: RTP/AVP/TCP;interleaved=0-1"
        )
        async with await rig.client() as client:
            said = await client.ask("SETUP", "rtsp://h/film", f"{UDP},RTP/AVP/TCP")
            assert said.get(b"transport") == b"RTP/AVP/TCP;interleaved=0-1"
            assert server.requests[0].get(b"transport") == (
                b"RTP/AVP;unicast;client_port=40006-40007,RTP/AVP/TCP"
            )
            assert relays_of(parts).closed == [("relay1", 1)]


@pytest.mark.parametrize(
    ("code", "status"), [("no-ports", 453), ("too-many", 453), ("no-address", 461)]
)
async def test_a_relay_that_refuses(code: str, status: int) -> None:
    parts = relayed()
    relays_of(parts).refusal = RelayRefused("no", code, 453 if status == 453 else 500)
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        async with await rig.client() as client:
            assert (await client.ask("SETUP", "rtsp://h/film", UDP)).status == status
            assert not server.requests
            said = await client.ask("SETUP", "rtsp://h/film", f"{UDP},RTP/AVP/TCP")
            assert said.status == 200
            assert server.requests[0].get(b"transport") == b"RTP/AVP/TCP"


async def test_a_client_that_leaves_while_ports_are_opened() -> None:
    parts = relayed()
    relays = relays_of(parts)
    relays.gate = asyncio.Event()
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        async with await rig.client() as client:
            await client.ask("OPTIONS")
            client.request("SETUP", "rtsp://h/film", UDP)
            await rig.until(lambda: any(s.state is State.SETTING_UP for s in rig.office.sessions))
            client.abort()
        await rig.until(lambda: not rig.engine.drivers)
        relays.gate.set()
        await rig.until(lambda: relays.closed)
        assert relays.closed == [("relay1", 1)]


async def test_a_server_that_goes_while_ports_are_opened() -> None:
    """The SETUP goes on to a server that is there."""
    parts = relayed()
    relays = relays_of(parts)
    relays.gate = asyncio.Event()
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        async with await rig.client() as client:
            await client.ask("OPTIONS")
            number = client.request("SETUP", "rtsp://h/film", UDP)
            await rig.until(lambda: any(s.state is State.SETTING_UP for s in rig.office.sessions))
            server.close_connections()
            await rig.until(lambda: server.connections == 2)
            relays.gate.set()
            said = await client.answer()
            assert (said.cseq, said.status) == (number, 200)
            await rig.until(lambda: relays.closed)
            assert relays.closed == [("relay1", 1)]
            assert b"server_port=40008-40009" in (said.get(b"transport") or b"")


@pytest.mark.parametrize(
    ("transport", "status"),
    [
        ("RTP/AVP;unicast;client_port=5000-5001;destination=192.0.2.9", 403),
        ("RTP/AVP/TCP,RTP/AVP;unicast;client_port=5-6;destination=192.0.2.9", 403),
        ("RTP/AVP;unicast;client_port=5000-5001;destination=127.0.0.1", 200),
        ("RTP/AVP;unicast;client_port=0-1", 400),
        ("RTP/AVP;unicast;client_port=70000", 400),
        ("RTP/AVP/TCP;interleaved=300", 400),
        ("RTP/AVP;unicast", 461),
        ("nonsense", 400),
        ("RTP/AVP;multicast;port=5000-5001;ttl=2;destination=224.2.0.1", 200),
    ],
)
async def test_transports(transport: str, status: int) -> None:
    async with ScriptedServer() as server, to(server, parts=relayed()) as rig:
        async with await rig.client() as client:
            said = await client.ask("SETUP", "rtsp://h/film", f"Transport: {transport}")
            assert said.status == status
            if status == 200:
                sent = server.requests[0].get(b"transport") or b""
                assert (b"destination" in sent) is ("multicast" in transport)


async def test_without_any_way_for_udp() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        assert (await client.ask("SETUP", "rtsp://h/film", UDP)).status == 461
        assert (await client.ask("SETUP", "rtsp://h/film", TCP)).status == 200


async def test_without_interleaving() -> None:
    parts = relayed()
    async with ScriptedServer() as server:
        async with to(server, parts=parts, rtsp={"interleaved": False}) as rig:
            async with await rig.client() as client:
                assert (await client.ask("SETUP", "rtsp://h/film", TCP)).status == 461
                assert (await client.ask("SETUP", "rtsp://h/film", UDP)).status == 200


async def test_a_silent_player_is_told_461() -> None:
    parts = relayed()
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        async with await rig.client() as client:
            session = f"Session: {await client.set_up(UDP)}"
            await client.ask("PLAY", "rtsp://h/film", session)
            rig.office.silent("relay1")
            assert (await client.ask("SETUP", "rtsp://h/film/track2", UDP)).status == 461
        async with await rig.client() as client:
            assert (await client.ask("SETUP", "rtsp://h/film", UDP)).status == 461
            assert (await client.ask("SETUP", "rtsp://h/film", TCP)).status == 200


async def test_redirect() -> None:
    parts = Parts(modes=Fixed(Mode.REDIRECT))
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        async with await rig.client() as client:
            assert (await client.ask("OPTIONS")).status == 200
            said = await client.ask("DESCRIBE", "rtsp://h:7/film?x=1")
            assert said.status == 302
            expected = f"rtsp://127.0.0.1:{server.port}/film?x=1".encode()
            assert said.get(b"location") == expected
            assert server.methods() == [b"OPTIONS"]


SAID = "Transport: RTP/AVP;client_port=5000-5001;source=127.0.0.1;server_port=6000-6001"


def kernel_parts(mode: Mode) -> tuple[Parts, WordKernel]:
    kernel = WordKernel()
    return Parts(modes=Fixed(mode), kernel=kernel), kernel


@pytest.mark.parametrize(("mode", "agent"), [(Mode.DIRECT, 7554), (Mode.NAT, 0)])
async def test_the_kernel_moves_the_packets(mode: Mode, agent: int) -> None:
    parts, kernel = kernel_parts(mode)
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        server.says[b"SETUP"] = lambda request: reply(request, 200, "Session: 1", SAID)
        async with await rig.client() as client:
            said = await client.ask("SETUP", "rtsp://h/film", UDP)
            assert kernel.sockets == ["127.0.0.1"]
            assert server.requests[0].get(b"transport") == UDP.partition(" ")[2].encode()
            assert said.get(b"transport") == SAID.partition(" ")[2].encode()
            session = (said.get(b"session") or b"").decode()
            await client.ask("PLAY", "rtsp://h/film", f"Session: {session}")
            await rig.until(lambda: len(kernel.latched) == 2)
            assert kernel.latched == [
                FlowPath("127.0.0.1", 5000, "127.0.0.1", 6000, agent),
                FlowPath("127.0.0.1", 5001, "127.0.0.1", 6001, agent),
            ]
            assert not rig.office.tcp_only.holds("127.0.0.1")


async def test_a_player_behind_a_router_is_unlatched_at_the_end() -> None:
    parts, kernel = kernel_parts(Mode.NAT)
    kernel.heard = "elsewhere"
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        async with await rig.client() as client:
            session = f"Session: {await client.set_up(UDP)}"
            await client.ask("PLAY", "rtsp://h/film", session)
            await rig.until(lambda: len(kernel.latched) == 2)
            await client.ask("TEARDOWN", "rtsp://h/film", session)
            await rig.until(lambda: kernel.unlatched == kernel.latched)


async def test_a_player_that_the_kernel_does_not_hear_is_told_461() -> None:
    parts, kernel = kernel_parts(Mode.NAT)
    kernel.heard = "silent"
    async with ScriptedServer() as server, to(server, parts=parts, rtsp={"silent_s": 0.1}) as rig:
        async with await rig.client() as client:
            session = await client.set_up(UDP)
            await client.ask("PLAY", "rtsp://h/film", f"Session: {session}")
            await rig.until(lambda: rig.office.tcp_only.holds("127.0.0.1"))
            assert (await client.ask("SETUP", "rtsp://h/film/2", UDP)).status == 461


async def test_without_the_players_address_there_is_no_udp() -> None:
    parts, kernel = kernel_parts(Mode.DIRECT)
    kernel.refusal = MediaRefused("no")
    async with ScriptedServer() as server, to(server, parts=parts) as rig:
        async with await rig.client() as client:
            assert (await client.ask("SETUP", "rtsp://h/film", UDP)).status == 461
            assert (await client.ask("SETUP", "rtsp://h/film", TCP)).status == 200


async def test_a_proxy_header_tells_the_players_address() -> None:
    parts, kernel = kernel_parts(Mode.NAT)
    async with ScriptedServer() as server, to(server, parts=parts, send_proxy=1) as rig:
        async with await rig.client() as client:
            client.request("OPTIONS")
            await rig.until(lambda: server.connections)
        assert not kernel.sockets


async def test_a_pool_without_udp() -> None:
    parts = relayed()
    async with ScriptedServer() as server, to(server, parts=parts, media=MediaSpec(())) as rig:
        async with await rig.client() as client:
            assert (await client.ask("SETUP", "rtsp://h/film", UDP)).status == 461


async def test_interleaved_frames_of_a_publisher() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        session = await client.set_up(TCP + ";mode=record")
        await client.ask("RECORD", "rtsp://h/film", f"Session: {session}")
        data = b"".join(b"$\0\0\x08" + b"%08d" % number for number in range(5000))
        client.send(data)
        await rig.until(lambda: len(server.frames) == len(data))
        assert server.frames == data
