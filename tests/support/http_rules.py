"""One rule for each HTTP codec, for the fuzz targets and for Hypothesis alike.

Whatever comes, a scanner wants more bytes, refuses with HttpRefusal, or reads it; and it says the
same when the bytes come one by one, or with others behind them. What it reads, h11 reads too, with
the same meaning; and so does h11 with what would be sent on.
"""

from __future__ import annotations

import re

import h11

from l7lb_protocols.http.chunked import ChunkScanner
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.grammar import may_nominate, may_trail
from l7lb_protocols.http.scanner import (
    CHUNKED,
    LENGTH,
    NO_BODY,
    UNTIL_CLOSE,
    RequestScanner,
    ResponseScanner,
)

Fields = list[tuple[bytes, bytes]]
Verdict = tuple[str, int]
"""What a scanner said: ("read", offset), ("more", 0) or ("refused", status)."""

REQUEST_STATUSES = {400, 414, 417, 431, 501, 505}
HOP_BY_HOP = set(
    b"connection keep-alive proxy-connection te upgrade http2-settings proxy-authenticate"
    b" proxy-authorization proxy-authentication-info".split()
)
LIMIT = 1 << 20
FRAMING_TRAILER = re.compile(rb"\n(content-length|transfer-encoding):", re.IGNORECASE)
"""h11 wants sense even in trailers that mean nothing there; we drop them unread."""


def request_verdict(scanner: RequestScanner, data: bytes, start: int = 0) -> Verdict:
    try:
        end = scanner.scan(data, start)
    except HttpRefusal as refusal:
        return refused(refusal)
    return ("read", end) if end else ("more", 0)


def response_verdict(scanner: ResponseScanner, data: bytes, start: int, method: bytes) -> Verdict:
    try:
        end = scanner.scan(data, start, method)
    except HttpRefusal as refusal:
        return refused(refusal)
    return ("read", end) if end else ("more", 0)


def refused(refusal: HttpRefusal) -> Verdict:
    assert refusal.reason
    assert refusal.clause
    return "refused", refusal.status


def request_byte_by_byte(scanner: RequestScanner, data: bytes) -> Verdict:
    """The first verdict that is not "more" when `data` grows byte by byte."""
    for size in range(1, len(data) + 1):
        verdict = request_verdict(scanner, data[:size])
        if verdict != ("more", 0):
            return verdict
    return "more", 0


def response_byte_by_byte(scanner: ResponseScanner, data: bytes, method: bytes) -> Verdict:
    for size in range(1, len(data) + 1):
        verdict = response_verdict(scanner, data[:size], 0, method)
        if verdict != ("more", 0):
            return verdict
    return "more", 0


def kept(headers: Fields, underscores: bool = False) -> Fields:
    """Of fields as h11 gives them (lower case) those that may be forwarded."""
    named = {
        option.strip()
        for name, value in headers
        if name == b"connection"
        for option in value.lower().split(b",")
    }
    return [
        (name, value.lstrip(b"0") or b"0" if name == b"content-length" else value)
        for name, value in headers
        if name not in HOP_BY_HOP
        and (underscores or b"_" not in name)
        and not (name in named and may_nominate(name))
    ]


def lower(fields: Fields) -> Fields:
    return [(name.lower(), value) for name, value in fields]


# --------------------------------------------------------------------------- bodies


def decoded(data: bytes) -> tuple[bytes, bytes] | None:
    """Body and rest of chunked `data`; None: more is needed. Raises HttpRefusal."""
    scanner = ChunkScanner(decode=True)
    end = scanner.scan(data)
    return (scanner.output, data[end:]) if scanner.done else None


def body_of(data: bytes, length: int, chunked: bool) -> tuple[bytes, bytes] | None:
    if chunked:
        return decoded(data)
    size = max(length, 0)
    return (data[:size], data[size:]) if len(data) >= size else None


def h11_body(connection: h11.Connection) -> tuple[bytes, bytes] | None:
    """Body and rest as h11 has them; None: it waits for more."""
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA or event is h11.PAUSED:
            return None
        if isinstance(event, h11.EndOfMessage):
            return bytes(body), connection.trailing_data[0]
        assert isinstance(event, h11.Data), event
        body += event.data


def agree_on_body(connection: h11.Connection, data: bytes, length: int, chunked: bool) -> None:
    try:
        ours = body_of(data, length, chunked)
    except HttpRefusal:
        return
    try:
        theirs = h11_body(connection)
    except h11.RemoteProtocolError:
        assert FRAMING_TRAILER.search(data)
        return
    assert theirs == ours


