"""The requests of one client that are not answered yet, in the order in which they came.

Answers leave in that order, whoever gives them: the server, or we ourselves. Bounded by its user.
"""

from __future__ import annotations

from collections import deque

from l7lb.media.ports import RelayStream
from l7lb_protocols.rtsp.message import Request
from l7lb_protocols.rtsp.session_id import Tagged
from l7lb_protocols.rtsp.url import WHOLE, Target


class Asked:
    """One request."""

    __slots__ = (
        "answer",
        "client_ports",
        "cseq",
        "is_forwarded",
        "relay",
        "request",
        "status",
        "tagged",
        "target",
    )

    def __init__(self, request: Request) -> None:
        self.request = request
        self.cseq: int | None = None
        self.target: Target = WHOLE
        self.tagged: Tagged | None = None
        """The session that it names."""
        self.is_forwarded = False
        self.relay: RelayStream | None = None
        """Ports that were opened for it."""
        self.client_ports = (0, 0)
        """What the client asked for, where a relay stands between."""
        self.answer: bytes | None = None
        self.status = 0

    @property
    def method(self) -> bytes:
        return self.request.method

    def settle(self, status: int, answer: bytes) -> None:
        self.status = status
        self.answer = answer


class Line:
    def __init__(self) -> None:
        self._asked: deque[Asked] = deque()

    def __len__(self) -> int:
        return len(self._asked)

    def __bool__(self) -> bool:
        return bool(self._asked)

    def add(self, asked: Asked) -> None:
        self._asked.append(asked)

    def find(self, cseq: int) -> Asked | None:
        """The first that the server has and has not answered, of this number."""
        for asked in self._asked:
            if asked.is_forwarded and asked.answer is None and asked.cseq == cseq:
                return asked
        return None

    def due(self) -> Asked | None:
        """The oldest, when its answer is there; it is taken out."""
        if self._asked and self._asked[0].answer is not None:
            return self._asked.popleft()
        return None

    def at_server(self) -> list[Asked]:
        """Those that the server owes an answer."""
        return [asked for asked in self._asked if asked.is_forwarded and asked.answer is None]

    def open(self) -> list[Asked]:
        """Those without an answer."""
        return [asked for asked in self._asked if asked.answer is None]
