"""`l7lb disable` and `l7lb enable`."""

from support.running_director import Command, Director


def test_out_and_in_again(command: Command, director: Director) -> None:
    assert command("disable", "web/a") == (0, "web/a: disabled\n", "")
    assert {director.ask() for _ in range(4)} == {"b"}
    assert command("enable", "web/a") == (0, "web/a: ready\n", "")
    assert {director.ask() for _ in range(4)} == {"a", "b"}
