"""What happened: every event is one line of JSON on standard error, and kept for `/v1/events`.

Owns the ring and the format of the error log. Must not know what an event is good for.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from l7lb.errors import Problem

RING = 1000
"""Events kept."""

_log = logging.getLogger("l7lb.event")
_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",
    "fields",
}


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time (RFC 3339), level, event, and the fields that came along.

    Fields are those given by `extra={"fields": {…}}` or by `extra` itself.
    """

    def __init__(self, constants: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self._constants = dict(constants or {})

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": rfc3339(record.created),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **self._constants,
        }
        line.update((key, value) for key, value in vars(record).items() if key not in _PLAIN)
        line.update(getattr(record, "fields", {}))
        if record.name != _log.name:
            line["logger"] = record.name
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def log_to_stderr(constants: Mapping[str, object] | None = None) -> None:
    """Send the log of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(constants))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def rfc3339(time_s: float) -> str:
    """UTC with milliseconds."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(int(time_s)))
    return f"{whole}.{int(time_s * 1000) % 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Event:
    number: int
    """Grows by one with each event of this supervisor."""
    time_s: float
    """Wall clock."""
    level: str
    name: str
    fields: Mapping[str, object]

    def as_json(self) -> dict[str, object]:
        return {
            "number": self.number,
            "time": rfc3339(self.time_s),
            "level": self.level,
            "event": self.name,
            **self.fields,
        }


class Events:
    """The ring. `emit` logs too."""

    def __init__(self) -> None:
        self._ring: deque[Event] = deque(maxlen=RING)
        self._number = 0

    def emit(self, name: str, level: int = logging.INFO, /, **fields: object) -> None:
        self._number += 1
        label = logging.getLevelName(level).lower()
        self._ring.append(Event(self._number, time.time(), label, name, fields))
        _log.log(level, name, extra={"fields": fields})

    def warn_of(self, warnings: Iterable[Problem]) -> None:
        """What is doubtful in the rules file that runs."""
        for warning in warnings:
            self.emit("file-warning", logging.WARNING, problem=str(warning))

    def since(self, number: int = 0, limit: int = RING) -> list[Event]:
        """Those after `number`, the newest `limit` of them, in order."""
        return [event for event in self._ring if event.number > number][-limit:]
