"""The recorder itself: it must see everything, or the catalogue proves nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from badinput.catalogue.case import HOST, Meaning
from badinput.recorder import READ, WAIT_S, Recorder
from badinput.seen import differences

SOUND = b"POST /a HTTP/1.1\r\nHost: " + HOST + b"\r\nContent-Length: 2\r\n\r\nhi"


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()
    yield found
    found.close()


def exchange(recorder: Recorder, data: bytes) -> bytes:
    """Send, end, and read until the recorder ends too."""
    with socket.create_connection(("127.0.0.1", recorder.port), WAIT_S) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        while part := sock.recv(READ):
            answer += part
        return answer


def test_whole_requests_are_seen_in_order(recorder: Recorder) -> None:
    answer = exchange(recorder, SOUND + SOUND.replace(b"/a", b"/b"))
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert [seen.target for seen in recorder.take()] == [b"/a", b"/b"]
    assert recorder.take() == []
    assert recorder.take_noise() == []


@pytest.mark.parametrize("data", [SOUND[:-1], SOUND[:20], b"\x00", b"noise\r\n\r\n"])
def test_everything_else_is_noise(recorder: Recorder, data: bytes) -> None:
    exchange(recorder, data)
    assert recorder.take() == []
    assert recorder.take_noise() == [data]


@pytest.mark.parametrize(
    ("meaning", "wrong"),
    [
        (Meaning(b"POST", b"/a", b"hi"), 0),
        (Meaning(b"PUT", b"/a", b"hi"), 1),
        (Meaning(b"POST", b"/b", b"hi"), 1),
        (Meaning(b"POST", b"/a", b"ho"), 1),
        (Meaning(b"POST", b"/a", b"hi", host=b"x"), 1),
        (Meaning(b"POST", b"/a", b"hi", absent=(b"host", b"content-length: 2", b"x")), 2),
        (Meaning(b"POST", b"/a", b"hi", present=((b"content-length", b"2"), (b"x", b""))), 1),
    ],
)
def test_every_difference_is_told(recorder: Recorder, meaning: Meaning, wrong: int) -> None:
    exchange(recorder, SOUND)
    [seen] = recorder.take()
    assert len(differences(meaning, seen)) == wrong
