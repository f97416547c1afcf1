"""One HTTP/1.1 client's dialogue: requests in order, each to a server, its answer back.

Two sides move independently (RFC 9112 §9.3: an answer may come before the request has ended):

    ask      HEAD → LENGTH | CHUNKED → DONE → HEAD …      what the client sends; here
    answer   see `answer.AnswerSide`                      what the server sends

Bodies of known length and tunnels are handed to the driver and never seen here. Knows no socket,
no pool and no clock: it acts through `Wire` only.
"""

from __future__ import annotations

from l7lb_protocols.http.answer import AnswerSide, HttpSettings
from l7lb_protocols.http.chunked import ChunkScanner
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.render import edited_request
from l7lb_protocols.http.scanner import RequestScanner
from l7lb_protocols.http.states import (
    ANSWER_CONNECT,
    ANSWER_EOF,
    ANSWER_HEAD,
    ANSWER_NONE,
    ANSWER_TUNNEL,
    ASK_CHUNKED,
    ASK_DONE,
    ASK_HEAD,
    ASK_LENGTH,
)
from l7lb_protocols.wire import (
    CLIENT,
    FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_OK,
    OUTCOME_TIMEOUT,
    PENDING,
    PHASE_BETWEEN,
    PHASE_BODY,
    PHASE_FIRST_BYTE,
    PHASE_HEAD,
    PHASE_KEEP_ALIVE,
    PHASE_SEND,
    PHASE_TUNNEL,
    READY,
    SERVER,
)

__all__ = ["HttpSession", "HttpSettings"]


