"""Servers that break off, and messages that break the protocol."""

from support.playbook import Playbook


def test_server_ends_in_a_body_of_known_length() -> None:
    """Broken off, so that nobody takes it for whole (RFC 9112 §8)."""
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
        server-eof
            release failed
            log 200 GET / T
            abort
    """)


def test_server_lost_in_a_chunked_body() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|
            answered 200
            to client HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|
            phase between
        server-lost
            release failed
            log 200 GET / S
            abort
    """)


def test_server_lost_in_a_body_until_it_ends() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK||ok
            answered 200
            to client HTTP/1.1 200 OK|Connection: close||ok
            phase between
            relay server to the end
        server-lost
            release failed
            log 200 GET / S
            abort
    """)


def test_server_lost_in_a_tunnel() -> None:
    Playbook().play("""
        client GET /ws HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: websocket||
            decide GET /ws
            connect
            to server GET /ws HTTP/1.1|Host: a|Upgrade: websocket|Connection: upgrade||
            phase first-byte
        server HTTP/1.1 101 Switching Protocols|Connection: Upgrade|Upgrade: websocket||
            answered 101
            to client HTTP/1.1 101 Switching Protocols|Upgrade: websocket|Connection: upgrade||
            phase tunnel
            relay client to the end
            relay server to the end
        server-lost
            release ok
            log 101 GET /ws
            abort
    """)


def test_server_lost_in_an_upload() -> None:
    Playbook().play("""
        client PUT / HTTP/1.1|Host: a|Content-Length: 2||
            decide PUT /
            connect careful
            to server PUT / HTTP/1.1|Host: a|Content-Length: 2||
            phase body
            relay client 2
        server-lost
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16|Connection: close||502 Bad Gateway⏎
            log 502 PUT / S
            close and linger
    """)  # noqa: E501


def test_bad_chunk_in_an_answer() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|
            answered 200
            to client HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|
            phase between
        server zz
            release failed
            log 200 GET / B
            abort
    """)


def test_bad_chunk_with_the_head() -> None:
    """Nothing has gone out yet: the client gets a clear answer."""
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Transfer-Encoding: chunked||zz
            answered 200
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway⏎
            log 502 GET / B
            phase keep-alive
    """)  # noqa: E501


def test_bad_head_of_an_answer() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server nonsense||
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway⏎
            log 502 GET / B
            phase keep-alive
    """)  # noqa: E501


def test_bad_chunk_in_a_request() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||zz
            decide POST /
            connect careful
            release cancelled
            to client HTTP/1.1 400 Bad Request|Content-Type: text/plain|Content-Length: 36|Connection: close||400 Bad Request: invalid chunk size⏎
            log 400 POST / R
            close and linger
    """)  # noqa: E501


def test_bad_chunk_in_a_request_that_is_being_answered() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||
            phase body
        server HTTP/1.1 200 OK|Content-Length: 5||o
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 5|Connection: close||o
            phase between
            relay server 4
        client zz
            release cancelled
            log 200 POST / R
            abort
    """)


def test_bad_request_after_a_good_one() -> None:
    """The log says nothing of the request before."""
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
        client GET /  HTTP/1.1||
            to client HTTP/1.1 400 Bad Request|Content-Type: text/plain|Content-Length: 52|Connection: close||400 Bad Request: invalid version, or space after it⏎
            log 400 R
            close and linger
    """)  # noqa: E501


def test_director_that_drains_closes_after_the_exchange() -> None:
    book = Playbook()
    book.wire.draining = True
    book.play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok
            release ok keep
            log 200 GET /
            close
    """)
