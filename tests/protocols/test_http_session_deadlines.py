"""What a deadline does in each phase."""

from support.playbook import Playbook


def test_head_takes_too_long() -> None:
    Playbook().play("""
        client GET /
            phase head
        client  HTTP/1.1|
        expired head
            to client HTTP/1.1 408 Request Timeout|Content-Type: text/plain|Content-Length: 52|Connection: close||408 Request Timeout: the request head took too long⏎
            log 408 R
            close and linger
    """)  # noqa: E501


def test_second_head_takes_too_long() -> None:
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
        client GET /
            phase head
        expired head
            to client HTTP/1.1 408 Request Timeout|Content-Type: text/plain|Content-Length: 52|Connection: close||408 Request Timeout: the request head took too long⏎
            log 408 R
            close and linger
    """)  # noqa: E501


def test_body_takes_too_long() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||o
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||o
            phase body
            relay client 4
        expired body
            release cancelled
            to client HTTP/1.1 408 Request Timeout|Content-Type: text/plain|Content-Length: 52|Connection: close||408 Request Timeout: the request body took too long⏎
            log 408 POST / XR
            close and linger
    """)  # noqa: E501


def test_first_byte_takes_too_long() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        expired first-byte
            release timeout
            to client HTTP/1.1 504 Gateway Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20||504 Gateway Timeout⏎
            log 504 GET / X
            phase keep-alive
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
    """)  # noqa: E501


def test_first_byte_takes_too_long_for_a_body_that_is_not_taken() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||
            phase body
            relay client 5
        expired first-byte
            release timeout
            to client HTTP/1.1 504 Gateway Timeout|Content-Type: text/plain; charset=utf-8|Content-Length: 20|Connection: close||504 Gateway Timeout⏎
            log 504 POST / X
            close and linger
    """)  # noqa: E501


def test_answer_stops() -> None:
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
        expired between
            release timeout
            log 200 GET / X
            abort
    """)


def test_client_takes_nothing() -> None:
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
        expired send
            release cancelled
            log 200 GET / C
            abort
    """)


def test_client_takes_nothing_of_a_whole_answer() -> None:
    """The exchange is logged already."""
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
        expired send
            abort
    """)


def test_tunnel_is_quiet_too_long() -> None:
    """The server is not to blame."""
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
        expired tunnel
            release ok
            log 101 GET /ws X
            abort
    """)


def test_director_ends_in_an_exchange() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        expired none
            release cancelled
            log 0 GET / X
            abort
    """)


def test_director_ends_between_exchanges() -> None:
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
        expired none
            abort
    """)
