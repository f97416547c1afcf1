"""Reader of a server's responses until login (RFC 9051 §2.2.2, §7).

Owns the buffer of the server's bytes. Must not know what was asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from l7lb_protocols.imap.errors import ImapServerFault
from l7lb_protocols.imap.grammar import TAG
from l7lb_protocols.login.lines import LineBuffer

REMEMBERED = 256
"""Responses kept as read: servers say the same thing at every login."""
REMEMBERED_BYTES = 1024
"""Longer ones are read anew."""
UNTAGGED = b"*"
CONTINUE = b"+"

_STATUS = frozenset({b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"})
_RESULT = frozenset({b"OK", b"NO", b"BAD"})
_CODE = re.compile(rb"\[([A-Za-z0-9/._+=-]+)(?: ([^\]]*))?\] ?")
_LITERAL = re.compile(rb"~?\{([0-9]{1,10})\}\Z")


@dataclass(frozen=True, slots=True)
class ResponseLimits:
    """In bytes; `max_response`: all lines and literals of one response."""

    max_line: int = 8192
    max_response: int = 65536


USUAL = ResponseLimits()


@dataclass(frozen=True, slots=True)
class Response:
    """One response. `tag` is UNTAGGED, CONTINUE or a command's; `kind` in upper case: OK, NO, BAD,
    BYE, PREAUTH, or the first word of other untagged data; empty for CONTINUE."""

    tag: bytes
    kind: bytes
    text: bytes
    """What follows, without the response code."""
    code: bytes = b""
    """Response code in upper case, such as UNAVAILABLE; empty if none."""
    code_text: bytes = b""
    raw: bytes = b""
    """The whole, with its CRLF."""


class ResponseReader:
    """Bytes in, responses out, one at a time."""

    def __init__(self, limits: ResponseLimits | None = None) -> None:
        self.limits = limits or USUAL
        self._lines = LineBuffer(ImapServerFault)
        self._raw = b""
        self._literal = -1

    def __len__(self) -> int:
        """Bytes received and not yet read."""
        return len(self._lines) + len(self._raw)

    def receive(self, data: bytes) -> None:
        """Bytes of the server, in order."""
        self._lines.receive(data)

    def rest(self) -> bytes:
        """Take all bytes after the last response, untouched."""
        return self._lines.rest()

    def next_response(self) -> Response | None:
        """The next one; None: more bytes are needed. Raises ImapServerFault."""
        while True:
            if self._literal >= 0:
                data = self._lines.take(self._literal)
                if data is None:
                    return None
                self._literal = -1
                self._raw += data
            line = self._lines.take_line(self.limits.max_line)
            if line is None:
                return None
            self._raw += line + b"\r\n"
            if not self._announces(line):
                raw, self._raw = self._raw, b""
                return _parse(raw) if len(raw) > REMEMBERED_BYTES else _remembered(raw)

    def _announces(self, line: bytes) -> bool:
        """Whether a literal follows; text of a status response may look as if."""
        found = _LITERAL.search(line) if line.endswith(b"}") else None
        size = int(found[1]) if found and _has_data(self._raw) else 0
        if len(self._raw) + size > self.limits.max_response:
            raise ImapServerFault("response over the limit")
        if found is None or not _has_data(self._raw):
            return False
        self._literal = size
        return True


def _has_data(raw: bytes) -> bool:
    words = raw.split(b" ", 2)
    return words[0] == UNTAGGED and len(words) > 1 and words[1].upper() not in _STATUS


def _parse(raw: bytes) -> Response:
    head = raw[:-2]
    tag, _, after = head.partition(b" ")
    if tag == CONTINUE:
        return Response(CONTINUE, b"", after, raw=raw)
    word, _, text = after.partition(b" ")
    kind = word.upper()
    if not TAG.fullmatch(tag) and tag != UNTAGGED:
        raise ImapServerFault("response without tag", "RFC 9051 §7")
    if not kind or (tag != UNTAGGED and kind not in _RESULT):
        raise ImapServerFault("response that is none", "RFC 9051 §7")
    code = _CODE.match(text) if kind in _STATUS else None
    if code is None:
        return Response(tag, kind, text, raw=raw)
    return Response(tag, kind, text[code.end() :], code[1].upper(), code[2] or b"", raw)


_remembered = lru_cache(REMEMBERED)(_parse)
