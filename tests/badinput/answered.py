"""What a client saw of an answer, read by h11; and whether that is what an entry means."""

from __future__ import annotations

from dataclasses import dataclass, field

import h11

from badinput.catalogue.case import Answer

HEAD_LIMIT = 65536


@dataclass
class Answered:
    """The answer to one request so far."""

    status: int = 0
    body: bytes = b""
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Names in lower case; trailers at the end."""
    interim: list[int] = field(default_factory=list)
    whole: bool = False


class AnswerReader:
    """Reads the answer to one request of `method`. Raises h11.RemoteProtocolError."""

    def __init__(self, method: bytes, fields: list[tuple[bytes, bytes]]) -> None:
        self.answered = Answered()
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
        self._h11.send(h11.Request(method=method, target=b"/", headers=[(b"Host", b"x"), *fields]))
        self._h11.send(h11.EndOfMessage())

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes, b"" for the end of the stream. When whole: the bytes behind it, else None."""
        self._h11.receive_data(data)
        found = self.answered
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.InformationalResponse):
                found.interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                found.status = event.status_code
                found.fields += event.headers
            elif isinstance(event, h11.Data):
                found.body += event.data
            elif isinstance(event, h11.EndOfMessage):
                found.fields += event.headers
                found.whole = True
                return self._h11.trailing_data[0]
            else:
                return None


def differences(meaning: Answer, found: Answered) -> list[str]:
    """Everything in which `found` is not what is meant; empty: it is."""
    wrong = [] if found.whole else ["the answer is not whole"]
    if found.status != meaning.status:
        wrong.append(f"status {found.status} instead of {meaning.status}")
    if meaning.status == 502:
        return wrong
    if found.body != meaning.body:
        wrong.append(f"body {found.body!r} instead of {meaning.body!r}")
    if tuple(found.interim) != meaning.interim:
        wrong.append(f"interim {found.interim} instead of {meaning.interim}")
    lines = [name + b": " + value for name, value in found.fields]
    names = [name for name, _ in found.fields]
    wrong += [f"{line!r} arrived" for line in meaning.absent if line in names + lines]
    wrong += [
        f"{name!r} is {[v for n, v in found.fields if n == name]}, not {value!r}"
        for name, value in meaning.present
        if [v for n, v in found.fields if n == name] != [value]
    ]
    return wrong
