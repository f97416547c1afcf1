"""Canned replies are whole messages that say nothing about us; the error carries what it must."""

import h11
import pytest

from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.refusals import REASONS, reply


def events(data: bytes) -> list[object]:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    found = [connection.next_event() for _ in range(3)]
    assert connection.trailing_data == (b"", False)
    return found


@pytest.mark.parametrize("status", [s for s in REASONS if s >= 400])
@pytest.mark.parametrize("close", [True, False])
def test_reply_is_one_whole_message(status, close):
    response, data, end = events(reply(status, close=close))
    assert isinstance(response, h11.Response)
    assert (response.status_code, response.reason) == (status, REASONS[status])
    names = dict(response.headers)
    assert names[b"content-length"] == b"%d" % len(data.data)
    assert (names.get(b"connection") == b"close") is close
    assert data.data == b"%d %b\n" % (status, REASONS[status])
    assert isinstance(end, h11.EndOfMessage)


def test_reply_with_more_to_say():
    response, data, _ = events(reply(404, b"Gone fishing"))
    assert response.reason == b"Not Found"
    assert data.data == b"404 Not Found: Gone fishing\n"
    assert reply(499).startswith(b"HTTP/1.1 499 Error\r\n")


def test_refusal_says_what_and_why():
    refusal = HttpRefusal(400, "bare LF", "RFC 9112 §2.2")
    assert (refusal.status, refusal.reason, refusal.clause) == (400, "bare LF", "RFC 9112 §2.2")
    assert str(refusal) == "400: bare LF (RFC 9112 §2.2)"
    assert str(HttpRefusal(413, "too large")) == "413: too large"
