"""What heads of requests and of responses have in common: one law for their fields."""

import pytest

from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.head import HeadScanner
from l7lb_protocols.http.scanner import RequestScanner, ResponseScanner

BROKEN = [
    b"Name : v\r\n",
    b": v\r\n",
    b"Name\r\n",
    b"Name: a\x00b\r\n",
    b"Name: a\rb\r\n",
    b"Name: a\r\n folded\r\n",
    b"N\xe4me: v\r\n",
]


@pytest.mark.parametrize("line", BROKEN)
def test_a_broken_line_is_the_clients_fault_in_a_request(line: bytes) -> None:
    with pytest.raises(HttpRefusal) as refusal:
        RequestScanner().scan(b"GET / HTTP/1.1\r\nHost: h\r\n" + line + b"\r\n")
    assert refusal.value.status == 400


@pytest.mark.parametrize("line", BROKEN)
def test_the_same_line_is_the_servers_fault_in_a_response(line: bytes) -> None:
    with pytest.raises(HttpRefusal) as refusal:
        ResponseScanner().scan(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n", 0, b"GET")
    assert refusal.value.status == 502


@pytest.mark.parametrize("scanner", [RequestScanner, ResponseScanner])
def test_both_are_one_kind_of_head(scanner: type[HeadScanner]) -> None:
    assert issubclass(scanner, HeadScanner)


def test_too_many_lines_are_refused_before_the_head_has_ended() -> None:
    head = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(2000))
    with pytest.raises(HttpRefusal) as refusal:
        RequestScanner(max_fields=10).scan(head)
    assert refusal.value.status == 431
