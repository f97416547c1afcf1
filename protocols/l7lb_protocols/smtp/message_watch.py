"""What is learnt of a message while it passes: hops, line lengths, octets above 127.

It holds no more of the message than the first octets of one line. It must not know where the
message comes from or goes.
"""

from __future__ import annotations

from l7lb_protocols.smtp.errors import SmtpRefusal

_FIELD = b"received:"


class MessageWatch:
    """Fed with pieces of a message whose lines all end in CRLF.

    `max_hops`: Received fields (RFC 5321 §6.3); `max_line`: octets of a line without its CRLF.
    RFC 5322 §2.1.1 lets a line have 998, but a limit so low would refuse much real mail.
    """

    def __init__(self, max_hops: int = 100, max_line: int = 65536) -> None:
        self.max_hops = max_hops
        self.max_line = max_line
        self.hops = 0
        self.is_ascii = True
        self._in_header = True
        self._begun = b""
        """Of the header line that is not whole: all, or `-` if that is no matter any more."""
        self._line = 0

    def feed(self, piece: bytes) -> None:
        """Raises SmtpRefusal: 554 5.4.6 for a loop, 554 5.6.0 for a line too long."""
        self.is_ascii = self.is_ascii and piece.isascii()
        if self._in_header:
            self._header(piece)
        self._lines(piece)

    def _header(self, piece: bytes) -> None:
        text = self._begun + piece
        end = 0 if text.startswith(b"\r\n") else text.find(b"\r\n\r\n") + 2
        self._in_header = end == 1  # nothing found: -1 + 2
        header = (text if self._in_header else text[:end]).lower()
        self.hops += header.startswith(_FIELD) + header.count(b"\r\n" + _FIELD)
        if self.hops > self.max_hops:
            raise SmtpRefusal(554, b"5.4.6", "too many hops: mail loop", "RFC 5321 §6.3")
        self._begun = _unfinished(text) if self._in_header else b""

    def _lines(self, piece: bytes) -> None:
        """From one line's start, leap to the last line end within reach."""
        if self._line + len(piece) <= self.max_line:
            last = piece.rfind(b"\n") + 1
            self._line = len(piece) - last + (0 if last else self._line)
            return
        at = -self._line
        size = len(piece)
        while size - at > self.max_line:
            end = piece.rfind(b"\n", max(at, 0), at + self.max_line + 2)
            if end < 0 and size - at > self.max_line + piece.endswith(b"\r"):
                raise SmtpRefusal(554, b"5.6.0", "line too long", "RFC 5322 §2.1.1")
            if end < 0:
                break
            at = end + 1
        last = piece.rfind(b"\n") + 1
        self._line = size - last if last else size - at


def _unfinished(text: bytes) -> bytes:
    """The line at the end of `text`, shortened so that it can neither count twice nor grow."""
    line = text[text.rfind(b"\n") + 1 :]
    if len(line) < len(_FIELD):
        return line
    return b"-\r" if line.endswith(b"\r") else b"-"
