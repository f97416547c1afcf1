"""The rules of both modes packet by packet, with plain sockets on the hosts of the lab."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from typing import Any

import pytest

from l7lb.media.kernel.rules import KernelRules
from l7lb.media.kernel.spec import BadWant
from l7lb.media.onserver.rules import OnServer
from l7lb.media.onserver.spec import OnServerSpec, Side
from support.media_director import PORTS, RTSP, wanted
from support.media_lab import GATEWAY, VIP, MediaLab, back, front, media_lab

pytestmark = pytest.mark.timeout(300)

WAIT_S = 20.0
SILENCE_S = 0.3
"""That nothing comes cannot be waited for; what is sent afterwards and comes proves more."""
PLAYER_PORT = 5004
MEDIA_PORT = PORTS["s1"][0]


class Plane:
    """The rules of one mode in the kernels of d1 and s1."""

    def __init__(self, lab: MediaLab, version: int, mode: str) -> None:
        self.lab, self.version, self.mode = lab, version, mode
        self._stack = ExitStack()
        lab.way_back("director" if mode == "nat" else "router")
        with lab["d1"].inside():
            self.rules = KernelRules()
            self.rules.apply(wanted(version, [mode]))
        self.server: OnServer | None = None
        if mode == "direct":
            addresses = (back("s1", version), VIP[version], GATEWAY[version])
            side = Side(*map(ip_address, addresses))
            with lab["s1"].inside():
                self.server = OnServer(OnServerSpec((side,), *PORTS["s1"]))
                self.server.apply()

    @property
    def vip(self) -> str:
        return VIP[self.version]

    def udp(self, host: str, port: int) -> socket.socket:
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        with self.lab[host].inside():
            sock = socket.socket(family, socket.SOCK_DGRAM)
            self._stack.callback(sock.close)
            sock.bind(("", port))
            sock.settimeout(WAIT_S)
            return sock

    def dropped(self) -> dict[str, int]:
        found: dict[str, int] = self.rules.counters()["dropped"]
        return found

    def close(self) -> None:
        self._stack.close()
        self.rules.close()
        if self.server is not None:
            self.server.close()


@contextmanager
def plane(version: int, mode: str) -> Iterator[Plane]:
    with media_lab() as lab:
        here = Plane(lab, version, mode)
        try:
            yield here
        finally:
            here.close()


@pytest.fixture(params=[(4, "nat"), (6, "nat"), (4, "direct"), (6, "direct")], ids=str)
def scene(request: pytest.FixtureRequest) -> Iterator[Plane]:
    with plane(*request.param) as here:
        yield here


def got(sock: socket.socket) -> tuple[bytes, tuple[Any, ...]]:
    data, source = sock.recvfrom(65536)
    return data, source[:2]


def is_silent(sock: socket.socket) -> bool:
    sock.settimeout(SILENCE_S)
    try:
        sock.recvfrom(65536)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(WAIT_S)
    return False


def test_media_bears_the_vip_and_reports_find_the_server(scene: Plane) -> None:
    server, player = scene.udp("s1", MEDIA_PORT), scene.udp("client", PLAYER_PORT)
    where = (front("client", scene.version), PLAYER_PORT)
    for size in (1, 1400, 8000, 30000):
        server.sendto(b"m" * size, where)
        assert got(player) == (b"m" * size, (scene.vip, MEDIA_PORT))
        player.sendto(b"r" * size, (scene.vip, MEDIA_PORT))
        assert got(server) == (b"r" * size, where)


def test_a_stranger_reaches_no_server(scene: Plane) -> None:
    server, player = scene.udp("s1", MEDIA_PORT), scene.udp("client", PLAYER_PORT)
    stranger = scene.udp("router", PLAYER_PORT)
    stranger.sendto(b"before", (scene.vip, MEDIA_PORT))
    server.sendto(b"media", (front("client", scene.version), PLAYER_PORT))
    got(player)
    stranger.sendto(b"while", (scene.vip, MEDIA_PORT))
    other_port = scene.udp("client", PLAYER_PORT + 7)
    other_port.sendto(b"same host, other port, no control", (scene.vip, MEDIA_PORT))
    player.sendto(b"report", (scene.vip, MEDIA_PORT))
    assert got(server) == (b"report", (front("client", scene.version), PLAYER_PORT))
    assert is_silent(server)
    if scene.mode == "nat":
        assert scene.dropped()["strangers"] == 3


def test_who_has_a_control_connection_may_speak_first(scene: Plane) -> None:
    """A publisher sends before the server does, and so does a punch through a router."""
    family = socket.AF_INET if scene.version == 4 else socket.AF_INET6
    with scene.lab["s1"].inside():
        rtsp = socket.create_server((back("s1", scene.version), RTSP), family=family)
    with scene.lab["d1"].inside():
        listener = socket.create_server((scene.vip, RTSP), family=family)
    source = ip_address(front("client", scene.version))
    with scene.lab["d1"].inside():
        towards = scene.rules.transparent_socket(source, 0)
    with scene.lab["client"].inside():
        control = socket.create_connection((scene.vip, RTSP), timeout=WAIT_S)
    with rtsp, listener, towards, control:
        towards.settimeout(WAIT_S)
        towards.connect((back("s1", scene.version), RTSP))
        at_server, peer = rtsp.accept()
        assert peer[0] == str(source)
        accepted, _ = listener.accept()
        with at_server, accepted:
            for one, other in ((control, accepted), (towards, at_server)):
                one.sendall(b"OPTIONS")
                assert other.recv(64) == b"OPTIONS"
                other.sendall(b"OK")
                assert one.recv(64) == b"OK"
            server, player = scene.udp("s1", MEDIA_PORT), scene.udp("client", PLAYER_PORT)
            player.sendto(b"punch", (scene.vip, MEDIA_PORT))
            assert got(server) == (b"punch", (str(source), PLAYER_PORT))


def test_ports_that_are_no_servers_stay_the_directors(scene: Plane) -> None:
    player, own = scene.udp("client", PLAYER_PORT), scene.udp("d1", 30000)
    player.sendto(b"relay", (scene.vip, 30000))
    data, source = got(own)
    assert (data, source[0]) == (b"relay", front("client", scene.version))
    own.sendto(b"answer", (front("client", scene.version), PLAYER_PORT))
    assert got(player)[0] == b"answer"


def test_a_server_that_leaves_the_rules_keeps_its_own_address(scene: Plane) -> None:
    if scene.server is not None:
        scene.server.undo()
    before = scene.rules.counters()
    scene.rules.apply(wanted(scene.version, [scene.mode], ("s2",)))
    server, player = scene.udp("s1", MEDIA_PORT), scene.udp("client", PLAYER_PORT)
    server.sendto(b"media", (front("client", scene.version), PLAYER_PORT))
    assert got(player)[1] == (back("s1", scene.version), MEDIA_PORT)
    assert before["servers"][0]["server"] == "s1"
    assert [each["server"] for each in scene.rules.counters()["servers"]] == ["s2"]


def test_a_socket_is_made_only_with_a_clients_address() -> None:
    with plane(4, "nat") as here, here.lab["d1"].inside():
        for own in (front("d1"), VIP[4], "127.0.0.1", "169.254.1.1"):
            with pytest.raises(BadWant, match="no client's address"):
                here.rules.transparent_socket(ip_address(own), 0)
        with here.rules.transparent_socket(ip_address("198.51.100.7"), 4321) as sock:
            assert sock.getsockname() == ("198.51.100.7", 4321)