# --------------------------------------------------------------------------- requests


def h11_request(data: bytes) -> tuple[h11.Connection, h11.Request]:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMIT)
    connection.receive_data(data)
    event = connection.next_event()
    assert isinstance(event, h11.Request), event
    return connection, event


def check_request(data: bytes) -> Verdict:
    """Returns the verdict on `data`, so that a caller can see what it tested."""
    scanner = RequestScanner()
    verdict = request_verdict(scanner, data)
    assert verdict[0] != "refused" or verdict[1] in REQUEST_STATUSES
    assert request_byte_by_byte(RequestScanner(), data) == verdict
    assert request_verdict(RequestScanner(), b"xyz" + data, 3) == shifted(verdict, 3)
    if verdict[0] == "read":
        end = verdict[1]
        assert request_verdict(RequestScanner(), data[:end]) == verdict
        assert request_verdict(scanner, data[:end] + b"\x00\r\n \xff") == verdict
        agree_on_request(scanner, data, end)
        agree_on_forwarded(scanner)
    return verdict


def shifted(verdict: Verdict, offset: int) -> Verdict:
    return (verdict[0], verdict[1] + offset) if verdict[0] == "read" else verdict


def agree_on_request(scanner: RequestScanner, data: bytes, end: int) -> None:
    assert scanner.scan(data) == end
    # RFC 9112 §2.2 lets us skip one empty line before the request; h11 does not.
    connection, event = h11_request(data.removeprefix(b"\r\n"))
    assert event.method == scanner.method
    assert event.target == scanner.target
    assert event.http_version == b"1.%d" % scanner.minor
    headers = [(bytes(name), bytes(value)) for name, value in event.headers]
    assert lower(scanner.fields()) == kept(headers)
    for name, _ in headers:
        values = [value for other, value in headers if other == name]
        joined = (b"; " if name == b"cookie" else b", ").join(values)
        found = scanner.header(name)
        if name == b"transfer-encoding" and found:
            found = found.lower()
        assert found == (None if b"_" in name else joined)
    if connection.their_state is h11.MUST_CLOSE:
        assert not scanner.keep_alive
    agree_on_body(connection, data[end:], scanner.content_length, scanner.chunked)


def agree_on_forwarded(scanner: RequestScanner) -> None:
    """What is sent on is read as what was routed; a second pass changes nothing."""
    fields = lower(scanner.fields())
    head = scanner.forward(b"X-Added: 1\r\n")
    _, event = h11_request(head)
    assert event.method == scanner.method
    assert event.http_version == b"1.1"
    target = scanner.path or scanner.authority
    if scanner.query:
        target += b"?" + scanner.query
    assert event.target in (target, target + b"?")
    expected = [*fields, (b"x-added", b"1")]
    headers = [(bytes(name), bytes(value)) for name, value in event.headers]
    if not any(name == b"host" for name, _ in fields):
        assert scanner.minor == 0
        assert headers.pop(0) == (b"host", scanner.authority)
    assert headers == expected
    if not scanner.authority:
        return
    again = RequestScanner()
    assert again.scan(head) == len(head)
    assert (again.method, again.path, again.query) == (scanner.method, scanner.path, scanner.query)
    assert (again.host, again.authority) == (scanner.host, scanner.authority)
    assert (again.content_length, again.chunked) == (scanner.content_length, scanner.chunked)
    assert again.forward(b"") == head


# --------------------------------------------------------------------------- responses


