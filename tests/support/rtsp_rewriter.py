"""The least RTSP proxy that a relay needs, for one connection: SETUP's ports are rewritten.

Not the director's: it shows that the relay's verbs suffice for a real server and a real player.
"""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

from l7lb.media.relay import wire
from l7lb.media.relay.verbs import Open, Opened, Peers, Touch
from support.datagrams import WAIT_S
from support.relay_rig import Talk

_PORTS = rb"%s=(\d+)-(\d+)"


class Rewriter:
    """Listens at `port` on `host`; `run` serves one player until either side hangs up."""

    def __init__(self, host: str, server: tuple[str, int], ours: str, relay: Path) -> None:
        self.host, self.server, self.ours = host, server, ours
        self.talk = Talk(relay)
        self.listener = socket.create_server((host, 0))
        self.listener.settimeout(WAIT_S)
        self.port: int = self.listener.getsockname()[1]
        self.session = self.player = ""
        self._streams: list[Opened] = []
        self._asked: list[tuple[int, int]] = []

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self.run)
        thread.start()
        return thread

    def run(self) -> None:
        player, (self.player, _) = self.listener.accept()
        with player, self._dial() as server:
            back = threading.Thread(target=self._answers, args=(server, player))
            back.start()
            while message := read_message(player):
                server.sendall(self._request(message))
            server.shutdown(socket.SHUT_WR)
            back.join(WAIT_S)

    def _dial(self) -> socket.socket:
        """From the address that its media shall go to: servers send to whoever asks."""
        return socket.create_connection(self.server, source_address=(self.ours, 0))

    def close(self) -> None:
        self.talk.close()
        self.listener.close()

    def _request(self, message: bytes) -> bytes:
        if message.startswith(b"PLAY"):
            self.talk.ask(Touch(self.session, silent_s=30.0))
        if not message.startswith(b"SETUP"):
            return message
        reply = self.talk.ask(Open(self.player, self.server[0], self.host, self.ours, self.session))
        assert isinstance(reply, dict)
        opened = wire.opened(reply)
        self.session = opened.session
        self._streams.append(opened)
        self._asked.append(ports(message, b"client_port"))
        return told(message, b"client_port", opened.server_ports)

    def _answers(self, server: socket.socket, player: socket.socket) -> None:
        while message := read_message(server):
            if b"server_port=" in message:
                message = self._setup_answer(message)
            player.sendall(message)

    def _setup_answer(self, message: bytes) -> bytes:
        opened, asked = self._streams[-1], self._asked[-1]
        self.talk.ask(Peers(opened.session, opened.stream, asked, ports(message, b"server_port")))
        message = told(message, b"client_port", asked)
        return told(message, b"server_port", opened.client_ports)


def ports(message: bytes, name: bytes) -> tuple[int, int]:
    found = re.search(_PORTS % name, message)
    assert found is not None
    return int(found[1]), int(found[2])


def told(message: bytes, name: bytes, pair: tuple[int, int]) -> bytes:
    return re.sub(_PORTS % name, b"%s=%d-%d" % (name, *pair), message)


def read_message(sock: socket.socket) -> bytes:
    """Head and body of one message; empty at the end."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        try:
            octet = sock.recv(1)
        except ConnectionError:
            return b""
        if not octet:
            return b""
        data += octet
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", data)
    return data + (sock.recv(int(length[1]), socket.MSG_WAITALL) if length else b"")
