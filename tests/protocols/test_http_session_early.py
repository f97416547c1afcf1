"""Answers before the request has ended, and peers of HTTP/1.0."""

from l7lb_protocols.wire import PENDING
from support.playbook import Playbook


def test_answer_may_come_before_the_body_has_ended() -> None:
    """Both go on; the connection is closed after (RFC 9112 §9.3)."""
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|hello|
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|hello|
            phase body
        server HTTP/1.1 200 OK|Transfer-Encoding: chunked||3|abc|
            answered 200
            to client HTTP/1.1 200 OK|Transfer-Encoding: chunked|Connection: close||3|abc|
            phase between
        client 1|x|
            to server 1|x|
        server 0||
            to client 0||
            release ok
            log 200 POST /
            close and linger
    """)


def test_early_answer_and_the_body_ends_first() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||
            phase body
            relay client 5
        server HTTP/1.1 200 OK|Content-Length: 5||a
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 5|Connection: close||a
            phase between
            relay server 4
        relayed client
        relayed server
            release ok keep
            log 200 POST /
            close
    """)


def test_early_answer_is_whole_before_the_body() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||he
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||he
            phase body
            relay client 3
        server HTTP/1.1 413 Content Too Large|Content-Length: 2||no
            answered 413
            to client HTTP/1.1 413 Content Too Large|Content-Length: 2|Connection: close||no
            release ok
            log 413 POST /
            close and linger
    """)


def test_old_client_may_keep_its_connection() -> None:
    Playbook().play("""
        client GET / HTTP/1.0|Connection: keep-alive||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: ||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2|Connection: keep-alive||ok
            release ok keep
            log 200 GET /
            phase keep-alive
        expired keep-alive
            close and linger
    """)


def test_old_client_gets_chunks_decoded() -> None:
    """RFC 9112 §7.1: no chunked coding for HTTP/1.0."""
    Playbook().play("""
        client GET / HTTP/1.0|Connection: keep-alive||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: ||
            phase first-byte
        server HTTP/1.1 200 OK|Transfer-Encoding: chunked||3;q|abc|0|X-T: 1||
            answered 200
            to client HTTP/1.1 200 OK|Connection: close||abc
            release ok keep
            log 200 GET /
            close
    """)


def test_old_server_is_used_again_if_it_says_so() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.0 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok
            log 200 GET /
            phase keep-alive
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.0 200 OK|Connection: keep-alive|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /
            phase keep-alive
    """)


def test_connection_with_bytes_too_many_is_not_used_again() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||okxx
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok
            log 200 GET /
            phase keep-alive
    """)


def test_body_where_none_may_be_is_not_used_again() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 204 No Content||xx
            answered 204
            to client HTTP/1.1 204 No Content||
            release ok
            log 204 GET /
            phase keep-alive
    """)


def test_upload_larger_than_the_pipeline_goes_on_once_connected() -> None:
    Playbook(connects=[PENDING], max_pipeline=20).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 50||0123456789
            decide POST /
            connect careful
        client 01234567890123456789
            hold
        ready
            to server POST / HTTP/1.1|Host: a|Content-Length: 50||012345678901234567890123456789
            phase body
            relay client 20
            let go
    """)


def test_chunked_upload_goes_on_once_connected() -> None:
    Playbook(connects=[PENDING], max_pipeline=20).play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|01234|
            decide POST /
            connect careful
        client 5|01234|5|01234|
            hold
        ready
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|01234|5|01234|5|01234|
            phase body
            let go
    """)
