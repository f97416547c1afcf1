"""Limits of heads: they fire whether the head comes at once or byte by byte."""

import pytest

from l7lb_protocols.http.scanner import RequestScanner, ResponseScanner
from support.http_rules import (
    request_byte_by_byte,
    request_verdict,
    response_byte_by_byte,
    response_verdict,
)

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\n"


def padded(start: bytes, size: int) -> bytes:
    """A whole head of exactly `size` bytes."""
    return start + b"X: " + b"x" * (size - len(start) - 7) + b"\r\n\r\n"


@pytest.mark.parametrize("limit", [64, 1000, 1024, 1025, 3000])
def test_head_size(limit):
    for size in (limit - 1, limit):
        data = padded(REQUEST, size)
        assert request_verdict(RequestScanner(limit), data) == ("read", size)
        assert request_verdict(RequestScanner(limit), data + b"x" * 5000) == ("read", size)
        assert request_byte_by_byte(RequestScanner(limit), data) == ("read", size)
    data = padded(REQUEST, limit + 1)
    assert request_verdict(RequestScanner(limit), data) == ("refused", 431)
    assert request_verdict(RequestScanner(limit), data[:limit]) == ("refused", 431)
    assert request_verdict(RequestScanner(limit), data[: limit - 1]) == ("more", 0)
    assert request_byte_by_byte(RequestScanner(limit), data) == ("refused", 431)


@pytest.mark.parametrize("limit", [64, 1024, 3000])
def test_response_head_size(limit):
    data = padded(RESPONSE, limit)
    assert response_verdict(ResponseScanner(limit), data, 0, b"GET") == ("read", limit)
    assert response_byte_by_byte(ResponseScanner(limit), data, b"GET") == ("read", limit)
    data = padded(RESPONSE, limit + 1)
    assert response_verdict(ResponseScanner(limit), data, 0, b"GET") == ("refused", 502)
    assert response_byte_by_byte(ResponseScanner(limit), data, b"GET") == ("refused", 502)


def test_limit_counts_from_the_start_of_the_head():
    data = padded(REQUEST, 100)
    assert request_verdict(RequestScanner(100), b"z" * 5000 + data, 5000) == ("read", 5100)


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_number_of_fields(limit):
    lines = b"A: 1\r\n" * (limit - 1)
    data = REQUEST + lines + b"\r\n"
    assert request_verdict(RequestScanner(max_fields=limit), data) == ("read", len(data))
    data = REQUEST + lines + b"A: 1\r\n\r\n"
    assert request_verdict(RequestScanner(max_fields=limit), data) == ("refused", 431)
    assert request_byte_by_byte(RequestScanner(max_fields=limit), data) == ("refused", 431)
    data = RESPONSE + b"A: 1\r\n" * limit
    assert response_verdict(ResponseScanner(max_fields=limit), data, 0, b"") == ("more", 0)
    scanner = ResponseScanner(max_fields=limit)
    assert response_verdict(scanner, data + b"A: 1\r\n", 0, b"") == ("refused", 502)


def test_target():
    for path in (b"/" + b"a" * 8191, b"/?" + b"a" * 8190):
        data = b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        assert request_verdict(RequestScanner(), data) == ("read", len(data))
        data = data.replace(b" HTTP", b"a HTTP")
        assert request_verdict(RequestScanner(), data) == ("refused", 414)
        assert request_verdict(RequestScanner(), data.split(b" HTTP")[0]) == ("more", 0)
    endless = b"GET /" + b"a" * 9000
    assert request_verdict(RequestScanner(), endless) == ("refused", 414)
    assert request_verdict(RequestScanner(), b"\r\n" + endless) == ("refused", 414)
    assert request_byte_by_byte(RequestScanner(), endless) == ("refused", 414)


def test_small_limit_comes_before_the_target():
    assert request_verdict(RequestScanner(2000), b"GET /" + b"a" * 9000) == ("refused", 431)


@pytest.mark.parametrize("bad", [b"X : y\r\n", b"X: \x00\r\n", b"\r\r\n", b" folded\r\n"])
def test_error_behind_the_part_that_is_looked_at_again(bad):
    """In a long unfinished head an error may wait for the end of the head, but not longer."""
    data = padded(REQUEST, 3000)[:-2] + bad + b"\r\n"
    assert request_verdict(RequestScanner(), data) == ("refused", 400)
    assert request_byte_by_byte(RequestScanner(), data) == ("refused", 400)
    data = padded(RESPONSE, 3000)[:-2] + bad + b"\r\n"
    assert response_verdict(ResponseScanner(), data, 0, b"GET") == ("refused", 502)
    assert response_byte_by_byte(ResponseScanner(), data, b"GET") == ("refused", 502)


def test_long_head_with_bare_lf_does_not_wait_for_its_end():
    data = padded(REQUEST, 3000).replace(b"\r\n", b"\n")
    assert request_verdict(RequestScanner(), data) == ("refused", 400)
    data = padded(REQUEST, 3000)[:-2] + b"\n\n"
    assert request_verdict(RequestScanner(), data) == ("refused", 400)


def test_long_garbage_does_not_wait_for_its_end():
    assert request_verdict(RequestScanner(), b"\x16\x03\x01" + b"\x00" * 3000)[0] == "refused"
    scanner = ResponseScanner()
    assert response_verdict(scanner, b"SSH-2.0-x\r\n" * 300, 0, b"GET") == ("refused", 502)
