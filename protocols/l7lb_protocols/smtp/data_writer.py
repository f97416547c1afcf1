"""A message as sent after DATA: dots doubled at the start of lines, CRLF.CRLF at the end.

It must not know to whom. It is the last to see that nothing can be smuggled to a server.
"""

from __future__ import annotations

from l7lb_protocols.smtp.errors import Misuse


class DataWriter:
    """Writes one message in pieces of any size (RFC 5321 §4.5.2): `write` for each, then `end`."""

    def __init__(self) -> None:
        self._at_start = True
        self._held = b""

    def write(self, piece: bytes) -> bytes:
        """What to send for `piece`. Raises Misuse for a bare CR or LF: send no end then."""
        text = self._held + piece if self._held else piece
        self._held = b"\r" if text.endswith(b"\r") else b""
        if self._held:
            text = text[:-1]
        if not text:
            return b""
        ends = text.count(b"\r\n")
        if text.count(b"\n") != ends or text.count(b"\r") != ends:
            raise Misuse("bare CR or LF in a message")
        stuffed = text.replace(b"\r\n.", b"\r\n..") if b"\r\n." in text else text
        if self._at_start and text.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_start = text.endswith(b"\r\n")
        return stuffed

    def end(self) -> bytes:
        """What ends the message; a last line without CRLF gets one. Raises Misuse after a CR."""
        if self._held:
            raise Misuse("message ends with a bare CR")
        return b".\r\n" if self._at_start else b"\r\n.\r\n"
