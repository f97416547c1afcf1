import os
import signal
import subprocess
import sys
from pathlib import Path

from l7lb.demo.processes import Processes, start_time

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
]


def test_started_process_is_found_again_and_ended(tmp_path: Path) -> None:
    record = tmp_path / "processes.json"
    first = Processes(record)
    pid = first.start("sleeper", SLEEPER, tmp_path)
    again = Processes.load(record)
    assert again.alive("sleeper")
    assert os.getsid(pid) == pid
    assert first.stop_all() == 1
    assert start_time(pid) is None
    assert not record.exists()
    assert not again.alive("sleeper")


def test_kill_is_noticed(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "processes.json")
    pid = processes.start("sleeper", SLEEPER, tmp_path)
    assert processes.send("sleeper", signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert not processes.alive("sleeper")
    assert not processes.send("sleeper", signal.SIGTERM)
    assert processes.stop_all() == 0


def test_a_stranger_with_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEPER, stdout=subprocess.PIPE) as stranger:
        record = tmp_path / "processes.json"
        record.write_text(f'{{"director": [{stranger.pid}, 1]}}')
        assert Processes.load(record).stop_all() == 0
        assert stranger.poll() is None
        stranger.kill()


def test_no_record_no_processes(tmp_path: Path) -> None:
    assert Processes.load(tmp_path / "none.json").stop_all() == 0


def test_output_goes_to_a_log(tmp_path: Path) -> None:
    processes = Processes(tmp_path / "processes.json")
    processes.start("short", [sys.executable, "-c", "print('hello')"], tmp_path)
    child = processes._children[processes._known["short"][0]]
    child.wait()
    assert (tmp_path / "short.log").read_text() == "hello\n"


def test_process_that_ignores_sigterm(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("l7lb.demo.processes.STOP_S", 0.2)
    processes = Processes(tmp_path / "processes.json")
    pid = processes.start("stubborn", STUBBORN, tmp_path)
    assert processes.stop_all() == 1
    assert start_time(pid) is None
