"""A process has a name that no other ever has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from l7lb.director.incarnation import is_alive, own


def test_a_process_is_alive_until_it_has_ended() -> None:
    assert is_alive(own())
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        stat = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        name = f"{child.pid}.{stat[19]}.{own().rpartition('.')[2]}"
        assert is_alive(name)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(name)  # though its number is not free yet
    assert not is_alive(name)


def test_another_process_of_the_same_number_is_another() -> None:
    pid, start, boot = own().split(".")
    assert pid == str(os.getpid())
    assert not is_alive(f"{pid}.{int(start) + 1}.{boot}")
    assert not is_alive(f"{pid}.{start}.00000000")


def test_what_is_no_name() -> None:
    for name in ("", ".", "x.1.2", "-1.2.3", "0.0.0"):
        assert not is_alive(name)
