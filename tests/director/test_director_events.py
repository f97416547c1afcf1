"""The ring of events and the JSON lines of the error log."""

import json
import logging
import sys

import pytest

from l7lb.director.events import RING, Events, JsonFormatter, log_to_stderr, rfc3339
from l7lb.errors import Problem
from l7lb.model import Place


def test_events_are_numbered_and_bounded() -> None:
    events = Events()
    for number in range(RING + 10):
        events.emit("tick", number_of=number)
    found = events.since()
    assert len(found) == RING
    assert found[-1].number == RING + 10
    assert [event.number for event in events.since(RING + 8)] == [RING + 9, RING + 10]
    assert [event.number for event in events.since(0, 1)] == [RING + 10]


def test_an_event_as_json() -> None:
    events = Events()
    events.emit("health-changed", logging.WARNING, pool="web", level="odd")
    found = events.since()[0].as_json()
    assert found["event"] == "health-changed"
    assert found["pool"] == "web"
    assert found["number"] == 1


def test_warnings_of_a_file_are_events() -> None:
    events = Events()
    events.warn_of([Problem(Place("f.yaml", 3, 4), "odd", "drop it")])
    found = events.since()[0]
    assert (found.level, found.fields) == ("warning", {"problem": "f.yaml:3:4: odd (drop it)"})


def line_of(record: logging.LogRecord) -> dict[str, object]:
    text = JsonFormatter({"worker": 1}).format(record)
    assert "\n" not in text
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def test_lines_are_json_with_all_fields() -> None:
    record = logging.makeLogRecord(
        {"name": "l7lb.x", "msg": "a %s", "args": ("b\n",), "levelname": "INFO", "created": 1.5,
         "reason": object, "fields": {"pool": "web"}},
    )  # fmt: skip
    found = line_of(record)
    assert found["time"] == "1970-01-01T00:00:01.500Z"
    assert found["event"] == "a b\n"
    assert found["level"] == "info"
    assert found["worker"] == 1
    assert found["pool"] == "web"
    assert found["logger"] == "l7lb.x"
    assert found["reason"] == str(object)


def test_a_trace_is_in_its_line() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        record = logging.makeLogRecord({"msg": "broke", "exc_info": sys.exc_info()})
    assert "ValueError: why" in str(line_of(record)["trace"])


def test_the_log_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    try:
        log_to_stderr({"worker": 3})
        Events().emit("started", file="x")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    found = json.loads(capsys.readouterr().err)
    assert (found["event"], found["file"], found["worker"]) == ("started", "x", 3)
    assert "logger" not in found


def test_times_are_rfc3339() -> None:
    assert rfc3339(1764000000.1239) == "2025-11-24T16:00:00.123Z"
