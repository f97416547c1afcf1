"""A relay in a thread of the test, and one as a process, each behind a socket of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from l7lb.media.relay import wire
from l7lb.media.relay.loop import Relay
from l7lb.media.relay.process import listening_socket
from l7lb.media.relay.spec import RelaySpec
from l7lb.media.relay.verbs import News, Request
from support.datagrams import WAIT_S

SPEC = RelaySpec(23000, 27999)


@contextlib.contextmanager
def running_relay(path: Path, spec: RelaySpec = SPEC) -> Iterator[Relay]:
    relay = Relay(listening_socket(path), spec)
    thread = threading.Thread(target=relay.run)
    thread.start()
    try:
        yield relay
    finally:
        relay.stop()
        thread.join(WAIT_S)
        assert not thread.is_alive()


class Talk:
    """One connection to a relay, without an event loop."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(str(path))
        self.news: list[News] = []
        self._number = 0

    def ask(self, request: Request) -> wire.Reply:
        """News that come meanwhile are kept."""
        self._number += 1
        self.socket.send(wire.encode_request(self._number, request))
        return self.reply(self._number)

    def reply(self, number: int) -> wire.Reply:
        while True:
            found = wire.decode_answer(self.socket.recv(wire.REPLY_BYTES))
            if isinstance(found, News):
                self.news.append(found)
                continue
            assert found[0] == number
            return found[1]

    def next_news(self) -> News:
        if self.news:
            return self.news.pop(0)
        found = wire.decode_answer(self.socket.recv(wire.REPLY_BYTES))
        assert isinstance(found, News)
        return found

    def is_cut_off(self) -> bool:
        """The relay has closed it."""
        try:
            return self.socket.recv(10) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self.socket.close()
