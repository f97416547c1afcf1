"""The first head of an RTSP-over-HTTP tunnel."""

from __future__ import annotations

import pytest

from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.http_tunnel import may_begin, read, refusal
from l7lb_protocols.rtsp.reader import Limits

GET = (
    b"GET /film?x=1 HTTP/1.0\r\nHost: H.example:80\r\nx-sessioncookie: abc\r\n"
    b"Accept: application/x-rtsp-tunnelled\r\n\r\n"
)


def test_get() -> None:
    head = read(GET + b"more", Limits())
    assert head is not None
    assert (head.method, head.host, head.path) == (b"GET", b"h.example", b"/film")
    assert (head.cookie, head.length) == (b"abc", len(GET))
    assert head.message.get(b"accept") == b"application/x-rtsp-tunnelled"


def test_byte_by_byte() -> None:
    for end in range(len(GET)):
        assert read(GET[:end], Limits()) is None
    assert read(GET, Limits()) is not None


def test_whole_urls() -> None:
    head = read(GET.replace(b"/film?x=1", b"rtsp://h/f"), Limits())
    assert head is not None
    assert head.path == b"/f"
    star = read(GET.replace(b"/film?x=1", b"*").replace(b"GET", b"POST"), Limits())
    assert star is not None
    assert (star.method, star.path) == (b"POST", b"*")


@pytest.mark.parametrize(
    "data",
    [
        GET.replace(b"x-sessioncookie: abc\r\n", b""),
        GET.replace(b"abc", b"a" * 300),
        GET.replace(b"GET", b"PUT"),
        GET.replace(b"HTTP/1.0", b"HTTP/2.0"),
        GET.replace(b"/film", b"/a/../b"),
        GET.replace(b"\r\n", b"\n") + b"\r\n\r\n",
        b"GET /" + b"a" * 20000,
    ],
)
def test_bad(data: bytes) -> None:
    with pytest.raises(RtspRefusal) as caught:
        read(data, Limits())
    assert caught.value.status == 400


def test_first_bytes() -> None:
    assert may_begin(b"GET /") is True
    assert may_begin(b"POST /") is True
    assert may_begin(b"GE") is None
    assert may_begin(b"P") is None
    assert may_begin(b"GET_PARAMETER") is False
    assert may_begin(b"PLAY ") is False
    assert refusal(503).startswith(b"HTTP/1.0 503 ")
