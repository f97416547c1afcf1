"""A client without manners: sends any bytes and reads what comes back by h11."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import Self

import h11

from badinput.answered import Answered, AnswerReader
from badinput.recorder import READ, WAIT_S

Fields = list[tuple[bytes, bytes]]


@dataclass
class Talk:
    """All that came of one connection."""

    answers: list[Answered] = field(default_factory=list)
    """Whole answers, in order; a last one that is not whole."""
    closed: bool = False
    """The director closed (or reset) the connection."""
    unread: bytes = b""
    """Bytes behind the last answer that was waited for."""


class Client:
    """One connection to the director."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self._waiting = b""
        self.talk = Talk()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, data: bytes, *, ends: bool = False) -> None:
        """What the director does not want to read any more may be refused by the kernel."""
        try:
            self._sock.sendall(data)
            if ends:
                self._sock.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # a refusal may come before the last byte has gone

    def read(self, method: bytes, fields: Fields | None = None) -> Answered:
        """One answer to a request of `method`, as far as it comes."""
        reader = AnswerReader(method, fields or [])
        self.talk.answers.append(reader.answered)
        data = self._waiting or self._receive()
        self._waiting = b""
        while True:
            try:
                behind = reader.feed(data)
            except h11.RemoteProtocolError:
                return reader.answered
            if behind is not None:
                self._waiting = behind
            if behind is not None or not data:
                return reader.answered
            data = self._receive()

    def read_close(self) -> None:
        """Until the director closes; TimeoutError when it does not."""
        while not self.talk.closed:
            self._waiting += self._receive()
        self.talk.unread = self._waiting

    def _receive(self) -> bytes:
        try:
            data = self._sock.recv(READ)
        except ConnectionResetError:
            data = b""
        self.talk.closed = self.talk.closed or not data
        return data
