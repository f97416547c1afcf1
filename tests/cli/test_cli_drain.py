"""`l7lb drain`."""

from support.running_director import Command, Director


def test_drain_with_a_deadline(command: Command, director: Director) -> None:
    code, out, _ = command("drain", "web/a", "--deadline", "10m")
    assert (code, out) == (0, "web/a: drain, persistent clients stay 600.0 s\n")
    assert director.server("a")["state"] == "draining"
    assert command("enable", "web/a")[0] == 0


def test_drain_with_the_pools_deadline(command: Command) -> None:
    assert "3600.0 s" in command("drain", "web/b")[1]
    assert command("enable", "web/b")[0] == 0


def test_a_deadline_needs_a_unit(command: Command) -> None:
    code, _, err = command("drain", "web/a", "--deadline", "600")
    assert code == 2
    assert "--deadline" in err
    assert "600" in err


def test_an_unknown_server_is_status_1(command: Command) -> None:
    code, out, err = command("drain", "web/c")
    assert (code, out) == (1, "")
    assert err == "l7lb: no server 'c' in pool 'web'; there are a, b\n"
