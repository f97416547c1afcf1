"""A server that answers as an entry of the catalogue says, whatever is asked."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence

from badinput.catalogue.case import ResponseCase
from badinput.recorder import READ, Loopback

AFTER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nafter"
_ENTRY = re.compile(rb"[A-Z]+ /case/(\S+) HTTP/1\.1\r\n")


class Scripted:
    """`/case/NAME` gets the bytes of that entry, everything else a sound answer."""

    def __init__(self, cases: Sequence[ResponseCase]) -> None:
        self._cases = {case.name.encode(): case for case in cases}
        self._server = Loopback(self._serve)
        self.port = self._server.port

    def close(self) -> None:
        self._server.close()

    def _serve(self, sock: socket.socket) -> None:
        waiting = b""
        while True:
            while b"\r\n\r\n" not in waiting:
                data = sock.recv(READ)
                if not data:
                    return
                waiting += data
            head, _, waiting = waiting.partition(b"\r\n\r\n")
            asked = _ENTRY.match(head)
            if asked is None:
                sock.sendall(AFTER)
                continue
            case = self._cases[asked[1]]
            sock.sendall(case.raw)
            if case.ends:
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(READ):
                    pass
                return
