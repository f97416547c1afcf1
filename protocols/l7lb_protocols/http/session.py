"""One HTTP/1.1 client's dialogue: requests in order, each to a server, its answer back.

Two sides move independently (RFC 9112 §9.3, an answer may come before the request has ended):

    ask     HEAD → LENGTH | CHUNKED → DONE → HEAD …       what the client sends
    answer  NONE → CONNECT → HEAD → LENGTH | CHUNKED | EOF → NONE …   what the server sends
            both → TUNNEL after 101, or 2xx to CONNECT

Bodies of known length and tunnels are handed to the driver and never seen here. Knows no socket,
no pool and no clock: it acts through `Wire` only.
"""

from __future__ import annotations

from l7lb_protocols.http.chunked import ChunkScanner
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.forwarded import ClientInfo, Forwarding, ForwardPolicy
from l7lb_protocols.http.render import edited_request, edited_response, local_reply
from l7lb_protocols.http.refusals import reply as refusal
from l7lb_protocols.http.scanner import CHUNKED, LENGTH, NO_BODY, RequestScanner, ResponseScanner
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
    Decision,
    Wire,
)

ASK_HEAD, ASK_LENGTH, ASK_CHUNKED, ASK_DONE, ASK_TUNNEL = range(5)
ANSWER_NONE, ANSWER_CONNECT, ANSWER_HEAD, ANSWER_LENGTH, ANSWER_CHUNKED, ANSWER_EOF, ANSWER_TUNNEL = range(7)

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))  # RFC 9110 §9.2.2
GATEWAY_FAILURES = frozenset((502, 503, 504))
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


