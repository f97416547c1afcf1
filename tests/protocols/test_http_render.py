"""Answers of our own, and heads with a route's edits."""

from dataclasses import dataclass

import pytest

from l7lb_protocols.http.render import edited_request, edited_response, local_reply
from l7lb_protocols.http.scanner import RequestScanner, ResponseScanner
from l7lb_protocols.wire import Decision, Fields


@dataclass
class Asked:
    method: bytes = b"GET"
    minor: int = 1
    keep: bool = True


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        (Asked(), b"Content-Length: 2\r\n\r\nhi"),
        (Asked(keep=False), b"Content-Length: 2\r\nConnection: close\r\n\r\nhi"),
        (Asked(minor=0), b"Content-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"),
        (Asked(method=b"HEAD"), b"Content-Length: 2\r\n\r\n"),
    ],
)
def test_a_reply_is_framed_for_whom_it_is_for(asked: Asked, end: bytes) -> None:
    answer = local_reply(200, [(b"X-A", b"1")], b"hi", asked)
    assert answer == b"HTTP/1.1 200 OK\r\nX-A: 1\r\n" + end


@pytest.mark.parametrize("status", [204, 304])
def test_some_replies_have_no_body_by_their_status(status: int) -> None:
    answer = local_reply(status, [], b"never sent", Asked())
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in answer


def test_an_error_without_words_explains_itself() -> None:
    answer = local_reply(503, [], b"", Asked())
    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert answer.endswith(b"\r\n\r\n503 Service Unavailable\n")


def renamed(fields: Fields) -> Fields:
    return [(b"X-" + name, value) for name, value in fields]


def test_a_request_head_is_edited() -> None:
    head = RequestScanner()
    assert head.scan(b"GET /a HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n")
    decision = Decision()
    decision.edit_request = renamed
    edited = edited_request(head, decision, b"Via: 1.1 l7lb\r\n", 0)
    assert edited == b"GET /a HTTP/1.1\r\nX-Host: h\r\nX-Accept: */*\r\nX-Via: 1.1 l7lb\r\n\r\n"


def test_ours_stand_behind_the_edits_of_a_response() -> None:
    head = ResponseScanner()
    assert head.scan(b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 0\r\n\r\n", 0, b"GET")
    decision = Decision()
    decision.edit_response = lambda fields: [field for field in fields if field[0] != b"Server"]
    edited = edited_response(head, decision, b"Connection: close\r\n", 0)
    assert edited == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
