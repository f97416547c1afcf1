"""The catalogue against the scanners alone: what they accept, h11 reads in the same way."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from badinput.catalogue.case import CLOSED, Case
from badinput.catalogue.requests import REQUESTS
from badinput.seen import Reader, Seen, differences
from l7lb_protocols.http.chunked import ChunkScanner
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.forwarded import ClientInfo, Forwarding, ForwardPolicy
from l7lb_protocols.http.scanner import RequestScanner

PARSED = [case for case in REQUESTS if not case.by_policy]
NAMES = [case.name for case in PARSED]


@dataclass
class Outcome:
    """What the scanners made of a client's bytes."""

    seen: list[Seen] = field(default_factory=list)
    refusal: HttpRefusal | None = None
    incomplete: bool = False


class Scanners:
    """The scanners in a row, as a connection has them; their output is read by h11."""

    def __init__(self) -> None:
        self.outcome = Outcome()
        self._request = RequestScanner()
        self._forwarding = Forwarding(ForwardPolicy(), ClientInfo("127.0.0.1"))
        self._waiting = b""
        self._reader: Reader | None = None
        self._chunks: ChunkScanner | None = None
        self._left = 0
        self._last = False

    def feed(self, data: bytes) -> None:
        self._waiting += data
        try:
            while self._waiting and not self._closed() and self._step():
                pass
        except HttpRefusal as refusal:
            self.outcome.refusal = refusal

    def finish(self) -> Outcome:
        self.outcome.incomplete = not self._closed() and bool(self._waiting or self._reader)
        return self.outcome

    @property
    def keeps(self) -> bool:
        """Whether the connection goes on after the last request."""
        return not self._last

    def _closed(self) -> bool:
        done = self._last and self._reader is None
        return done or self.outcome.refusal is not None

    def _step(self) -> bool:
        """Take one piece; False: more bytes are needed."""
        if self._reader is None:
            return self._head()
        if self._chunks is not None:
            end = self._chunks.scan(self._waiting)
            self._send(self._chunks.output, end)
            return self._chunks is not None and self._chunks.done and self._whole()
        taken = min(self._left, len(self._waiting))
        self._left -= taken
        self._send(self._waiting[:taken], taken)
        return self._left == 0 and self._whole()

    def _head(self) -> bool:
        scanner = self._request
        end = scanner.scan(self._waiting)
        if end == 0:
            return False
        self._reader = Reader()
        self._last = not scanner.keep_alive
        self._chunks = ChunkScanner() if scanner.chunked else None
        self._left = max(scanner.content_length, 0)
        added = self._forwarding.lines(scanner)
        self._send(scanner.forward(added, self._forwarding.drop), end)
        return self._chunks is not None or self._left > 0 or self._whole()

    def _send(self, output: bytes, used: int) -> None:
        assert self._reader is not None
        self._waiting = self._waiting[used:]
        if output:
            self.outcome.seen += self._reader.feed(output)

    def _whole(self) -> bool:
        assert self._reader is not None
        assert not self._reader.begun, "h11 does not see the end where the scanner does"
        self._reader = self._chunks = None
        return True


def judge(case: Case, outcome: Outcome) -> None:
    refusal = outcome.refusal
    assert (refusal.status if refusal else None) in (case.refused or (None,)) or (
        outcome.incomplete and case.ends and CLOSED in case.refused
    ), f"refusal {refusal}, incomplete {outcome.incomplete}, seen {outcome.seen}"
    assert outcome.incomplete == (refusal is None and bool(case.refused))
    assert len(outcome.seen) == len(case.meanings), outcome.seen
    for meaning, seen in zip(case.meanings, outcome.seen, strict=True):
        assert differences(meaning, seen) == []


@pytest.mark.parametrize("case", PARSED, ids=NAMES)
def test_whole(case: Case) -> None:
    scanners = Scanners()
    scanners.feed(case.raw)
    judge(case, scanners.finish())


@pytest.mark.parametrize("case", PARSED, ids=NAMES)
def test_in_pieces(case: Case) -> None:
    """Byte by byte; long ones in pieces of such a length that every boundary is met somewhere."""
    size = 1 if len(case.raw) < 4096 else 997
    scanners = Scanners()
    for at in range(0, len(case.raw), size):
        scanners.feed(case.raw[at : at + size])
    judge(case, scanners.finish())


@pytest.mark.parametrize(
    "case", [c for c in PARSED if not c.refused and not c.ends], ids=lambda case: case.name
)
def test_with_more_behind(case: Case) -> None:
    """A sound request behind it is read as itself, wherever the connection goes on."""
    scanners = Scanners()
    scanners.feed(case.raw + b"GET /behind HTTP/1.1\r\nHost: www.example.org\r\n\r\n")
    outcome = scanners.finish()
    assert outcome.refusal is None
    assert not outcome.incomplete
    behind = outcome.seen[len(case.meanings) :]
    assert [seen.target for seen in behind] in ([], [b"/behind"])
    assert bool(behind) == scanners.keeps


def test_names_are_unique_and_enough() -> None:
    names = [case.name for case in REQUESTS]
    assert len(set(names)) == len(names) >= 150
    assert all(case.clause.startswith("RFC ") for case in REQUESTS)
    assert all(case.meanings or case.refused for case in REQUESTS)
