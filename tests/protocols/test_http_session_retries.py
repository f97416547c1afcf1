"""When a request is tried again: only what may be sent twice (RFC 9110 §9.2.2), on which server."""

from l7lb_protocols.wire import FAILED, PENDING, READY
from support.playbook import Playbook


def test_connection_that_had_grown_old() -> None:
    """Once more on a fresh connection to the same server."""
    Playbook(retries=[PENDING]).play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server-eof
            retry same
        ready
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /
            phase keep-alive
    """)


def test_same_server_once_then_another() -> None:
    Playbook(retries=[PENDING, READY]).play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server-lost
            retry same
        ready
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server-lost
            retry other
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /
            phase keep-alive
    """)


def test_no_other_server() -> None:
    Playbook(retries=[FAILED]).play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server-lost
            retry same
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway⏎
            log 502 GET / S
            phase keep-alive
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
    """)  # noqa: E501


def test_post_is_never_sent_twice() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 0||
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 0||
            phase first-byte
        server-lost
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway⏎
            log 502 POST / S
            phase keep-alive
    """)  # noqa: E501


def test_body_is_never_sent_twice() -> None:
    """Its connection is looked at before, since no second try is possible."""
    Playbook().play("""
        client PUT / HTTP/1.1|Host: a|Content-Length: 2||ok
            decide PUT /
            connect careful
            to server PUT / HTTP/1.1|Host: a|Content-Length: 2||ok
            phase first-byte
        server-lost
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway⏎
            log 502 PUT / S
            phase keep-alive
    """)  # noqa: E501


def test_not_after_a_part_of_the_answer() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 2
        server-eof
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway⏎
            log 502 GET / T
            phase keep-alive
    """)  # noqa: E501


def test_not_after_an_interim_answer() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 103 E||
            to client HTTP/1.1 103 E||
            phase first-byte
        server-eof
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway⏎
            log 502 GET / T
            phase keep-alive
    """)  # noqa: E501


def test_failed_connect_of_any_request() -> None:
    """Nothing has reached a server."""
    Playbook(connects=[PENDING]).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 2||ok
            decide POST /
            connect careful
        refused 502
            retry other
            to server POST / HTTP/1.1|Host: a|Content-Length: 2||ok
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 POST /
            phase keep-alive
    """)


def test_failed_connects_until_no_server_is_left() -> None:
    Playbook(connects=[PENDING], retries=[PENDING, FAILED]).play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
        refused 502
            retry other
        refused 504
            retry other
            release cancelled
            to client HTTP/1.1 504 Gateway Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20||504 Gateway Timeout⏎
            log 504 GET /
            phase keep-alive
    """)  # noqa: E501


def test_failed_connect_with_a_body_to_come() -> None:
    Playbook(connects=[PENDING], retries=[FAILED]).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 2||o
            decide POST /
            connect careful
        refused 502
            retry other
            release cancelled
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16|Connection: close||502 Bad Gateway⏎
            log 502 POST /
            close and linger
    """)  # noqa: E501


def test_no_server() -> None:
    Playbook(connects=[FAILED]).play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            release cancelled
            to client HTTP/1.1 503 Service Unavailable|Content-Type: text/plain; charset=utf-8|Content-Length: 24||503 Service Unavailable⏎
            log 503 GET /
            phase keep-alive
            phase keep-alive
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
    """)  # noqa: E501


def test_no_server_for_pipelined_requests() -> None:
    Playbook(connects=[FAILED, FAILED]).play("""
        client GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||
            decide GET /1
            connect
            release cancelled
            to client HTTP/1.1 503 Service Unavailable|Content-Type: text/plain; charset=utf-8|Content-Length: 24||503 Service Unavailable⏎
            log 503 GET /1
            phase keep-alive
            decide GET /2
            connect
            release cancelled
            to client HTTP/1.1 503 Service Unavailable|Content-Type: text/plain; charset=utf-8|Content-Length: 24||503 Service Unavailable⏎
            log 503 GET /2
            phase keep-alive
            phase keep-alive
    """)  # noqa: E501


def test_no_server_for_a_body() -> None:
    Playbook(connects=[FAILED]).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 2||o
            decide POST /
            connect careful
            release cancelled
            to client HTTP/1.1 503 Service Unavailable|Content-Type: text/plain; charset=utf-8|Content-Length: 24|Connection: close||503 Service Unavailable⏎
            log 503 POST /
            close and linger
    """)  # noqa: E501


def test_failure_that_the_server_reports() -> None:
    """Counts against it, is not tried again."""
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 503 Service Unavailable|Content-Length: 0||
            answered 503
            to client HTTP/1.1 503 Service Unavailable|Content-Length: 0||
            release failed keep
            log 503 GET /
            phase keep-alive
    """)


def test_retry_after_another_client_was_read() -> None:
    """The scanner is shared by all clients: the head is read again."""
    book = Playbook(retries=[FAILED])
    book.play("""
        client GET /first HTTP/1.1|Host: a||
            decide GET /first
            connect
            to server GET /first HTTP/1.1|Host: a||
            phase first-byte
    """)
    book.session.settings.requests.scan(b"GET /other HTTP/1.1\r\nHost: b\r\n\r\n", 0)
    asked: list[bytes] = []
    retry = book.wire.retry
    book.wire.retry = lambda facts, same: (asked.append(facts.path), retry(facts, same))[1]
    book.tell("server-eof")
    assert asked == [b"/first"]
