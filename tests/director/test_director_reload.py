"""A new file in a running director: what changes, what stays, and what is refused."""

import os
import signal
import socket
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from l7lb.cli.client import Refused
from l7lb.director.reload import at_restart, check_certificates
from l7lb.errors import ControlError
from l7lb.model import (
    Address,
    Certificate,
    ClusterSpec,
    DirectorSpec,
    ListenSpec,
    ListenTls,
    ServiceSpec,
)
from l7lb.model_store import EtcdStore
from support.running_director import Director, Origin, get, is_listening, until


def test_an_equal_file_changes_nothing_but_the_generation(on_each_loop: Director) -> None:
    director = on_each_loop
    before = director.workers()
    connection = director.connect()
    get(connection)
    answer = director.client.post("/v1/reload")
    assert answer == {
        "generation": 2,
        "changes": [],
        "at_restart": [],
        "workers_unconfirmed": [],
    }
    assert director.workers() == before
    get(connection)  # the very same connection
    connection.close()


def test_sighup_reloads(director: Director) -> None:
    director.write(more="    max_connections: 1000\n")
    director.signal(signal.SIGHUP)
    until(lambda: director.events("reloaded"), "the reload")
    assert director.status()["generation"] == 2


def test_a_listener_comes_and_goes(on_each_loop: Director) -> None:
    director = on_each_loop
    first = director.ports()[0]
    director.write(listen="127.0.0.1:0 127.0.0.2:0")
    answer = director.client.post("/v1/reload")
    assert answer["changes"]
    ports = director.ports()
    assert ports[0] == first
    with socket.create_connection(("127.0.0.2", ports[1]), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
    director.write()
    director.client.post("/v1/reload")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.2", ports[1])) != 0
    assert director.ports() == [first]


def test_a_listener_that_moves_in_the_list_keeps_its_socket(director: Director) -> None:
    first = director.ports()[0]
    director.write(listen="127.0.0.2:0 127.0.0.1:0")
    director.client.post("/v1/reload")
    assert director.ports()[1] == first
    assert director.ask(port=first) in "ab"


def test_a_running_download_survives_a_reload(
    director: Director, origins: tuple[Origin, Origin]
) -> None:
    connection = director.connect()
    connection.request("GET", "/slow")
    until(lambda: any(origin.asked.is_set() for origin in origins), "the request")
    director.write(listen="127.0.0.1:0 127.0.0.2:0")
    director.client.post("/v1/reload")
    for origin in origins:
        origin.let_go.set()
    assert connection.getresponse().read().decode() in "ab"
    connection.close()


def test_a_bad_file_changes_nothing_and_every_problem_is_told(director: Director) -> None:
    good = director.file.read_text()
    director.file.write_text(good.replace("pool: web", "pool: wbe").replace("rr", "xx"))
    with pytest.raises(Refused) as caught:
        director.client.post("/v1/reload")
    assert caught.value.status == 422
    problems = caught.value.answer["problems"]
    assert isinstance(problems, list)
    assert len(problems) == 2
    assert all(problem["file"] == str(director.file) and problem["line"] for problem in problems)
    assert director.status()["generation"] == 1
    assert director.ask() in "ab"
    assert director.events("reload-refused")


def test_an_address_in_use_stops_the_whole_reload(director: Director) -> None:
    taken = director.origins[0].address
    director.write(listen=f"127.0.0.1:0 127.0.0.2:0 {taken}", workers=1)
    with pytest.raises(Refused, match="cannot listen") as caught:
        director.client.post("/v1/reload")
    assert caught.value.status == 409
    assert director.status()["generation"] == 1
    assert len(director.ports()) == 1
    assert len(director.workers()) == 2


def test_a_server_that_left_gets_nothing_new(director: Director) -> None:
    origin = director.origins[1]
    director.origins = director.origins[:1]
    director.write()
    answer = director.client.post("/v1/reload")
    assert [(change["kind"], change["what"]) for change in answer["changes"]] == [
        ("removed", "server")
    ]
    assert {director.ask() for _ in range(4)} == {"a"}
    director.origins = (*director.origins, origin)
    director.write()
    director.client.post("/v1/reload")
    until(lambda: {director.ask() for _ in range(4)} == {"a", "b"}, "the server's return")


@pytest.mark.parametrize("workers", [1, 3])
def test_the_number_of_workers_follows_the_file(director: Director, workers: int) -> None:
    director.write(workers=workers)
    director.client.post("/v1/reload")
    until(lambda: len(director.workers()) == workers, "the new number")
    assert director.ask() in "ab"
    assert director.status()["worker_restarts"] == 0


def test_a_worker_born_after_a_reload_knows_the_new_file(director: Director) -> None:
    director.origins = director.origins[:1]
    director.write()
    director.client.post("/v1/reload")
    for pid in director.workers():
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(director.events("worker-exited")) == 2, "the exits")
    until(lambda: len(director.workers()) == 2, "the replacements")
    assert {director.ask() for _ in range(4)} == {"a"}


def test_a_changed_certificate_is_read_although_the_file_is_equal(
    idle_director: Director, tmp_path: Path
) -> None:
    pem = tmp_path / "site.pem"
    authority = trustme.CA()
    names = ["one.test", "two.test"]
    authority.issue_cert(names[0]).private_key_and_cert_chain_pem.write_to_path(pem)
    idle_director.write()
    text = idle_director.file.read_text()
    listen = f"listen: [{{address: '127.0.0.1:0', tls: [{pem}]}}]"
    idle_director.file.write_text(text.replace("listen: ['127.0.0.1:0']", listen))
    idle_director.start()
    port = idle_director.ports()[0]
    assert served_name(authority, port, names[0])
    authority.issue_cert(names[1]).private_key_and_cert_chain_pem.write_to_path(pem)
    idle_director.client.post("/v1/reload")
    assert served_name(authority, port, names[1])
    pem.write_text("nonsense")
    with pytest.raises(Refused) as caught:
        idle_director.client.post("/v1/reload")
    assert caught.value.status == 422
    assert served_name(authority, port, names[1])


def served_name(authority: trustme.CA, port: int, name: str) -> bool:
    """Does the listener prove to be `name`?"""
    import ssl

    context = ssl.create_default_context()
    authority.configure_trust(context)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=name),
    ):
        return True


def test_metrics_move_with_the_file(director: Director) -> None:
    from support.running_director import free_port

    port = free_port()
    text = director.file.read_text().replace("metrics: 127.0.0.1:0", f"metrics: 127.0.0.1:{port}")
    director.file.write_text(text)
    director.client.post("/v1/reload")
    assert is_listening(port)
    director.write()
    director.client.post("/v1/reload")
    assert not is_listening(port)


def test_what_only_a_restart_changes_is_told() -> None:
    old = ClusterSpec({}, {})
    new = replace(old, director=DirectorSpec(control="/x", cookie_secret=b"y", workers=3))
    assert at_restart(old, new) == ["director.control", "director.cookie_secret"]
    assert at_restart(old, replace(old, store=EtcdStore(("http://a",)))) == ["store"]


@pytest.mark.parametrize("key", ["tls", "starttls"])
def test_every_certificate_is_read_as_the_workers_will(key: str, tmp_path: Path) -> None:
    missing = ListenTls((Certificate(str(tmp_path / "gone.pem")),))
    address = Address("*", 143)
    both = {"tls": ListenSpec(address, missing), "starttls": ListenSpec(address, starttls=missing)}
    spec = ClusterSpec({}, {"imap": ServiceSpec("imap", "imap", (both[key],), ())})
    with pytest.raises(ControlError, match=r"service imap: .*gone\.pem"):
        check_certificates(spec)
