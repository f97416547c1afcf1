"""`l7lb weight`."""

import argparse

import pytest

from l7lb.cli.weight import weight
from support.running_director import Command, Director


def test_set_and_give_back(command: Command, director: Director) -> None:
    assert command("weight", "web/a", "7") == (0, "web/a: ready, weight 7\n", "")
    assert director.server("a")["weight"] == 7
    assert command("weight", "web/a", "file") == (0, "web/a: ready\n", "")
    assert director.server("a")["weight"] == 1


@pytest.mark.parametrize("text", ["-1", "65536", "1.5", "", "x", "\u0663"])
def test_wrong_weights(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        weight(text)


def test_right_weights() -> None:
    assert (weight("0"), weight("65535"), weight("file")) == (0, 65535, None)
