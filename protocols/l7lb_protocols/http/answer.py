"""The answer's half of an HTTP/1.1 dialogue: from the server's bytes to the client's, and all the
ways in which an exchange ends.

    answer   NONE → CONNECT → HEAD → LENGTH | CHUNKED | EOF → NONE …
             TUNNEL after 101, or 2xx to CONNECT

Knows no socket, no pool and no clock: it acts through `Wire` only. The request's half is
`session.HttpSession`.
"""

from __future__ import annotations

from l7lb_protocols.http.chunked import ChunkScanner
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.forwarded import ClientInfo, Forwarding, ForwardPolicy
from l7lb_protocols.http.refusals import reply as refusal
from l7lb_protocols.http.render import edited_response, local_reply
from l7lb_protocols.http.response import CHUNKED, LENGTH, NO_BODY, ResponseScanner
from l7lb_protocols.http.scanner import DROP_TRANSFER_ENCODING, RequestScanner
from l7lb_protocols.http.states import (
    ANSWER_CHUNKED,
    ANSWER_EOF,
    ANSWER_HEAD,
    ANSWER_LENGTH,
    ANSWER_NONE,
    ANSWER_TUNNEL,
    ASK_DONE,
    ASK_HEAD,
    ASK_TUNNEL,
)
from l7lb_protocols.wire import (
    CLIENT,
    OUTCOME_FAILED,
    OUTCOME_OK,
    PHASE_BETWEEN,
    PHASE_FIRST_BYTE,
    PHASE_TUNNEL,
    SERVER,
    Decision,
    Session,
    Wire,
)

MAX_INTERIM = 32
"""1xx responses to one request."""


class HttpSettings:
    """What all sessions of one service share in one worker. The scanners are read synchronously,
    so one pair serves every session."""

    def __init__(
        self,
        requests: RequestScanner,
        responses: ResponseScanner,
        policy: ForwardPolicy,
        max_body: int = 0,
        max_pipeline: int = 65536,
    ) -> None:
        self.requests = requests
        self.responses = responses
        self.policy = policy
        self.max_body = max_body
        self.max_pipeline = max_pipeline


