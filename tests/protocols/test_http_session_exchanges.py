"""One request and its answer, and the next: framing, interim answers, order."""

from support.playbook import Playbook


def test_connection_is_kept_for_the_next_request() -> None:
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
        client GET /2 HTTP/1.1|Host: a||
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /2
            phase keep-alive
        expired keep-alive
            close and linger
    """)


def test_pipelined_requests_are_answered_in_order() -> None:
    """RFC 9112 §9.3.2."""
    Playbook().play("""
        client GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||GET /3
            decide GET /1
            connect
            to server GET /1 HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 1||1
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 1||1
            release ok keep
            log 200 GET /1
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            phase first-byte
        client  HTTP/1.1|Host: a||
        server HTTP/1.1 200 OK|Content-Length: 1||2
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 1||2
            release ok keep
            log 200 GET /2
            decide GET /3
            connect
            to server GET /3 HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 1||3
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 1||3
            release ok keep
            log 200 GET /3
            phase keep-alive
    """)


def test_many_pipelined_bytes_hold_the_client() -> None:
    Playbook(max_pipeline=30).play("""
        client GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||
            decide GET /1
            connect
            to server GET /1 HTTP/1.1|Host: a||
            phase first-byte
        client GET /3 HTTP/1.1|Host: a||
            hold
        server HTTP/1.1 200 OK|Content-Length: 1||1
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 1||1
            release ok keep
            log 200 GET /1
            let go
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            phase first-byte
    """)


def test_no_exchange_begins_while_the_client_takes_nothing() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        full
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /
            phase head
        drained
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /2
            phase keep-alive
    """)


def test_client_that_asks_for_close_is_closed() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a|Connection: close||
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


def test_body_of_known_length_is_relayed() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||he
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||he
            phase body
            relay client 3
        relayed client
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 POST /
            phase keep-alive
    """)


def test_small_body_goes_with_the_head() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Content-Length: 5||helloGET /2 HTTP/1.1|Host: a||
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Content-Length: 5||hello
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 POST /
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /2
            phase keep-alive
    """)


def test_chunked_body_goes_on_without_extensions() -> None:
    """Trailers pass if they may (RFC 9110 §6.5.1)."""
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5;x=1|hel
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||5|hel
            phase body
        client lo|0|X-T: 1|Host: evil||GET /2 HTTP/1.1|Host: a||
            to server lo|0|X-T: 1||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 POST /
            decide GET /2
            connect
            to server GET /2 HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /2
            phase keep-alive
    """)


def test_chunked_answer_with_trailers() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hel
            answered 200
            to client HTTP/1.1 200 OK|Transfer-Encoding: chunked||5|hel
            phase between
        server lo|0|X-Sum: 7|Content-Length: 3||
            to client lo|0|X-Sum: 7||
            release ok keep
            log 200 GET /
            phase keep-alive
    """)


def test_answer_of_known_length_is_relayed() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 10||123
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 10||123
            phase between
            relay server 7
        relayed server
            release ok keep
            log 200 GET /
            phase keep-alive
    """)


def test_answer_until_the_server_ends() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK||123
            answered 200
            to client HTTP/1.1 200 OK|Connection: close||123
            phase between
            relay server to the end
        relayed server
            release ok
            log 200 GET /
            close
    """)


def test_continue_is_passed_on() -> None:
    """RFC 9110 §10.1.1; the client's deadline goes on."""
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Expect: 100-continue|Content-Length: 5||
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Expect: 100-continue|Content-Length: 5||
            phase body
            relay client 5
        server HTTP/1.1 100 Continue||
            to client HTTP/1.1 100 Continue||
        relayed client
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 POST /
            phase keep-alive
    """)


def test_final_answer_instead_of_continue_closes() -> None:
    Playbook().play("""
        client POST / HTTP/1.1|Host: a|Expect: 100-continue|Content-Length: 5||
            decide POST /
            connect careful
            to server POST / HTTP/1.1|Host: a|Expect: 100-continue|Content-Length: 5||
            phase body
            relay client 5
        server HTTP/1.1 417 Expectation Failed|Content-Length: 0||
            answered 417
            to client HTTP/1.1 417 Expectation Failed|Content-Length: 0|Connection: close||
            release ok
            log 417 POST /
            close and linger
    """)


def test_early_hints_are_passed_on() -> None:
    """RFC 8297."""
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 103 Early Hints|Link: </x>||
            to client HTTP/1.1 103 Early Hints|Link: </x>||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /
            phase keep-alive
    """)


def test_early_hints_with_part_of_the_next_head() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 103 Early Hints|Link: </x>||HTTP/1.1 2
            to client HTTP/1.1 103 Early Hints|Link: </x>||
            phase first-byte
        server 00 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2||ok
            release ok keep
            log 200 GET /
            phase keep-alive
    """)


def test_interim_answers_are_not_for_old_clients() -> None:
    Playbook().play("""
        client GET / HTTP/1.0||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: ||
            phase first-byte
        server HTTP/1.1 103 Early Hints|Link: </x>||HTTP/1.1 200 OK|Content-Length: 2||ok
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 2|Connection: close||ok
            release ok keep
            log 200 GET /
            close
    """)


def test_answer_to_head_has_no_body() -> None:
    Playbook().play("""
        client HEAD / HTTP/1.1|Host: a||
            decide HEAD /
            connect
            to server HEAD / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 200 OK|Content-Length: 9||
            answered 200
            to client HTTP/1.1 200 OK|Content-Length: 9||
            release ok keep
            log 200 HEAD /
            phase keep-alive
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
    """)


def test_no_content_has_no_body() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 204 No Content||
            answered 204
            to client HTTP/1.1 204 No Content||
            release ok keep
            log 204 GET /
            phase keep-alive
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
    """)


def test_not_modified_has_no_body() -> None:
    Playbook().play("""
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
        server HTTP/1.1 304 Not Modified|Content-Length: 9||
            answered 304
            to client HTTP/1.1 304 Not Modified|Content-Length: 9||
            release ok keep
            log 304 GET /
            phase keep-alive
        client GET / HTTP/1.1|Host: a||
            decide GET /
            connect
            to server GET / HTTP/1.1|Host: a||
            phase first-byte
    """)
