"""The client ends: half-close after and within requests, and loss."""

from l7lb_protocols.wire import PENDING
from support.playbook import Playbook


def test_half_close_after_a_request_is_answered() -> None:
    """RFC 9112 §9.6."""
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        client-eof
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok
            release ok keep
            log 200 GET /
            close
    """)


def test_half_close_after_pipelined_requests_answers_all() -> None:
    Playbook().play("""
        client GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||
            decide GET /1
            connect
            to server GET /1 HTTP/1.1|Host: a||
            phase first-byte
        client-eof
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /1
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok
            release ok keep
            log 200 GET /2
            close
    """)


def test_half_close_in_the_next_head() -> None:
    Playbook().play("""
        client GET /1 HTTP/1.1|Host: a||GET /2 HT
            decide GET /1
            connect
            to server GET /1 HTTP/1.1|Host: a||
            phase first-byte
        client-eof
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /1
            close
    """)


def test_half_close_of_an_idle_client() -> None:
    Playbook().play("""
        client-eof
            close
    """)


def test_half_close_in_a_head() -> None:
    Playbook().play("""
        client GET / HT
            phase head
        client-eof
            close
    """)


def test_half_close_in_a_body() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||he
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||he
            phase body
            relay client 3
        client-eof
            release cancelled
            log 499 POST / C
            abort
    """)


def test_half_close_in_a_chunked_body() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|he
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|he
            phase body
        client-eof
            release cancelled
            log 499 POST / C
            abort
    """)


def test_half_close_while_connecting_with_the_whole_body() -> None:
    Playbook(connects=[PENDING]).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||hello
            decide POST /
            connect careful
        client-eof
        ready
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||hello
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 POST /
            close
    """)


def test_half_close_while_connecting_with_half_a_body() -> None:
    Playbook(connects=[PENDING]).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||he
            decide POST /
            connect careful
        client-eof
        ready
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||he
            release cancelled
            log 499 POST / C
            abort
    """)


def test_half_close_while_connecting_with_half_a_chunk() -> None:
    Playbook(connects=[PENDING]).play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|he
            decide POST /
            connect careful
        client-eof
        ready
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|he
            release cancelled
            log 499 POST / C
            abort
    """)


def test_half_close_while_many_answers_wait() -> None:
    Playbook().play("""
        client GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||
            decide GET /1
            connect
            to server GET /1 HTTP/1.1|Host: a||
            phase first-byte
        full
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /1
            phase head
        client-eof
        drained
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok
            release ok keep
            log 200 GET /2
            close
    """)


def test_client_lost_while_it_waits() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        client-lost
            release cancelled
            log 499 GET / C
    """)


def test_client_lost_while_connecting() -> None:
    Playbook(connects=[PENDING]).play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
        client-lost
            release cancelled
            log 499 GET / C
    """)


def test_client_lost_in_an_answer() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 5||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 5||ok
            phase between
            relay server 3
        client-lost
            release cancelled
            log 200 GET / C
    """)


def test_idle_client_lost() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /
            phase keep-alive
        client-lost
    """)
