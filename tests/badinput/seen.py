"""What a server saw of a request, read by h11; and whether that is what an entry means."""

from __future__ import annotations

from dataclasses import dataclass

import h11

from badinput.catalogue.case import Meaning

HEAD_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Seen:
    """One whole request."""

    method: bytes
    target: bytes
    body: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    """Names in lower case; trailers at the end."""

    @property
    def host(self) -> bytes:
        return next((value for name, value in self.fields if name == b"host"), b"")


class Reader:
    """Reads one connection's requests. Raises h11.RemoteProtocolError where h11 would not agree."""

    def __init__(self) -> None:
        self.whole: list[Seen] = []
        self.begun = False
        """A request has begun that is not whole yet."""
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._head: h11.Request | None = None
        self._body = b""

    def feed(self, data: bytes) -> list[Seen]:
        """Requests that became whole by these bytes; `data` b"" is the end of the stream."""
        self._h11.receive_data(data)
        self.begun = self.begun or data != b""
        before = len(self.whole)
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Request):
                self._head, self._body = event, b""
            elif isinstance(event, h11.Data):
                self._body += event.data
            elif isinstance(event, h11.EndOfMessage):
                self._finish(event)
            else:
                return self.whole[before:]

    def _finish(self, end: h11.EndOfMessage) -> None:
        assert self._head is not None
        head = self._head
        fields = (*head.headers, *end.headers)
        self.whole.append(Seen(head.method, head.target, self._body, tuple(fields)))
        self.begun = False
        self._h11.send(h11.Response(status_code=204, headers=[]))
        self._h11.send(h11.EndOfMessage())
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            self.begun = self._h11.trailing_data[0] != b""


def differences(meaning: Meaning, seen: Seen) -> list[str]:
    """Everything in which `seen` is not what is meant; empty: it is."""
    wrong = [
        f"{what}: {found!r} instead of {meant!r}"
        for what, found, meant in (
            ("method", seen.method, meaning.method),
            ("target", seen.target, meaning.target),
            ("host", seen.host, meaning.host),
            ("body", seen.body, meaning.body),
        )
        if found != meant
    ]
    lines = [name + b": " + value for name, value in seen.fields]
    names = [name for name, _ in seen.fields]
    wrong += [f"{field!r} arrived" for field in meaning.absent if field in names + lines]
    wrong += [
        f"{name!r} is {[v for n, v in seen.fields if n == name]}, not {value!r}"
        for name, value in meaning.present
        if [v for n, v in seen.fields if n == name] != [value]
    ]
    return wrong
