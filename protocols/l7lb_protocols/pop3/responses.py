"""Reader of a server's responses until login (RFC 1939 §3, RFC 2449 §8, RFC 5034 §4).

Owns the buffer of the server's bytes. Must not know what was asked: the caller says whether the
answer has many lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from l7lb_protocols.login.lines import LineBuffer
from l7lb_protocols.pop3.errors import Pop3ServerFault

OK = b"+OK"
ERR = b"-ERR"
CONTINUE = b"+"

_CODE = re.compile(rb"\[([^\]\r\n ]{1,64})\] ?")


@dataclass(frozen=True, slots=True)
class ResponseLimits:
    """Lines in bytes with CRLF; RFC 2449 §4 says 512."""

    max_line: int = 1024
    max_lines: int = 200


@dataclass(frozen=True, slots=True)
class Response:
    """One response. `kind` is OK, ERR or CONTINUE; `lines`: the body, dots unstuffed."""

    kind: bytes
    text: bytes
    """What follows, with its response code."""
    code: bytes = b""
    """In upper case, such as IN-USE or SYS/TEMP; empty if none."""
    lines: tuple[bytes, ...] = ()


class ResponseReader:
    """Bytes in, responses out, one at a time."""

    def __init__(self, limits: ResponseLimits | None = None) -> None:
        self.limits = limits or ResponseLimits()
        self._lines = LineBuffer(Pop3ServerFault)
        self._head: Response | None = None
        self._body: list[bytes] = []

    def __len__(self) -> int:
        """Bytes received and not yet read."""
        return len(self._lines)

    def receive(self, data: bytes) -> None:
        """Bytes of the server, in order."""
        self._lines.receive(data)

    def rest(self) -> bytes:
        """Take all bytes after the last response, untouched."""
        return self._lines.rest()

    def next_response(self, *, has_body: bool = False) -> Response | None:
        """The next one; None: more bytes are needed. `has_body`: a positive answer is followed by
        lines and a single dot. Raises Pop3ServerFault."""
        if self._head is None:
            line = self._lines.take_line(self.limits.max_line)
            if line is None:
                return None
            head = _parse(line)
            if not has_body or head.kind != OK:
                return head
            self._head = head
        return self._read_body(self._head)

    def _read_body(self, head: Response) -> Response | None:
        while (line := self._lines.take_line(self.limits.max_line)) is not None:
            if line == b".":
                body, self._body, self._head = self._body, [], None
                return Response(head.kind, head.text, head.code, tuple(body))
            if len(self._body) == self.limits.max_lines:
                raise Pop3ServerFault("too many lines")
            self._body.append(line.removeprefix(b"."))
        return None


def _parse(line: bytes) -> Response:
    word, _, text = line.partition(b" ")
    if word == CONTINUE:
        return Response(CONTINUE, text)
    kind = word.upper()
    if kind not in {OK, ERR}:
        raise Pop3ServerFault("response that is none", "RFC 1939 §3")
    code = _CODE.match(text)
    return Response(kind, text, code[1].upper() if code else b"")