class AnswerSide(Session):
    """What both halves share; see `wire.Session` for who calls what."""

    def __init__(self, wire: Wire, settings: HttpSettings, client: ClientInfo) -> None:
        super().__init__()
        self.wire = wire
        self.settings = settings
        self.client = client
        self.forwarding = Forwarding(settings.policy, client)
        self.ask = ASK_HEAD
        self.answer = ANSWER_NONE
        self.closing = False
        self.keep = True
        self.pending = b""
        self.early = b""
        self.raw = b""
        """The request head as it came: scanned again for a retry."""
        self.head = b""
        """The request head as it is forwarded."""
        self.decision: Decision | None = None
        self.body_sent = False
        self._left = 0
        self._interim = 0
        self._server_keep = False
        self._client_ended = False
        self._asked_upgrade = b""
        self._in_head = False
        self._held = False
        self._half_closed = 0
        self._same_tried = False
        self._ask_chunks: ChunkScanner | None = None
        self._answer_chunks: ChunkScanner | None = None
        self._mirrored: list[bytes] | None = None

    def server_data(self, data: bytes) -> None:
        if self.answer == ANSWER_HEAD:
            if self.early:
                data = self.early + data
                self.early = b""
            try:
                self._response(data)
            except HttpRefusal:
                self.flags += "B"
                self._fail(502, OUTCOME_FAILED)
        elif self.answer == ANSWER_CHUNKED:
            self._server_chunks(data, 0, b"")
        else:
            self._server_keep = False

    def _response(self, data: bytes) -> None:
        """Raises HttpRefusal when the server breaks the protocol."""
        head = self.settings.responses
        start = 0
        while True:
            end = head.scan(data, start, self.method)
            if end == 0:
                self.early = data[start:]
                if start and self.ask == ASK_DONE:
                    self.wire.phase(PHASE_FIRST_BYTE)
                return
            if head.status >= 200 or head.status == 101:
                break
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise HttpRefusal(502, "too many interim responses", "RFC 9110 §15.2")
            if self.minor:
                self.wire.send(CLIENT, head.forward(b""))
            start = end
        self._final(head, data, end)

    def _final(self, head: ResponseScanner, data: bytes, end: int) -> None:
        status = head.status
        if status == 101 and not self._may_switch(head):
            raise HttpRefusal(502, "does not switch to what was asked for", "RFC 9110 §7.8")
        self.status = status
        self._server_keep = head.keep_alive
        self.wire.answered(status, head)
        if status == 101 or (self.method == b"CONNECT" and status < 300):
            self._tunnel(head, data, end)
            return
        framing = head.framing
        if self.ask != ASK_DONE or framing > CHUNKED or (framing == CHUNKED and self.minor == 0):
            self.keep = False
        if self.wire.draining:
            self.keep = False
        out = self._response_head(head)
        if framing == LENGTH:
            p = data
            size = min(head.content_length, len(data) - end)
            left = head.content_length - size
            self.wire.send(CLIENT, out + p[end : end + size] if size else out)
            if left:
                self.answer = ANSWER_LENGTH
                self.wire.phase(PHASE_BETWEEN)
                self.wire.relay(SERVER, left)
            else:
                self._finish(end + size < len(data))
        elif framing == NO_BODY:
            self.wire.send(CLIENT, out)
            self._finish(end < len(data))
        elif framing == CHUNKED:
            self.answer = ANSWER_CHUNKED
            self._answer_chunks = ChunkScanner(decode=self.minor == 0)
            self._server_chunks(data, end, out)
        else:
            self.answer = ANSWER_EOF
            self.wire.send(CLIENT, out + data[end:])
            self.wire.phase(PHASE_BETWEEN)
            self.wire.relay(SERVER, -1)

    def _may_switch(self, head: ResponseScanner) -> bool:
        """A 101 names protocols, and only such as the client offered (RFC 9110 §7.8)."""
        offered = {token.strip() for token in self._asked_upgrade.split(b",")}
        chosen = {token.strip() for token in head.upgrade.lower().split(b",") if token.strip()}
        whole = self.ask == ASK_DONE and head.minor == 1
        return whole and chosen != set() and chosen <= offered

    def _response_head(self, head: ResponseScanner) -> bytes:
        added = self._set_cookie()
        if not self.keep:
            added += b"Connection: close\r\n"
        elif self.minor == 0:
            added += b"Connection: keep-alive\r\n"
        drop = DROP_TRANSFER_ENCODING if self.minor == 0 else 0
        decision = self.decision
        if decision is not None and decision.edit_response is not None:
            return edited_response(head, decision, added, drop)
        return head.forward(added, drop)

    def _set_cookie(self) -> bytes:
        cookie = self.wire.set_cookie
        return b"Set-Cookie: " + cookie + b"\r\n" if cookie else b""

    def _server_chunks(self, data: bytes, start: int, head: bytes) -> None:
        chunks = self._answer_chunks
        assert chunks is not None
        try:
            end = chunks.scan(data, start)
        except HttpRefusal:
            self.flags += "B"
            if head:  # nothing of it has gone out
                self._fail(502, OUTCOME_FAILED)
            else:
                self._cut(OUTCOME_FAILED)
            return
        output = chunks.output
        if head or output:
            self.wire.send(CLIENT, head + output)
        if chunks.done:
            self._answer_chunks = None
            self._finish(end < len(data))
        else:
            self.wire.phase(PHASE_BETWEEN)

    def _tunnel(self, head: ResponseScanner, data: bytes, end: int) -> None:
        """Both ways until both have ended (RFC 9110 §7.8, §9.3.6)."""
        self.answer = ANSWER_TUNNEL
        self.ask = ASK_TUNNEL
        self.keep = False
        upgraded = head.forward(self._set_cookie(), 0, head.status == 101)
        self.wire.send(CLIENT, upgraded + data[end:])
        if self.pending:
            self.wire.send(SERVER, self.pending)
            self.pending = b""
        if self._held:
            self._held = False
            self.wire.hold(False)
        self.wire.phase(PHASE_TUNNEL)
        self.wire.relay(CLIENT, -1)
        self.wire.relay(SERVER, -1)

    def _finish(self, leftover: bool) -> None:
        """The answer is whole."""
        outcome = OUTCOME_FAILED if 502 <= self.status <= 504 else OUTCOME_OK
        reusable = self._server_keep and not leftover and self.ask == ASK_DONE
        self.wire.release(outcome, reusable)
        self._end_exchange()
        if not self.closing:
            self._next()

    def _end_exchange(self) -> None:
        self.wire.log(self)
        self.answer = ANSWER_NONE
        self.early = b""
        if self.keep and self.ask == ASK_DONE:
            self.ask = ASK_HEAD
        else:
            self._close()

    def _reply_locally(self, decision: Decision) -> None:
        assert decision.reply is not None
        status, fields, body = decision.reply
        if self.ask != ASK_DONE or self.wire.draining:
            self.keep = False
        self.status = status
        self.wire.send(CLIENT, local_reply(status, fields, body, self))
        self._end_exchange()

    def _refuse(self, status: int, reason: str) -> None:
        """The request cannot be understood or taken: say so and close, forward nothing."""
        self.keep = False
        self.ask = ASK_HEAD
        self.status = status
        self.flags += "R"
        answer = refusal(status, reason.encode())
        if self.method == b"HEAD":
            answer = answer[: answer.index(b"\r\n\r\n") + 4]
        self.wire.send(CLIENT, answer)
        self._end_exchange()

    def _fail(self, status: int, outcome: int) -> None:
        """No answer from a server: ours instead. The client may go on if its request is whole."""
        self.wire.release(outcome, False)
        if self.ask != ASK_DONE or self.wire.draining:
            self.keep = False
        self.status = status
        self.wire.send(CLIENT, local_reply(status, [], b"", self))
        self._end_exchange()
        if not self.closing:
            self._next()

    def _cut(self, outcome: int) -> None:
        """The answer cannot be finished: break off so that nobody takes it for whole."""
        self.wire.release(outcome, False)
        self.wire.log(self)
        self.answer = ANSWER_NONE
        self.closing = True
        self.wire.abort()

    def _close(self) -> None:
        if not self.closing:
            self.closing = True
            more = self.ask < ASK_DONE or self.pending != b""
            self.wire.close(more and not self._client_ended)

    def _next(self) -> None:
        """The dialogue goes on: `session.HttpSession` serves what the client has sent already."""
        raise AssertionError("defined by the request's half")
