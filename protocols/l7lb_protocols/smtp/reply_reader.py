"""Reads the replies of a server (RFC 5321 §4.2.1). It must not know what was asked."""

from __future__ import annotations

import re

from l7lb_protocols.smtp.errors import BadReply, SmtpRefusal
from l7lb_protocols.smtp.lines import LineBuffer
from l7lb_protocols.smtp.replies import Reply, split_enhanced

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])([\t -~\x80-\xff]*))?")


class ReplyReader:
    """Gives whole replies out of pieces of any size.

    `max_line`: octets of a line with CRLF; `max_lines`: of one reply. A server that exceeds them,
    mixes codes in one reply, or ends a line by a bare LF gets BadReply, and is not read again.
    """

    def __init__(self, max_line: int = 2048, max_lines: int = 128) -> None:
        self.max_line = max_line
        self.max_lines = max_lines
        self._buffer = LineBuffer()
        self._code = b""
        self._texts: list[bytes] = []

    @property
    def is_clean(self) -> bool:
        """Nothing of a further reply has come."""
        return not self._texts and not len(self._buffer)

    def push(self, data: bytes) -> None:
        self._buffer.push(data)

    def next(self) -> Reply | None:
        """The next whole reply; None: more bytes are wanted. Raises BadReply."""
        while True:
            try:
                line = self._buffer.line(self.max_line)
            except SmtpRefusal as problem:
                raise BadReply(problem.reason, problem.clause) from problem
            if line is None:
                return None
            if self._is_last(line):
                return self._finish()

    def _is_last(self, line: bytes) -> bool:
        found = _LINE.fullmatch(line)
        if found is None:
            raise BadReply("no reply line")
        if self._texts and found[1] != self._code:
            raise BadReply("codes differ within one reply", "RFC 5321 §4.2.1")
        if len(self._texts) >= self.max_lines:
            raise BadReply("too many lines in one reply", "RFC 5321 §4.2.1")
        self._code = found[1]
        self._texts.append(found[3] or b"")
        return found[2] != b"-"

    def _finish(self) -> Reply:
        """The enhanced code stands on every line (RFC 2034 §4); that of the first counts."""
        code = int(self._code)
        enhanced, _ = split_enhanced(code, self._texts[0])
        lines = self._texts
        if enhanced:
            split = [split_enhanced(code, text) for text in lines]
            lines = [
                rest if found == enhanced else text
                for (found, rest), text in zip(split, lines, strict=True)
            ]
        self._texts = []
        return Reply(code, tuple(lines), enhanced)
