"""The queue, the flusher's thread and the file of the access log."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from l7lb.model import AccessLog as AccessLogSpec
from l7lb.model import LogFormat
from l7lb.net import access_log
from l7lb.net.access_log import AccessLog, pieces
from l7lb.net.log_lines import Record

DEADLINE_S = 20.0


def record(number: int) -> Record:
    made = Record()
    made.method, made.target, made.host = b"GET", b"/%d" % number, b"h"
    made.source, made.service, made.pool, made.server = "192.0.2.1", "www", "web", "a"
    made.request_id, made.flags = b"id", ""
    return made


def targets(path: Path) -> list[str]:
    return [json.loads(line)["target"] for line in path.read_bytes().splitlines()]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_every_line_is_written_in_order(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(AccessLogSpec(LogFormat.JSON, str(path)))
    for number in range(5000):
        log.record(record(number))
    log.close()
    assert targets(path) == [f"/{number}" for number in range(5000)]
    assert (log.written, log.dropped) == (5000, 0)


def test_lines_come_without_more_traffic(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(AccessLogSpec(LogFormat.COMBINED, str(path)))
    log.record(record(1))
    log.tick()
    until(lambda: path.stat().st_size > 0)
    log.close()
    assert path.read_bytes().count(b"\n") == 1


def test_rotation(tmp_path: Path) -> None:
    path, old = tmp_path / "access.log", tmp_path / "access.log.1"
    log = AccessLog(AccessLogSpec(LogFormat.JSON, str(path)))
    log.record(record(1))
    log.tick()
    until(lambda: log.written == 1)
    path.rename(old)
    log.record(record(2))
    log.reopen()
    until(path.exists)
    log.record(record(3))
    log.close()
    assert targets(old) == ["/1", "/2"]
    assert targets(path) == ["/3"]


def test_a_full_queue_drops_and_counts_and_never_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is a pipe that nobody reads."""
    monkeypatch.setattr(access_log, "LIMIT", 2)
    monkeypatch.setattr(access_log, "CLOSE_S", 0.1)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(AccessLogSpec(LogFormat.JSON, str(path)))
    for number in range(20_000):
        log.record(record(number))
    assert log.dropped > 0
    assert log.dropped + log.written <= 20_000
    log.close()
    os.close(reader)  # frees the thread


def test_a_pipe_gets_whole_lines_in_pieces_that_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(AccessLogSpec(LogFormat.JSON, str(path)))
    for number in range(100):
        log.record(record(number))
    log.tick()
    until(lambda: log.written == 100)
    data = os.read(reader, 1 << 20)
    log.close()
    os.close(reader)
    assert [json.loads(line)["target"] for line in data.splitlines()] == [
        f"/{number}" for number in range(100)
    ]


def test_pieces_hold_whole_lines_up_to_the_limit() -> None:
    lines = [b"a" * 30, b"b" * 30, b"c" * 50, b"d" * 200, b"e"]
    found = pieces(lines, 100)
    assert b"".join(found) == b"".join(lines)
    assert found == [b"a" * 30 + b"b" * 30, b"c" * 50, b"d" * 200, b"e"]


def test_trouble_costs_lines_and_one_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    path = folder / "access.log"
    log = AccessLog(AccessLogSpec(LogFormat.JSON, str(path)))
    path.unlink()
    folder.rmdir()
    log.reopen()
    log.record(record(1))
    log.tick()
    until(lambda: "access-log-failed" in caplog.text)
    for number in range(3):
        log.record(record(number))
        log.tick()
        until(lambda number=number: log.dropped + log.written >= number + 2)  # type: ignore[misc]
    assert caplog.text.count("access-log-failed") == 1
    folder.mkdir()
    log.record(record(9))
    log.tick()
    until(path.exists)
    log.close()
    assert targets(path) == ["/9"]


def test_off_writes_nothing_and_drops_nothing() -> None:
    log = AccessLog(AccessLogSpec(LogFormat.OFF))
    log.record(record(1))
    log.close()
    assert (log.written, log.dropped) == (0, 0)


def test_a_file_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AccessLog(AccessLogSpec(LogFormat.JSON, str(tmp_path / "no" / "access.log")))


def test_standard_output(capfd: pytest.CaptureFixture[str]) -> None:
    log = AccessLog(AccessLogSpec(LogFormat.JSON, "-"))
    log.record(record(1))
    log.close()
    assert json.loads(capfd.readouterr().out)["target"] == "/1"
