"""Start, life and end of a whole director with real processes."""

import os
import signal
import stat
from pathlib import Path

from support.running_director import Director, Origin, free_port, is_alive, is_listening, until


def test_it_serves_with_all_workers(on_each_loop: Director) -> None:
    director = on_each_loop
    assert {director.ask() for _ in range(4)} == {"a", "b"}
    status = director.status()
    assert status["state"] == "running"
    assert status["workers_unknown"] == []
    assert len(director.workers()) == 2
    until(lambda: director.rows("services")[0]["requests"] == 4, "the count")
    assert sum(int(str(server["requests"])) for server in director.servers()) == 4


def test_a_killed_worker_is_replaced_and_the_other_goes_on(on_each_loop: Director) -> None:
    director = on_each_loop
    before = director.workers()
    os.kill(before[0], signal.SIGKILL)
    until(lambda: director.events("worker-exited"), "the event")
    assert director.ask() in "ab"
    after = until(
        lambda: (now := director.workers()) and len(now) == 2 and now != before and now,
        "the replacement",
    )
    assert before[0] not in after
    assert before[1] in after
    assert director.status()["worker_restarts"] == 1
    assert director.events("worker-exited")[0]["reason"] == "signal SIGKILL"
    assert {director.ask() for _ in range(4)} == {"a", "b"}


def test_sessions_of_a_killed_worker_are_forgotten(
    director: Director, origins: tuple[Origin, Origin]
) -> None:
    connection = director.connect()
    connection.request("GET", "/slow")
    until(lambda: any(origin.asked.is_set() for origin in origins), "the request")
    assert sum(int(str(server["active"])) for server in director.servers()) == 1
    for pid in director.workers():
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(server["active"] for server in director.servers()), "the release")
    assert director.rows("services")[0]["connections"] == 0
    connection.close()


def test_sigterm_lets_requests_finish_and_exits_with_0(
    on_each_loop: Director, origins: tuple[Origin, Origin]
) -> None:
    director = on_each_loop
    port = director.ports()[0]
    workers = director.workers()
    connection = director.connect(port)
    connection.request("GET", "/slow")
    until(lambda: any(origin.asked.is_set() for origin in origins), "the request")
    director.signal(signal.SIGTERM)
    until(lambda: not is_listening(port), "the end of listening")
    assert director.status()["state"] == "stopping"
    for origin in origins:
        origin.let_go.set()
    assert connection.getresponse().read().decode() in "ab"
    connection.close()
    assert director.wait() == 0
    assert not any(map(is_alive, workers))
    assert not director.control.exists()


def test_a_second_signal_ends_at_once(
    on_each_loop: Director, origins: tuple[Origin, Origin]
) -> None:
    director = on_each_loop
    connection = director.connect()
    connection.request("GET", "/slow")
    until(lambda: any(origin.asked.is_set() for origin in origins), "the request")
    director.signal(signal.SIGTERM)
    until(lambda: director.events("stopping"), "the first signal")
    director.signal(signal.SIGINT)
    assert director.wait() == 0
    connection.close()


def test_what_outlasts_the_drain_deadline_is_cut(
    idle_director: Director, origins: tuple[Origin, Origin]
) -> None:
    idle_director.write(drain="100ms")
    idle_director.start()
    connection = idle_director.connect()
    connection.request("GET", "/slow")
    until(lambda: any(origin.asked.is_set() for origin in origins), "the request")
    idle_director.signal(signal.SIGTERM)
    assert idle_director.wait() == 0
    assert '"sessions_cut": 1' in idle_director.log()
    connection.close()


def test_workers_of_a_killed_supervisor_leave_and_a_new_one_can_start(
    idle_director: Director, origins: tuple[Origin, Origin]
) -> None:
    port = free_port()
    idle_director.write(listen=f"127.0.0.1:{port}")
    idle_director.start()
    workers = idle_director.workers()
    connection = idle_director.connect(port)
    connection.request("GET", "/slow")
    until(lambda: any(origin.asked.is_set() for origin in origins), "the request")
    idle_director.signal(signal.SIGKILL)
    idle_director.wait()
    idle_director.start()
    assert idle_director.ask(port=port) in "ab"
    for origin in origins:
        origin.let_go.set()
    assert connection.getresponse().read().decode() in "ab"
    connection.close()
    until(lambda: not any(map(is_alive, workers)), "the end of the old workers")


def test_the_control_socket_is_its_owners_alone(director: Director) -> None:
    assert stat.S_IMODE(director.control.stat().st_mode) == 0o600


def test_a_second_director_on_the_same_socket_is_refused(
    director: Director, tmp_path: Path
) -> None:
    other = Director(tmp_path, *director.origins)
    assert other.launch().wait(30) == 1
    assert "cannot listen on" in other.log()
    assert director.ask() in "ab"


def test_an_address_in_use_is_a_clear_error(idle_director: Director) -> None:
    taken = idle_director.origins[0].address
    idle_director.write(listen=taken)
    assert idle_director.launch().wait(30) == 1
    assert f"cannot listen on {taken}" in idle_director.log()


def test_a_worker_told_to_end_lets_its_requests_finish(
    on_each_loop: Director, origins: tuple[Origin, Origin]
) -> None:
    director = on_each_loop
    connection = director.connect()
    connection.request("GET", "/slow")
    until(lambda: any(origin.asked.is_set() for origin in origins), "the request")
    before = set(director.workers())
    for pid in before:
        os.kill(pid, signal.SIGTERM)
    for origin in origins:
        origin.let_go.set()
    assert connection.getresponse().read().decode() in "ab"
    connection.close()
    until(lambda: len(set(director.workers()) - before) == 2, "the replacements")


def test_the_secret_is_made_once_and_is_private(director: Director) -> None:
    secret = director.folder / "state" / "cookie.secret"
    kept = secret.read_bytes()
    assert len(kept) == 32
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    director.signal(signal.SIGTERM)
    assert director.wait() == 0
    director.start()
    assert secret.read_bytes() == kept
