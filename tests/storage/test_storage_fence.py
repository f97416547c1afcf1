"""The fence file: who is refused, who waits, what survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from l7lb_storage.errors import DeadlinePassed, StaleToken, StorageError
from l7lb_storage.fence import FILE, guard, highest

HOLD = """
import sys, time
from l7lb_storage.fence import guard
with guard(sys.argv[1], int(sys.argv[2])):
    print("in", flush=True)
    sys.stdin.readline()
"""


def hold(home: Path, token: int) -> subprocess.Popen[bytes]:
    """A process inside its section."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLD, str(home), str(token)]
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe)
    assert process.stdout is not None
    assert process.stdout.readline() == b"in\n"
    return process


def test_lower_tokens_are_refused(tmp_path: Path) -> None:
    assert highest(tmp_path) == 0
    for token in (5, 5, 7):
        with guard(tmp_path, token):
            assert highest(tmp_path) == token
    with pytest.raises(StaleToken) as caught, guard(tmp_path, 6):
        raise AssertionError("let in")
    assert (caught.value.token, caught.value.highest) == (6, 7)
    assert highest(tmp_path) == 7


def test_largest_token_fits(tmp_path: Path) -> None:
    with guard(tmp_path, (1 << 63) - 1):
        pass
    assert (tmp_path / FILE).stat().st_size == 21
    assert highest(tmp_path) == (1 << 63) - 1


def test_new_owner_waits_for_a_writer_in_its_section(tmp_path: Path) -> None:
    process = hold(tmp_path, 5)
    with pytest.raises(DeadlinePassed), guard(tmp_path, 6, timeout_s=0.05):
        raise AssertionError("let in")
    assert highest(tmp_path) == 5, "who was not let in has left nothing"
    process.communicate(b"\n")
    with guard(tmp_path, 6):
        pass
    assert process.returncode == 0


def test_killed_writer_frees_the_lock_and_leaves_its_token(tmp_path: Path) -> None:
    process = hold(tmp_path, 5)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with guard(tmp_path, 5, timeout_s=5):
        pass
    assert highest(tmp_path) == 5


def test_threads_exclude_each_other(tmp_path: Path) -> None:
    """The lock belongs to the open file, not to the process."""
    inside, done = threading.Event(), threading.Event()

    def first() -> None:
        with guard(tmp_path, 5):
            inside.set()
            done.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with pytest.raises(DeadlinePassed), guard(tmp_path, 6, timeout_s=0.02):
        raise AssertionError("let in")
    with (tmp_path / FILE).open("rb") as other:
        other.read()  # closing another descriptor must not drop the lock, as it would a POSIX one
    with pytest.raises(DeadlinePassed), guard(tmp_path, 6, timeout_s=0.02):
        raise AssertionError("let in")
    done.set()
    thread.join()


def test_error_in_the_section_unlocks(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), guard(tmp_path, 5):
        raise RuntimeError
    with guard(tmp_path, 5, timeout_s=0.02):
        pass


@pytest.mark.parametrize("content", [b"", b"\0" * 21])
def test_file_that_a_crash_left_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with guard(tmp_path, 3):
        pass
    assert highest(tmp_path) == 3


@pytest.mark.parametrize("content", [b"7\n", b"x" * 21, b"1" * 21, b"0" * 20 + b"\n\n", b"1" * 40])
def test_file_that_is_no_fence_lets_nobody_in(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StorageError, match="no fence file"), guard(tmp_path, 3):
        raise AssertionError("let in")
    assert (tmp_path / FILE).read_bytes() == content


def test_fences_of_two_resources_do_not_meet(tmp_path: Path) -> None:
    with guard(tmp_path, 9), guard(tmp_path, 3, name=".fence-pop3"):
        pass
    assert (highest(tmp_path), highest(tmp_path, name=".fence-pop3")) == (9, 3)


def test_new_owner_is_on_the_disk_before_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    with guard(tmp_path, 5):
        assert len(synced) == 2, "the file, and its name in the folder"
    with guard(tmp_path, 5):
        assert len(synced) == 2, "the same owner again costs nothing"
    with guard(tmp_path, 6):
        assert len(synced) == 3


def test_missing_home(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), guard(tmp_path / "none", 5):
        raise AssertionError("let in")
