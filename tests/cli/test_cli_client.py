"""The client of the control API."""

import argparse
import socket
import threading
from pathlib import Path

import pytest

from l7lb.cli.client import (
    Client,
    NotAnswered,
    Refused,
    add_control,
    client_of,
    pool_and_server,
    server_target,
)
from support.running_director import Command, Director


def answering(path: Path, raw: bytes) -> threading.Thread:
    """One answer on a unix socket, whatever is asked."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()

    def serve() -> None:
        client, _ = server.accept()
        client.recv(65536)
        client.sendall(raw)
        client.close()
        server.close()

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_nobody_there_is_told_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(NotAnswered, match=r"no director answers on .*--control"):
        Client(tmp_path / "none.sock").get("/v1/status")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
        with pytest.raises(NotAnswered, match="no director answers"):
            Client(tmp_path / "dead.sock").get("/v1/status")


@pytest.mark.parametrize(
    "raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"]
)
def test_an_answer_that_is_none(tmp_path: Path, raw: bytes) -> None:
    thread = answering(tmp_path / "x.sock", raw)
    with pytest.raises(NotAnswered):
        Client(tmp_path / "x.sock", 10).get("/v1/status")
    thread.join()


def test_a_silent_director_does_not_hold_us_for_ever(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "x.sock"))
        silent.listen()
        with pytest.raises(NotAnswered, match="timed out"):
            Client(tmp_path / "x.sock", 0.05).get("/v1/status")


def test_a_refusal_without_json(tmp_path: Path) -> None:
    raw = b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"
    thread = answering(tmp_path / "x.sock", raw)
    with pytest.raises(Refused, match="oops") as caught:
        Client(tmp_path / "x.sock", 10).get("/v1/status")
    assert caught.value.status == 500
    thread.join()


def test_names_are_quoted_in_targets() -> None:
    assert server_target("a b", "unix:/x", "drain") == "/v1/pools/a%20b/servers/unix%3A%2Fx/drain"


def test_pool_and_server() -> None:
    assert pool_and_server("web/unix:/run/x.sock") == ("web", "unix:/run/x.sock")
    for wrong in ("web", "web/", "/a", "", "/"):
        with pytest.raises(argparse.ArgumentTypeError):
            pool_and_server(wrong)


def test_the_socket_is_given_by_option_before_environment(
    command: Command, director: Director
) -> None:
    parser = argparse.ArgumentParser()
    add_control(parser)
    assert client_of(parser.parse_args([])).path == director.control
    assert client_of(parser.parse_args(["--control", "/x"])).path == Path("/x")
