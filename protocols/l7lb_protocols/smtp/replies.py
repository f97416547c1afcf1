"""Replies: three digits, an enhanced status code, text (RFC 5321 §4.2, RFC 2034, RFC 3463).

One type for the replies that we give and those that we read. It must not know any command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from l7lb_protocols.smtp.errors import Misuse, SmtpRefusal

MAX_TEXT = 480
"""Octets of one line: with codes and CRLF it stays below 512 (RFC 5321 §4.5.3.1.5)."""
MAX_LINES = 100

_ENHANCED = re.compile(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_PREFIX = re.compile(rb"(" + _ENHANCED.pattern + rb")(?: |$)")
_UNSAFE = re.compile(rb"[^\t -~\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Reply:
    """`lines` hold neither codes nor line ends; `enhanced` is empty or of the class of `code`.

    Raises Misuse for a code outside 200 to 599, an enhanced code that does not fit it, no line, or
    a control character: a reply can never become two.
    """

    code: int
    lines: tuple[bytes, ...]
    enhanced: bytes = b""

    def __post_init__(self) -> None:
        if not 200 <= self.code <= 599 or not self.lines:
            raise Misuse("no such reply")
        if self.enhanced and not fits(self.enhanced, self.code):
            raise Misuse("enhanced code of another class")
        if any(map(_UNSAFE.search, self.lines)):
            raise Misuse("control character in a reply")

    @property
    def is_positive(self) -> bool:
        return self.code < 300

    @property
    def is_intermediate(self) -> bool:
        return 300 <= self.code < 400

    @property
    def is_temporary(self) -> bool:
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        return self.code >= 500

    @property
    def text(self) -> bytes:
        """All lines as one, for logs."""
        return b" ".join(self.lines)

    def encode(self) -> bytes:
        """The reply as sent, each line cut to what a line may hold."""
        prefix = self.enhanced + b" " if self.enhanced else b""
        last = len(self.lines) - 1
        return b"".join(
            b"%d%c%s%s\r\n" % (self.code, b" -"[at < last], prefix, line[:MAX_TEXT])
            for at, line in enumerate(self.lines)
        )

    def __str__(self) -> str:
        return f"{self.code} {self.enhanced.decode()} {self.text.decode('utf-8', 'replace')}"


def fits(enhanced: bytes, code: int) -> bool:
    return _ENHANCED.fullmatch(enhanced) is not None and enhanced[0] - 48 == code // 100


def reply(code: int, enhanced: bytes, *texts: str | bytes) -> Reply:
    """A reply of any text: a control character becomes `?`, and there are no more than
    MAX_LINES lines. Raises Misuse as `Reply` does."""
    lines = [text.encode() if isinstance(text, str) else text for text in texts]
    return Reply(code, tuple(_UNSAFE.sub(b"?", line) for line in lines[:MAX_LINES]), enhanced)


def refusal_reply(refusal: SmtpRefusal) -> Reply:
    return reply(refusal.code, refusal.enhanced, refusal.reason)


def split_enhanced(code: int, text: bytes) -> tuple[bytes, bytes]:
    """(enhanced code or empty, rest) of one line's text."""
    found = _PREFIX.match(text)
    if found is None or not fits(found[1], code):
        return b"", text
    return found[1], text[found.end() :]