class HttpSession:
    """See `wire.Session` for who calls what. The public attributes are for the access log."""

    def __init__(self, wire: Wire, settings: HttpSettings, client: ClientInfo) -> None:
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
        self.minor = 1
        self.method = b""
        self.target = b""
        self.host = b""
        self.agent: bytes | None = None
        self.referer: bytes | None = None
        self.status = 0
        self.body_sent = False
        self.tries = 0
        self.flags = ""
        self._left = 0
        self._interim = 0
        self._body_size = 0
        self._server_keep = False
        self._in_head = False
        self._held = False
        self._half_closed = 0
        self._same_tried = False
        self._ask_chunks: ChunkScanner | None = None
        self._answer_chunks: ChunkScanner | None = None
        self._mirrored: list[bytes] | None = None

    # ------------------------------------------------------------------ the client's side

    def client_data(self, data: bytes) -> None:
        if self.ask == ASK_HEAD and self.answer == ANSWER_NONE:
            if self.pending:
                data = self.pending + data
            self._requests(data)
        elif self.ask == ASK_CHUNKED and self.answer != ANSWER_CONNECT:
            end = self._client_chunks(data, 0, b"")
            if end < len(data) and not self.closing:
                self.pending = data[end:]
        else:
            self.pending += data
            if len(self.pending) > self.settings.max_pipeline and not self._held:
                self._held = True
                self.wire.hold(True)

    def _requests(self, data: bytes) -> None:
        """Serve heads from `data` until one must wait for its server."""
        self.pending = b""
        start = 0
        size = len(data)
        while start < size and self.ask == ASK_HEAD and not self.closing:
            try:
                end = self.settings.requests.scan(data, start)
                if end == 0:
                    break
                start = self._request(data, start, end)
            except HttpRefusal as problem:
                self._refuse(problem.status, problem.reason)
                return
        if self.closing:
            return
        self.pending = data[start:]
        if self.ask == ASK_HEAD and self.answer == ANSWER_NONE:
            self._await_head()

    def _await_head(self) -> None:
        """The head's deadline runs from its first byte; more bytes do not extend it."""
        if not self.pending:
            self._in_head = False
            self.wire.phase(PHASE_KEEP_ALIVE)
        elif not self._in_head:
            self._in_head = True
            self.wire.phase(PHASE_HEAD)

    def _request(self, data: bytes, start: int, end: int) -> int:
        """One request: returns the offset up to which `data` is used. Raises HttpRefusal."""
        head = self.settings.requests
        self._note(head, data[start:end])
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
        if decision.edit_request is not None:
            self.head = edited_request(head, decision, added, self.forwarding.drop)
        else:
            upgrade = head.upgrade != b""
            self.head = head.forward(
                added, self.forwarding.drop, decision.path, decision.host, upgrade
            )
        self._mirrored = [] if decision.mirror else None
        return self._dispatched(self.wire.connect(head, self.method not in IDEMPOTENT), data, end)

    def _note(self, head: RequestScanner, raw: bytes) -> None:
        client = self.client
        forwarding = self.forwarding
        head.source = forwarding.source(head) if forwarding.trusted else client.source
        head.sni = client.sni
        head.tls_name = client.tls_name
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
        self._in_head = False
        self._interim = 0
        self._body_size = 0

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
        else:
            self.body_sent = True
            self._mirrored = None
            self.wire.phase(PHASE_BODY)
            self.wire.relay(CLIENT, self._left)
        return start + len(body)

    def _client_chunks(self, data: bytes, start: int, head: bytes) -> int:
        chunks = self._ask_chunks
        assert chunks is not None
        try:
            end = chunks.scan(data, start)
        except HttpRefusal as problem:
            self._break_ask(problem.status, problem.reason)
            return len(data)
        output = chunks.output
        self._body_size += len(output)
        if self.settings.max_body and self._body_size > self.settings.max_body:
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
        elif self.answer <= ANSWER_HEAD:
            self.wire.phase(PHASE_BODY)
        return end

    def _break_ask(self, status: int, reason: str) -> None:
        """The request's body is bad: the server must not take what it has for the whole."""
        if self.answer <= ANSWER_HEAD:
            self.wire.release(OUTCOME_CANCELLED, False)
            self._refuse(status, reason)
        else:
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
        """Half-close after a whole request is lawful (RFC 9112 §9.6): it is still answered."""
        if self.answer == ANSWER_NONE or self.ask in (ASK_LENGTH, ASK_CHUNKED):
            if self.answer != ANSWER_NONE:
                self.status = self.status or 499
                self._cut(OUTCOME_CANCELLED)
            else:
                self._close()
        else:
            self.keep = False

    def client_lost(self) -> None:
        if self.answer != ANSWER_NONE:
            self.status = self.status or 499
            self.flags += "C"
            self.wire.release(OUTCOME_CANCELLED, False)
            self.wire.log(self)
        self.closing = True

    # ------------------------------------------------------------------ the server's side

    def server_ready(self) -> None:
        data = self.pending
        self.pending = b""
        end = self._start(data, 0)
        if end < len(data) and not self.closing:
            self.pending = data[end:]

    def server_failed(self, status: int) -> None:
        """No connection after all tries that the driver may make by itself."""
        if not self._retry(False):
            self._fail(status, OUTCOME_CANCELLED)

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
                self.wire.phase(PHASE_FIRST_BYTE if not self.early else PHASE_BETWEEN)
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
        self.status = status
        self._server_keep = head.keep_alive
        self.wire.answered(status, head.cookies_set)
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
            body = data[end : end + head.content_length]
            self._left = head.content_length - len(body)
            self.wire.send(CLIENT, out + body)
            if self._left:
                self.answer = ANSWER_LENGTH
                self.wire.phase(PHASE_BETWEEN)
                self.wire.relay(SERVER, self._left)
            else:
                self._finish(end + len(body) < len(data))
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

    def _response_head(self, head: ResponseScanner) -> bytes:
        added = b""
        if self.wire.set_cookie:
            added = b"Set-Cookie: " + self.wire.set_cookie + b"\r\n"
        if not self.keep:
            added += b"Connection: close\r\n"
        elif self.minor == 0:
            added += b"Connection: keep-alive\r\n"
        decision = self.decision
        if decision is not None and decision.edit_response is not None:
            return edited_response(head, decision, added)
        return head.forward(added)

    def _server_chunks(self, data: bytes, start: int, head: bytes) -> None:
        chunks = self._answer_chunks
        assert chunks is not None
        try:
            end = chunks.scan(data, start)
        except HttpRefusal:
            if head:
                self.wire.send(CLIENT, head)
            self.flags += "B"
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
        self.wire.send(CLIENT, head.forward(b"", 0, head.status == 101) + data[end:])
        if self.pending:
            self.wire.send(SERVER, self.pending)
            self.pending = b""
        if self._held:
            self._held = False
            self.wire.hold(False)
        self.wire.phase(PHASE_TUNNEL)
        self.wire.relay(CLIENT, -1)
        self.wire.relay(SERVER, -1)

    def server_eof(self) -> None:
        self._server_gone(False)

    def server_lost(self) -> None:
        self._server_gone(True)

    def _server_gone(self, broken: bool) -> None:
        if self.answer == ANSWER_HEAD:
            if self.early or self._interim or not self._may_retry() or not self._retry(True):
                self._fail(502, OUTCOME_FAILED)
        elif self.answer == ANSWER_TUNNEL:
            self._cut(OUTCOME_OK)
        elif self.answer != ANSWER_NONE:
            self.flags += "S" if broken else "T"
            self._cut(OUTCOME_FAILED)

    def _may_retry(self) -> bool:
        """Only what may be sent twice, and only while no byte of a body has gone."""
        return not self.body_sent and self.method in IDEMPOTENT

    def _retry(self, same: bool) -> bool:
        """Once on a fresh connection to the same server, else on another server."""
        head = self.settings.requests
        head.scan(self.raw, 0)
        forwarding = self.forwarding
        head.source = forwarding.source(head) if forwarding.trusted else self.client.source
        head.sni = self.client.sni
        head.tls_name = self.client.tls_name
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

    # ------------------------------------------------------------------ ends

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

    def _finish(self, leftover: bool) -> None:
        """The answer is whole."""
        outcome = OUTCOME_FAILED if self.status in GATEWAY_FAILURES else OUTCOME_OK
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

    def _next(self) -> None:
        data = self.pending
        if self._held:
            self._held = False
            self.wire.hold(False)
        if data:
            self._requests(data)
        else:
            self.wire.phase(PHASE_KEEP_ALIVE)

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
        self.status = status
        self.flags += "R"
        self.wire.send(CLIENT, refusal(status, reason))
        self._end_exchange()

    def _fail(self, status: int, outcome: int) -> None:
        """No answer from a server: ours instead. The client may go on if its request is whole."""
        self.wire.release(outcome, False)
        if self.ask != ASK_DONE or self.wire.draining:
            self.keep = False
        self.status = status
        self.wire.send(CLIENT, local_reply(status, [], b"", self))
        self._end_exchange()
        if not self.closing and self.answer == ANSWER_NONE and self.pending:
            self._next()
        elif not self.closing:
            self._await_head()

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
            self.wire.close(self.ask != ASK_DONE or self.pending != b"")

    def expired(self, phase: int) -> None:
        if phase == PHASE_KEEP_ALIVE:
            self._close()
        elif phase == PHASE_HEAD:
            self._refuse(408, "the request head took too long")
        elif phase == PHASE_BODY and self.answer <= ANSWER_HEAD:
            self.wire.release(OUTCOME_CANCELLED, False)
            self._refuse(408, "the request body took too long")
        elif phase == PHASE_FIRST_BYTE:
            self._fail(504, OUTCOME_TIMEOUT)
        elif phase == PHASE_BETWEEN and self.answer == ANSWER_HEAD:
            self._fail(504, OUTCOME_TIMEOUT)
        else:
            self.flags += "C" if phase == PHASE_SEND else "X"
            self._cut(OUTCOME_CANCELLED if phase in (PHASE_SEND, PHASE_BODY) else OUTCOME_TIMEOUT)
