"""What the rules decide: own answers, rewrites, mirror, tunnels, limits."""

from support.playbook import Playbook, decision


def test_own_answers() -> None:
    Playbook(decision=decision(reply=(404, [], b""))).play("""
        client GET / HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||
            decide GET /
            to client HTTP/1.1 404 Not Found|Content-Type: text/plain; charset=utf-8|Content-Length: 14||404 Not Found⏎
            log 404 GET /
            decide GET /2
            to client HTTP/1.1 404 Not Found|Content-Type: text/plain; charset=utf-8|Content-Length: 14||404 Not Found⏎
            log 404 GET /2
            phase keep-alive
    """)  # noqa: E501


def test_own_answers_wait_for_a_client_that_takes_nothing() -> None:
    Playbook(decision=decision(reply=(404, [], b""))).play("""
        full
        client GET / HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||
            decide GET /
            to client HTTP/1.1 404 Not Found|Content-Type: text/plain; charset=utf-8|Content-Length: 14||404 Not Found⏎
            log 404 GET /
            phase head
        drained
            decide GET /2
            to client HTTP/1.1 404 Not Found|Content-Type: text/plain; charset=utf-8|Content-Length: 14||404 Not Found⏎
            log 404 GET /2
            phase keep-alive
    """)  # noqa: E501


def test_own_answer_while_the_body_comes() -> None:
    Playbook(decision=decision(reply=(404, [], b""))).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||he
            decide POST /
            to client HTTP/1.1 404 Not Found|Content-Type: text/plain; charset=utf-8|Content-Length: 14|Connection: close||404 Not Found⏎
            log 404 POST /
            close and linger
    """)  # noqa: E501


def test_own_answer_to_head() -> None:
    Playbook(decision=decision(reply=(404, [], b""))).play("""
        client HEAD / HTTP/1.1|Host: a||
            decide HEAD /
            to client HTTP/1.1 404 Not Found|Content-Type: text/plain; charset=utf-8|Content-Length: 14||
            log 404 HEAD /
            phase keep-alive
    """)  # noqa: E501


def test_own_answer_to_an_old_client() -> None:
    Playbook(decision=decision(reply=(200, [(b"Content-Type", b"text/plain")], b"hi"))).play("""
        client GET / HTTP/1.0||
            decide GET /
            to client HTTP/1.1 200 OK|Content-Type: text/plain|Content-Length: 2|Connection: close||hi
            log 200 GET /
            close
    """)  # noqa: E501


def test_redirect() -> None:
    Playbook(decision=decision(reply=(308, [(b"Location", b"/new")], b""))).play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            to client HTTP/1.1 308 Permanent Redirect|Location: /new|Content-Length: 0||
            log 308 GET /
            phase keep-alive
    """)


def test_own_answer_while_draining() -> None:
    book = Playbook(decision=decision(reply=(404, [], b"")))
    book.wire.draining = True
    book.play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            to client HTTP/1.1 404 Not Found|Content-Type: text/plain; charset=utf-8|Content-Length: 14|Connection: close||404 Not Found⏎
            log 404 GET /
            close
    """)  # noqa: E501


def test_rewrites_and_edits() -> None:
    Playbook(
        decision=decision(
            path=b"/z?q=1",
            host=b"b",
            edit_request=lambda f: [*f, (b"X-A", b"1")],
            edit_response=lambda f: [(b"X-B", b"2"), *f],
        )
    ).play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET /z?q=1 HTTP/1.1|Host: b|X-A: 1||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|X-B: 2|Content-Length: 2||ok
            release ok keep
            log 200 GET /
            phase keep-alive
    """)


def test_persistence_cookie() -> None:
    book = Playbook()
    book.wire.set_cookie = b"L7LB=x; Path=/"
    book.play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2|Set-Cookie: L7LB=x; Path=/||ok
            release ok keep
            log 200 GET /
            phase keep-alive
    """)


def test_mirror_of_a_plain_request() -> None:
    Playbook(decision=decision(mirror=True)).play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            mirror GET / HTTP/1.1|Host: a||
            phase first-byte
    """)


def test_mirror_gets_a_body_that_comes_in_pieces() -> None:
    Playbook(decision=decision(mirror=True)).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||he
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||he
            phase body
        client ll
            to server ll
            phase body
        client oGET /2 HTTP/1.1|Host: a||
            to server o
            mirror POST / HTTP/1.1|Host: a|Content-Length: 5||hello
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 POST /
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            mirror GET /2 HTTP/1.1|Host: a||
            phase first-byte
    """)


def test_mirror_gets_a_chunked_body() -> None:
    Playbook(decision=decision(mirror=True)).play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|he|
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|he|
            phase body
        client 0||
            to server 0||
            mirror POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||2|he|0||
            phase first-byte
    """)


def test_large_body_is_not_mirrored() -> None:
    Playbook(decision=decision(mirror=True), max_pipeline=10).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 50||he
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 50||he
            phase body
            relay client 48
        relayed client
            phase first-byte
    """)


def test_large_chunked_body_is_not_mirrored() -> None:
    Playbook(decision=decision(mirror=True), max_pipeline=10).play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||b|hello world|
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||b|hello world|
            phase body
        client 0||
            to server 0||
            phase first-byte
    """)


