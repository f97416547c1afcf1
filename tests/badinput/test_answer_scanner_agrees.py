"""The catalogue of responses against the scanners alone: what they accept, h11 reads alike."""

from __future__ import annotations

import pytest

from badinput.answered import Answered, AnswerReader, differences
from badinput.catalogue.case import BAD_GATEWAY, ResponseCase
from badinput.catalogue.responses import RESPONSES
from l7lb_protocols.http.chunked import ChunkScanner
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.response import CHUNKED, LENGTH, NO_BODY, ResponseScanner

PARSED = [case for case in RESPONSES if not case.by_policy]


class Scanners:
    """Reads one answer as a connection does; what goes on to the client is read by h11."""

    def __init__(self, method: bytes) -> None:
        self.refusal: HttpRefusal | None = None
        self.cut = False
        """The end of the stream came before the end of the answer."""
        self.waiting = b""
        self.reusable = False
        self._method = method
        self._reader = AnswerReader(method, [])
        self._head = ResponseScanner()
        self._chunks = ChunkScanner()
        self._in_body = self._done = False
        self._left = 0

    @property
    def answered(self) -> Answered:
        return self._reader.answered

    def feed(self, data: bytes) -> None:
        self.waiting += data
        try:
            while not self._done and self._step():
                pass
        except HttpRefusal as refusal:
            self.refusal = refusal
            self._done = True

    def end(self) -> None:
        """The server closed."""
        if self._done:
            return
        if self._in_body and self._head.framing not in (NO_BODY, LENGTH, CHUNKED):
            self._reader.feed(b"")
        else:
            self.cut = True

    def _step(self) -> bool:
        if not self._in_body:
            return self._take_head()
        if self._head.framing == CHUNKED:
            end = self._chunks.scan(self.waiting)
            output = self._chunks.output
        elif self._head.framing == LENGTH:
            end = min(self._left, len(self.waiting))
            self._left -= end
            output = self.waiting[:end]
        else:
            end, output = len(self.waiting), self.waiting
        self.waiting = self.waiting[end:]
        self._pass_on(output)
        return False

    def _take_head(self) -> bool:
        end = self._head.scan(self.waiting, 0, self._method)
        if end == 0:
            return False
        self.waiting = self.waiting[end:]
        self._pass_on(self._head.forward(b""))
        if self._head.status >= 200:
            self._in_body = True
            self._left = max(self._head.content_length, 0)
            self.reusable = self._head.keep_alive
            if self._head.framing == NO_BODY:
                self._done = True
        return True

    def _pass_on(self, output: bytes) -> None:
        if output and self._reader.feed(output) is not None:
            self._done = True
        if self._in_body and self._head.framing in (LENGTH, CHUNKED):
            at_end = self._chunks.done if self._head.framing == CHUNKED else self._left == 0
            assert self._done == at_end, "h11 does not see the end where the scanner does"


def judge(case: ResponseCase, scanners: Scanners) -> None:
    if case.answer is BAD_GATEWAY:
        assert scanners.answered.status == 0
        assert scanners.cut or (scanners.refusal is not None and scanners.refusal.status == 502)
    elif case.answer is None:
        assert scanners.cut or scanners.refusal is not None
        assert not scanners.answered.whole
    else:
        assert scanners.refusal is None
        assert not scanners.cut
        assert differences(case.answer, scanners.answered) == []


@pytest.mark.parametrize("size", [1 << 20, 1, 7], ids=["whole", "single-bytes", "sevens"])
@pytest.mark.parametrize("case", PARSED, ids=lambda case: case.name)
def test_agrees(case: ResponseCase, size: int) -> None:
    scanners = Scanners(case.method)
    step = size if len(case.raw) < 4096 else max(size, 997)
    for at in range(0, len(case.raw), step):
        scanners.feed(case.raw[at : at + step])
    scanners.end()
    judge(case, scanners)


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("framing", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_body_where_none_may_be_ends_the_connection(status: int, framing: bytes) -> None:
    """The bytes behind such a head may be its body: nobody can tell, so it is not used again."""
    head = b"HTTP/1.1 %d X\r\n%b\r\n\r\n" % (status, framing)
    scanner = ResponseScanner()
    scanner.scan(head, 0, b"GET")
    assert scanner.framing == NO_BODY
    assert not (scanner.keep_alive and status == 204)


def test_names_are_unique_and_enough() -> None:
    names = [case.name for case in RESPONSES]
    assert len(set(names)) == len(names) >= 35
    assert all(case.clause.startswith("RFC ") for case in RESPONSES)
