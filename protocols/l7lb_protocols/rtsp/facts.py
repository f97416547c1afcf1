"""What rules may match of an RTSP request: host, path, query, method, fields, source."""

from __future__ import annotations

from l7lb_protocols.facts import Facts
from l7lb_protocols.rtsp.message import Message
from l7lb_protocols.rtsp.url import Target


class RtspFacts(Facts):
    """Valid for good: the message is not changed."""

    def __init__(self, method: bytes, target: Target, message: Message) -> None:
        super().__init__()
        self.method = method
        self.host = target.host
        self.path = target.path
        self.query = target.query
        self._message = message

    def header(self, name: bytes) -> bytes | None:
        return self._message.get(name)
