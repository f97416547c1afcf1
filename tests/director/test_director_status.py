"""Status and metrics of a running director; who does not answer is unknown."""

import os
import signal

from support.running_director import Director, Origin, until


def test_every_part_is_shown(director: Director) -> None:
    director.ask()
    until(lambda: director.rows("services")[0]["requests"] == 1, "the count")
    service = director.rows("services")[0]
    assert service["responses"] == {
        "none": 0, "1xx": 0, "2xx": 1, "3xx": 0, "4xx": 0, "5xx": 0,
    }  # fmt: skip
    pool = director.rows("pools")[0]
    assert (pool["name"], pool["scheduler"], pool["queue"]) == ("web", "rr", 0)
    server = director.server("a")
    check = server["check"]
    assert isinstance(check, dict)
    assert check["detail"]
    assert check["age_s"] >= 0
    assert server["state"] == server["health"] == "up"
    for worker in director.rows("workers"):
        assert worker["answered"]
        assert worker["generation"] == 1
        assert float(str(worker["heard_age_s"])) < 30


def test_a_stopped_worker_is_unknown_and_the_other_still_tells(director: Director) -> None:
    victim = director.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    try:
        status = director.status()
        workers = status["workers"]
        assert isinstance(workers, list)
        assert [worker["answered"] for worker in workers] == [False, True]
        assert status["workers_unknown"] == [0]
        assert "connections" not in workers[0]
        assert director.ask() in "ab"
    finally:
        os.kill(victim, signal.SIGCONT)
    until(lambda: not director.status()["workers_unknown"], "its answer")


def test_a_server_that_goes_down_and_comes_back(
    director: Director, origins: tuple[Origin, Origin]
) -> None:
    origins[0].close()
    until(lambda: director.server("a")["state"] == "down", "the verdict")
    assert {director.ask() for _ in range(4)} == {"b"}
    event = director.events("health-changed")[-1]
    assert (event["server"], event["old"], event["new"]) == ("a", "up", "down")


def test_failures_are_counted_and_an_outlier_is_known_to_all(
    idle_director: Director, origins: tuple[Origin, Origin]
) -> None:
    """Without checks, real traffic alone finds the dead server; the other worker is told."""
    idle_director.write()
    file = idle_director.file
    file.write_text(file.read_text().replace("check: {tcp: true, every: 200ms}", "check: none"))
    idle_director.launch()
    until(lambda: idle_director.events("started"), "the start")
    origins[0].close()

    def ejected() -> bool:
        assert idle_director.ask() == "b"
        return idle_director.server("a")["state"] == "ejected"

    until(ejected, "the ejection")
    assert idle_director.events("ejected")[0]["server"] == "a"
    assert int(str(idle_director.server("a")["connect_failures"])) >= 1
    before = idle_director.server("a")["connect_failures"]
    for _ in range(6):
        idle_director.ask()
    assert idle_director.server("a")["connect_failures"] == before
