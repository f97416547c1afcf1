"""The director's ear for hot files: one hears, all workers know, and sessions go to the holder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from l7lb.director.hot_ear import HotEar
from l7lb.media.control.office import Parts
from l7lb.media.hot.chooser import Chooser
from l7lb.media.hot.holdings import Holdings
from l7lb.media.hot.lists import ListServer
from l7lb.media.hot.receiver import Said
from l7lb.media.hot.sockets import Sender
from l7lb.media.hot.telling import State, Teller
from l7lb.model import ClusterSpec
from l7lb.model_directory import SecretSpec
from l7lb.model_hot_files import AnnounceSpec, HotFilesSpec, Socket
from l7lb_protocols.announce.datagram import parse
from l7lb_protocols.announce.digest import path_digest
from l7lb_protocols.announce.listing import Listing
from support.rig import pool, route
from support.rtsp_rig import ScriptedServer, rtsp_service, to

SECRET = b"sixteen bytes or more"
FILE = path_digest(b"/film")


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60.0):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture
async def teller() -> AsyncIterator[Teller]:
    found = Teller("media2", 1, SECRET)
    server = ListServer(found.listing, SECRET)
    found.list_port = await server.open(Socket("127.0.0.1", 0))
    yield found
    await server.close()


def spec(host: str = "127.0.0.1") -> ClusterSpec:
    announce = AnnounceSpec((), SecretSpec(SECRET), listen=Socket(host, 0))
    hot = HotFilesSpec("/a", "/b", "/c", 1, announce)
    one = rtsp_service(route("media"))
    return ClusterSpec({"media": pool("media", 1)}, {one.name: one}, hot_files=hot)


def take(holdings: Holdings, said: Said) -> None:
    if isinstance(said, Listing):
        holdings.learn(said, 0.0)
    else:
        holdings.hear(said, 0.0)


async def test_what_is_heard_is_handed_on_and_kept_for_new_workers(teller: Teller) -> None:
    told: list[Said] = []
    notes: list[tuple[str, dict[str, object]]] = []
    ear = HotEar(lambda event, level, fields: notes.append((event, fields)), told.append)
    ear.reconcile(spec())
    [(event, fields)] = notes
    assert event == "hot-files-heard"
    sender = Sender([Socket("127.0.0.1", int(str(fields["port"])))])
    sender.send(teller.datagrams({FILE}, State(sessions=3)))
    await until(lambda: any(isinstance(said, Listing) for said in told))
    sender.close()
    view = ear.view()
    assert view is not None
    assert view["servers"]["media2"]["files"] == 1  # type: ignore[index]
    for words in (told, ear.known()):
        holdings = Holdings(fresh_s=3600.0)
        for said in words:
            take(holdings, said)
        chooser = Chooser(holdings, lambda: 0.0)
        assert chooser.choose("media", b"/film", ["media1", "media2"]) == "media2"
    ear.reconcile(ClusterSpec({}, {}))
    assert ear.view() is None
    await ear.close()


async def test_an_address_that_is_not_ours_is_told() -> None:
    notes: list[str] = []
    ear = HotEar(lambda event, level, fields: notes.append(event), lambda said: None)
    ear.reconcile(spec(host="192.0.2.1"))
    assert notes == ["hot-files-not-heard"]
    assert ear.view() is None
    await ear.close()


async def test_a_session_goes_to_who_holds_the_file(teller: Teller) -> None:
    holdings = Holdings(fresh_s=3600.0)
    parts = Parts(holdings=Chooser(holdings, lambda: 0.0))
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        async with to(one, two, parts=parts) as rig:
            for said in _words(teller):
                take(holdings, said)
            for _ in range(3):
                async with await rig.client() as client:
                    assert (await client.ask("DESCRIBE", "rtsp://h/film")).status == 200
            assert two.methods() == [b"DESCRIBE"] * 3
            assert one.methods() == []


def _words(teller: Teller) -> list[Said]:
    [datagram] = teller.datagrams({FILE}, State())
    said = parse(datagram, SECRET)
    return [said, Listing("media2", said.epoch, said.sequence, (FILE,))]