def test_upgrade_to_a_tunnel() -> None:
    """Bytes that came early follow; half-close each way (RFC 9110 §7.8)."""
    book = Playbook()
    book.wire.set_cookie = b"L7LB=x"
    book.play("""
        client GET /ws HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: websocket||early
            decide GET /ws
            connect
            to server GET /ws HTTP/1.1|Host: a|Upgrade: websocket|Connection: upgrade||
            phase first-byte
        server HTTP/1.1 101 Switching Protocols|Connection: Upgrade|Upgrade: websocket||frame
            answered 101
            to client HTTP/1.1 101 Switching Protocols|Upgrade: websocket|Set-Cookie: L7LB=x|Connection: upgrade||frame
            to server early
            phase tunnel
            relay client to the end
            relay server to the end
        relayed client
            end server
        relayed server
            release ok
            log 101 GET /ws
            close
    """)  # noqa: E501


def test_upgrade_that_the_server_does_not_want() -> None:
    Playbook().play("""
        client GET /ws HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: websocket||
            decide GET /ws
            connect
            to server GET /ws HTTP/1.1|Host: a|Upgrade: websocket|Connection: upgrade||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /ws
            phase keep-alive
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
    """)


def test_pipelined_request_behind_an_upgrade_that_fails() -> None:
    Playbook().play("""
        client GET /ws HTTP/1.1|Host: a|Connection: Upgrade|Upgrade: websocket||GET /2 HTTP/1.1|Host: a||
            decide GET /ws
            connect
            to server GET /ws HTTP/1.1|Host: a|Upgrade: websocket|Connection: upgrade||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /ws
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            phase first-byte
    """)  # noqa: E501


def test_switching_protocols_unasked() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 101 Switching Protocols|Connection: Upgrade|Upgrade: websocket||frame
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16||502 Bad Gateway⏎
            log 502 GET / B
            phase keep-alive
    """)  # noqa: E501


def test_switching_protocols_in_the_middle_of_a_body() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5|Connection: Upgrade|Upgrade: x||
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 5|Upgrade: x|Connection: upgrade||
            phase body
            relay client 5
        server HTTP/1.1 101 Switching Protocols|Connection: Upgrade|Upgrade: websocket||
            release failed
            to client HTTP/1.1 502 Bad Gateway|Content-Type: text/plain; charset=utf-8|Content-Length: 16|Connection: close||502 Bad Gateway⏎
            log 502 POST / B
            close and linger
    """)  # noqa: E501


def test_connect_is_refused() -> None:
    Playbook().play("""
        client CONNECT a:443 HTTP/1.1|Host: a:443||xx
            decide CONNECT
            to client HTTP/1.1 405 Method Not Allowed|Content-Type: text/plain|Content-Length: 52|Connection: close||405 Method Not Allowed: CONNECT is not allowed here⏎
            log 405 CONNECT a:443 R
            close and linger
    """)  # noqa: E501


def test_connect_on_a_route_that_allows_it() -> None:
    Playbook(decision=decision(allow_connect=True)).play("""
        client CONNECT a:443 HTTP/1.1|Host: a:443||xx
            decide CONNECT
            connect careful
            to server CONNECT a:443 HTTP/1.1|Host: a:443||
            phase first-byte
        server HTTP/1.1 200 OK||yy
            answered 200
            to client HTTP/1.1 200 OK||yy
            to server xx
            phase tunnel
            relay client to the end
            relay server to the end
        relayed server
            end client
        relayed client
            release ok
            log 200 CONNECT a:443
            close
    """)


def test_connect_that_the_server_denies() -> None:
    Playbook(decision=decision(allow_connect=True)).play("""
        client CONNECT a:443 HTTP/1.1|Host: a:443||
            decide CONNECT
            connect careful
            to server CONNECT a:443 HTTP/1.1|Host: a:443||
            phase first-byte
        server HTTP/1.1 403 Forbidden|Content-Length: 0||
            answered 403
            to client HTTP/1.1 403 Forbidden|Content-Length: 0||
            release ok keep
            log 403 CONNECT a:443
            phase keep-alive
    """)


def test_body_announced_too_large() -> None:
    Playbook(max_body=5).play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 9||
            decide POST /
            to client HTTP/1.1 413 Content Too Large|Content-Type: text/plain|Content-Length: 59|Connection: close||413 Content Too Large: request body is larger than allowed⏎
            log 413 POST / R
            close and linger
    """)  # noqa: E501


def test_refusal_to_head_has_no_body() -> None:
    Playbook(max_body=5).play("""
        client HEAD / HTTP/1.1|Host: a|Content-Length: 9||
            decide HEAD /
            to client HTTP/1.1 413 Content Too Large|Content-Type: text/plain|Content-Length: 59|Connection: close||
            log 413 HEAD / R
            close and linger
    """)  # noqa: E501


def test_chunked_body_too_large() -> None:
    """What counts is the data, not its framing."""
    Playbook(max_body=5).play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|
            phase body
        client 3|
            release cancelled
            to client HTTP/1.1 413 Content Too Large|Content-Type: text/plain|Content-Length: 59|Connection: close||413 Content Too Large: request body is larger than allowed⏎
            log 413 POST / R
            close and linger
    """)  # noqa: E501


def test_chunked_body_too_large_while_it_is_answered() -> None:
    Playbook(max_body=5).play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||3|abc|
            phase body
        server HTTP/1.1 200 OK|Content-Length: 5||o
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 5|Connection: close||o
            phase between
            relay server 4
        client 3|abc|
            release cancelled
            log 200 POST / R
            abort
    """)