def h11_response(data: bytes, method: bytes) -> tuple[h11.Connection, h11.Response]:
    """Interim responses are read over."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LIMIT)
    target = b"a:1" if method == b"CONNECT" else b"/"
    headers = [(b"Host", b"a"), (b"Connection", b"upgrade"), (b"Upgrade", b"x")]
    connection.send(h11.Request(method=method, target=target, headers=headers))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    event = connection.next_event()
    assert isinstance(event, h11.Response | h11.InformationalResponse), event
    return connection, event  # type: ignore[return-value]


def check_response(data: bytes, method: bytes = b"GET") -> Verdict:
    scanner = ResponseScanner()
    verdict = response_verdict(scanner, data, 0, method)
    assert verdict[0] != "refused" or verdict[1] == 502
    assert response_byte_by_byte(ResponseScanner(), data, method) == verdict
    assert response_verdict(ResponseScanner(), b"xyz" + data, 3, method) == shifted(verdict, 3)
    if verdict[0] == "read":
        end = verdict[1]
        assert response_verdict(scanner, data[:end] + b"\x00\r\n \xff", 0, method) == verdict
        agree_on_response(scanner, data, end, method)
    return verdict


def agree_on_response(scanner: ResponseScanner, data: bytes, end: int, method: bytes) -> None:
    assert scanner.scan(data, 0, method) == end
    connection, event = h11_response(data, method)
    assert event.status_code == scanner.status
    assert event.reason == scanner.reason
    assert event.http_version == b"1.%d" % scanner.minor
    headers = [(bytes(name), bytes(value)) for name, value in event.headers]
    fields = lower(scanner.fields())
    assert fields == response_kept(scanner, headers, method)
    agree_on_framing(scanner, connection, data[end:])
    _, sent = h11_response(scanner.forward(b"X-Added: 1\r\n"), method)
    assert (sent.status_code, sent.reason) == (scanner.status, scanner.reason)
    assert [(bytes(n), bytes(v)) for n, v in sent.headers] == [*fields, (b"x-added", b"1")]


def response_kept(scanner: ResponseScanner, headers: Fields, method: bytes) -> Fields:
    found = kept(headers, underscores=True)
    tunnel = method == b"CONNECT" and 200 <= scanner.status < 300
    if scanner.status < 200 or scanner.status == 204 or tunnel:
        return [f for f in found if f[0] not in (b"content-length", b"transfer-encoding")]
    return found


def agree_on_framing(scanner: ResponseScanner, connection: h11.Connection, rest: bytes) -> None:
    if scanner.status < 200 or connection.their_state is h11.SWITCHED_PROTOCOL:
        assert scanner.framing == NO_BODY
        return
    if scanner.framing == NO_BODY:
        assert h11_body(connection) == (b"", rest)
    elif scanner.framing == UNTIL_CLOSE:
        assert not scanner.keep_alive
        connection.receive_data(b"")
        assert h11_body(connection) == (rest, b"")
    else:
        assert scanner.framing in (LENGTH, CHUNKED)
        agree_on_body(connection, rest, scanner.content_length, scanner.framing == CHUNKED)


# --------------------------------------------------------------------------- chunked bodies


def passed_on(scanner: ChunkScanner, pieces: list[bytes]) -> tuple[bytes, int] | None:
    """Output and bytes consumed over all `pieces`; None: refused."""
    output = b""
    consumed = 0
    for piece in pieces:
        try:
            end = scanner.scan(piece)
        except HttpRefusal as refusal:
            if refused(refusal) != ("refused", 400):
                raise
            return None
        assert scanner.done or end == len(piece)
        output += scanner.output
        consumed += end
    return output, consumed


def h11_chunked(data: bytes) -> tuple[bytes, bytes, Fields] | None:
    """Body, rest and trailers of a chunked body as h11 has them; None: it waits for more."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    connection, _ = h11_request(head + data)
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA or event is h11.PAUSED:
            return None
        if isinstance(event, h11.EndOfMessage):
            trailers = [(bytes(name), bytes(value)) for name, value in event.headers]
            return bytes(body), connection.trailing_data[0], trailers
        assert isinstance(event, h11.Data), event
        body += event.data


def check_chunked(data: bytes) -> Verdict:
    whole = ChunkScanner()
    result = passed_on(whole, [data])
    single = [data[k : k + 1] for k in range(len(data))]
    slow = ChunkScanner()
    assert passed_on(slow, single) == result
    plain = ChunkScanner(decode=True)
    bare = passed_on(plain, [data])
    assert passed_on(ChunkScanner(decode=True), single) == bare
    assert (bare is None) == (result is None)
    if result is None or bare is None:
        return "refused", 400
    assert (whole.done, whole.left) == (slow.done, slow.left) == (plain.done, plain.left)
    if not whole.done:
        return "more", 0
    output, end = result
    passed = h11_chunked(output)
    assert passed is not None
    assert passed[:2] == (bare[0], b"")
    assert passed_on(ChunkScanner(), [output]) == (output, len(output))
    try:
        theirs = h11_chunked(data)
    except h11.RemoteProtocolError:
        assert FRAMING_TRAILER.search(data, 0, end)
        return "read", end
    assert theirs is not None
    assert theirs[:2] == (bare[0], data[end:])
    assert passed[2] == [field for field in theirs[2] if may_trail(field[0])]
    return "read", end