IDEMPOTENT = frozenset(
    (b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE")
)  # RFC 9110 §9.2.2


class HttpSession(AnswerSide):
    """See `wire.Session` for who calls what."""

    def client_data(self, data: bytes) -> None:
        if self.ask == ASK_HEAD and self.answer == ANSWER_NONE:
            if self.pending:
                data = self.pending + data
            self._requests(data)
        elif self.ask == ASK_CHUNKED and self.answer != ANSWER_CONNECT:
            end = self._client_chunks(data, 0, b"")
            if end < len(data) and not self.closing:
                self.pending = data[end:]
        elif self.ask == ASK_LENGTH and self.answer != ANSWER_CONNECT:
            self._client_length(data)
        else:
            self.pending += data
            if len(self.pending) > self.settings.max_pipeline and not self._held:
                self._held = True
                self.wire.hold(True)

    def _requests(self, data: bytes) -> None:
        """Serve heads from `data` until one must wait for its server."""
        self.pending = b""
        p = data
        start = 0
        size = len(data)
        while start < size and self.ask == ASK_HEAD and not self.closing:
            try:
                end = self.settings.requests.scan(data, start)
            except HttpRefusal as problem:
                self._refuse_unread(problem.status, problem.reason)
                return
            if end == 0:
                break
            try:
                start = self._request(data, start, end)
            except HttpRefusal as problem:
                self._refuse(problem.status, problem.reason)
                return
            if self.ask == ASK_HEAD and self.wire.full:
                break
        if self.closing:
            return
        self.pending = p[start:size] if start < size else b""
        if self.ask == ASK_HEAD and self.answer == ANSWER_NONE:
            self._await_head()

    def _refuse_unread(self, status: int, reason: str) -> None:
        """Nothing is known of this request: tell the log nothing of the one before."""
        self.method = self.target = self.host = self.request_id = b""
        self.agent = self.referer = None
        self.minor = 1
        self.tries = 0
        self.flags = ""
        self._refuse(status, reason)

    def _await_head(self) -> None:
        """The head's deadline runs from its first byte; more bytes do not extend it."""
        if self._client_ended and not (self.pending and self.wire.full):
            self._close()
        elif not self.pending:
            self._in_head = False
            if self.wire.draining:
                self._close()
            else:
                self.wire.phase(PHASE_KEEP_ALIVE)
        elif not self._in_head:
            self._in_head = True
            self.wire.phase(PHASE_HEAD)

    def _request(self, data: bytes, start: int, end: int) -> int:
        """One request: returns the offset up to which `data` is used. Raises HttpRefusal."""
        head = self.settings.requests
        p = data
        self._note(head, data if end - start == len(data) else p[start:end])
        if self._client_ended and end == len(data):
            self.keep = False
        decision = self.wire.decide(head)
        self.decision = decision
        limit = self.settings.max_body
        if limit and head.content_length > limit:
            raise HttpRefusal(413, "request body is larger than allowed", "RFC 9110 §15.5.14")
        if head.chunked:
            self.ask = ASK_CHUNKED
            self._ask_chunks = ChunkScanner()
        elif head.content_length > 0:
            self.ask = ASK_LENGTH
            self._left = head.content_length
        else:
            self.ask = ASK_DONE
        if decision.reply is not None:
            self._reply_locally(decision)
            return end
        if head.method == b"CONNECT" and not decision.allow_connect:
            raise HttpRefusal(405, "CONNECT is not allowed here", "RFC 9110 §9.3.6")
        added = self.forwarding.lines(head)
        self.request_id = self.forwarding.request_id
        if decision.edit_request is not None:
            self.head = edited_request(head, decision, added, self.forwarding.drop)
        else:
            self.head = head.forward(
                added, self.forwarding.drop, decision.path, decision.host, head.upgrade != b""
            )
        self._mirrored = [] if decision.mirror else None
        once = self.ask != ASK_DONE or self.method not in IDEMPOTENT
        return self._dispatched(self.wire.connect(head, once), data, end)

    def _introduce(self, head: RequestScanner) -> None:
        """What the connection knows joins what the head says: now these are the facts."""
        head.source = self.forwarding.source(head)
        head.sni = self.client.sni
        head.tls_name = self.client.tls_name

    def _note(self, head: RequestScanner, raw: bytes) -> None:
        self._introduce(head)
        self.raw = raw
        self.method = head.method
        self.minor = head.minor
        self.target = head.target
        self.host = head.host
        self.agent = head.header(b"user-agent")
        self.referer = head.header(b"referer")
        self.keep = head.keep_alive
        self.status = 0
        self.tries = 0
        self.flags = ""
        self.body_sent = False
        self._same_tried = False
        self._asked_upgrade = head.upgrade
        self._in_head = False
        self._interim = 0

    def _dispatched(self, code: int, data: bytes, end: int) -> int:
        if code == READY:
            return self._start(data, end)
        if code == PENDING:
            self.answer = ANSWER_CONNECT
            return end
        self._fail(self.wire.failure, OUTCOME_CANCELLED)
        return end

    def _start(self, data: bytes, start: int) -> int:
        """The server is there: send the head with what has come of the body."""
        self.answer = ANSWER_HEAD
        if self.ask == ASK_DONE:
            self.wire.send(SERVER, self.head)
            self._request_sent()
            return start
        if self.ask == ASK_CHUNKED:
            return self._client_chunks(data, start, self.head)
        body = data[start : start + self._left]
        self._left -= len(body)
        self.body_sent = body != b""
        self.wire.send(SERVER, self.head + body)
        self._tee(body)
        if self._left == 0:
            self.ask = ASK_DONE
            self._request_sent()
        elif self._client_ended:
            self._cut_short()
        else:
            self.body_sent = True
            self.wire.phase(PHASE_BODY)
            if self._mirrored is None or self._left > self.settings.max_pipeline:
                self._mirrored = None
                self.wire.relay(CLIENT, self._left)
        return start + len(body)

    def _client_length(self, data: bytes) -> None:
        """A body of known length that the mirror gets too; others are relayed unseen."""
        body = data[: self._left]
        self._left -= len(body)
        self.wire.send(SERVER, body)
        self._tee(body)
        if self._left == 0:
            self.ask = ASK_DONE
            self.pending = data[len(body) :]
            self._request_sent()
        elif self.answer == ANSWER_HEAD:
            self.wire.phase(PHASE_BODY)

    def _client_chunks(self, data: bytes, start: int, head: bytes) -> int:
        chunks = self._ask_chunks
        assert chunks is not None
        try:
            end = chunks.scan(data, start)
        except HttpRefusal as problem:
            self._break_ask(problem.status, problem.reason)
            return len(data)
        output = chunks.output
        if self.settings.max_body and chunks.size > self.settings.max_body:
            self._break_ask(413, "request body is larger than allowed")
            return len(data)
        self.body_sent = self.body_sent or output != b""
        if head or output:
            self.wire.send(SERVER, head + output)
        self._tee(output)
        if chunks.done:
            self.ask = ASK_DONE
            self._ask_chunks = None
            self._request_sent()
        elif self._client_ended:
            self._cut_short()
        elif self.answer <= ANSWER_HEAD:
            self.wire.phase(PHASE_BODY)
        return end

    def _break_ask(self, status: int, reason: str) -> None:
        """The request's body is bad: the server must not take what it has for the whole."""
        if self.answer <= ANSWER_HEAD:
            self.wire.release(OUTCOME_CANCELLED, False)
            self._refuse(status, reason)
        else:
            self.flags += "R"
            self._cut(OUTCOME_CANCELLED)

    def _request_sent(self) -> None:
        if self._mirrored is not None:
            self.wire.mirror(self.head, b"".join(self._mirrored))
            self._mirrored = None
        if self.answer == ANSWER_HEAD:
            self.wire.phase(PHASE_FIRST_BYTE)

    def _tee(self, body: bytes) -> None:
        """Keep the body for the mirror while it is small; a large request is not mirrored."""
        if self._mirrored is not None and body:
            self._mirrored.append(body)
            if sum(map(len, self._mirrored)) > self.settings.max_pipeline:
                self._mirrored = None

    def client_eof(self) -> None:
        """Half-close after whole requests is lawful (RFC 9112 §9.6): they are still answered."""
        self._client_ended = True
        if self.answer == ANSWER_NONE:
            self._await_head()
        elif self.ask == ASK_DONE:
            self.keep = self.keep and self.pending != b""
        elif self.answer != ANSWER_CONNECT:
            self._cut_short()

    def _cut_short(self) -> None:
        """The client has ended in the middle of a body."""
        self.status = self.status or 499
        self.flags += "C"
        self._cut(OUTCOME_CANCELLED)

    def client_lost(self) -> None:
        if self.answer != ANSWER_NONE:
            self.status = self.status or 499
            self.flags += "C"
            self.answer = ANSWER_NONE
            self.wire.release(OUTCOME_CANCELLED, False)
            self.wire.log(self)
        self.closing = True

    def server_ready(self) -> None:
        data = self.pending
        self.pending = b""
        end = self._start(data, 0)
        if self.closing:
            return
        if end < len(data):
            self.pending = data[end:]
        if self._held and len(self.pending) <= self.settings.max_pipeline:
            self._held = False
            self.wire.hold(False)

    def server_failed(self, status: int) -> None:
        """No connection after all tries that the driver may make by itself."""
        if not self._retry(False):
            self._fail(status, OUTCOME_CANCELLED)

    def server_eof(self) -> None:
        self._server_gone(False)

    def server_lost(self) -> None:
        self._server_gone(True)

    def _server_gone(self, broken: bool) -> None:
        if self.answer == ANSWER_HEAD:
            if self.early or self._interim or not self._may_retry() or not self._retry(True):
                self.flags += "S" if broken else "T"
                self._fail(502, OUTCOME_FAILED)
        elif self.answer == ANSWER_TUNNEL:
            self._cut(OUTCOME_OK)
        elif self.answer > ANSWER_CONNECT:
            self.flags += "S" if broken else "T"
            self._cut(OUTCOME_FAILED)

    def _may_retry(self) -> bool:
        """Only what may be sent twice, and only while no byte of a body has gone."""
        return not self.body_sent and self.method in IDEMPOTENT

    def _retry(self, same: bool) -> bool:
        """Once on a fresh connection to the same server, else on another server."""
        head = self.settings.requests
        head.scan(self.raw, 0)
        self._introduce(head)
        same = same and not self._same_tried
        self._same_tried = True
        self.tries += 1
        code = self.wire.retry(head, same)
        if code == FAILED:
            self.tries -= 1
            return False
        self.answer = ANSWER_CONNECT
        if code == READY:
            self.server_ready()
        return True

    def relayed(self, source: int) -> None:
        if self.answer == ANSWER_TUNNEL:
            self._half_closed |= 1 << source
            if self._half_closed == 3:
                self._finish(True)
            else:
                self.wire.end(SERVER if source == CLIENT else CLIENT)
        elif source == CLIENT:
            self.ask = ASK_DONE
            self._request_sent()
        else:
            self._finish(self.answer == ANSWER_EOF)

    def _next(self) -> None:
        data = self.pending
        if self._held:
            self._held = False
            self.wire.hold(False)
        if data and not self.wire.full:
            self._requests(data)
        else:
            self._await_head()

    def expired(self, phase: int) -> None:
        if self.answer == ANSWER_NONE:
            if phase == PHASE_HEAD:
                self._refuse_unread(408, "the request head took too long")
            elif phase == PHASE_KEEP_ALIVE:
                self._close()
            elif not self.closing:
                self.closing = True
                self.wire.abort()
            return
        self.flags += "C" if phase == PHASE_SEND else "X"
        if phase == PHASE_BODY and self.answer == ANSWER_HEAD:
            self.wire.release(OUTCOME_CANCELLED, False)
            self._refuse(408, "the request body took too long")
        elif phase == PHASE_FIRST_BYTE and self.answer == ANSWER_HEAD:
            self._fail(504, OUTCOME_TIMEOUT)
        elif phase == PHASE_TUNNEL:
            self._cut(OUTCOME_OK)
        else:
            is_late = phase in (PHASE_FIRST_BYTE, PHASE_BETWEEN)
            self._cut(OUTCOME_TIMEOUT if is_late else OUTCOME_CANCELLED)
