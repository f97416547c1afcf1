"""Lines of the access log: valid whatever came over the wire."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from l7lb.net.line_buffer import LineBuffer
from l7lb.net.log_lines import Record, write_combined, write_json

RECORD: dict[str, object] = {
    "time_s": 1764000000.1239,
    "source": "192.0.2.17",
    "method": b"GET",
    "target": b"/a?b=1",
    "host": b"www.example.org",
    "minor": 1,
    "status": 200,
    "bytes_out": 5321,
    "total_s": 0.00213,
    "first_s": 0.0019,
    "service": "www",
    "pool": "web",
    "server": "10.0.1.1:80",
    "request_id": b"id-1",
    "agent": b"curl/8",
    "referer": None,
    "retries": 1,
    "flags": "R",
}
TEXT = st.binary(max_size=40)


def record(**fields: object) -> Record:
    made = Record()
    for name, value in (RECORD | fields).items():
        setattr(made, name, value)
    return made


def json_line(**fields: object) -> bytes:
    out = LineBuffer()
    write_json(out, record(**fields))
    return out.take()


def combined_line(**fields: object) -> bytes:
    out = LineBuffer()
    write_combined(out, record(**fields))
    return out.take()


def test_json_has_every_field() -> None:
    assert json.loads(json_line()) == {
        "time": "2025-11-24T16:00:00.123Z",
        "source": "192.0.2.17",
        "method": "GET",
        "target": "/a?b=1",
        "host": "www.example.org",
        "version": "1.1",
        "status": 200,
        "bytes": 5321,
        "duration_s": 0.00213,
        "first_byte_s": 0.0019,
        "service": "www",
        "pool": "web",
        "server": "10.0.1.1:80",
        "request_id": "id-1",
        "user_agent": "curl/8",
        "referer": None,
        "retries": 1,
        "flags": "R",
    }


def test_combined_is_apaches() -> None:
    assert combined_line() == (
        b'192.0.2.17 - - [24/Nov/2025:16:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 5321 "-" "curl/8"\n'
    )


def test_nothing_known_is_a_dash_or_null() -> None:
    fields = {"bytes_out": 0, "agent": b"", "first_s": -1.0, "pool": "", "server": ""}
    assert combined_line(**fields).endswith(b'" 200 - "-" "-"\n')
    line = json.loads(json_line(**fields))
    assert line["first_byte_s"] is None
    assert line["user_agent"] == ""
    assert line["pool"] == ""


@given(TEXT, TEXT, TEXT, TEXT, st.none() | TEXT, st.none() | TEXT)
def test_json_of_any_bytes(
    method: bytes,
    target: bytes,
    host: bytes,
    request_id: bytes,
    agent: bytes | None,
    referer: bytes | None,
) -> None:
    line = json_line(
        method=method, target=target, host=host, request_id=request_id, agent=agent, referer=referer
    )
    assert line.endswith(b"\n")
    assert not re.search(rb"[\x00-\x1f\x7f-\xff]", line[:-1])
    found = json.loads(line)
    assert found["target"] == target.decode("utf-8", "backslashreplace")
    assert found["method"] == method.decode("utf-8", "backslashreplace")
    assert (found["user_agent"] is None) == (agent is None)
    assert found["status"] == 200


@given(TEXT, TEXT, st.none() | TEXT, st.none() | TEXT)
def test_combined_of_any_bytes_keeps_its_shape(
    method: bytes, target: bytes, agent: bytes | None, referer: bytes | None
) -> None:
    line = combined_line(method=method, target=target, agent=agent, referer=referer)
    quoted = rb'"((?:[^"\\\x00-\x1f\x7f-\xff]|\\.)*)"'
    shape = rb"192\.0\.2\.17 - - \[[^\]]+\] " + quoted + rb" 200 5321 " + quoted + b" " + quoted
    assert re.fullmatch(shape + b"\n", line)


@given(st.text(max_size=20), st.text(max_size=20))
def test_names_of_any_text(service: str, source: str) -> None:
    found = json.loads(json_line(service=service, source=source))
    assert found["service"].encode("utf-8", "backslashreplace") == service.encode(
        "utf-8", "backslashreplace"
    )
    combined_line(source=source).decode("ascii")


def test_long_text_is_written_whole() -> None:
    agent = b"x" * 300_000
    assert json.loads(json_line(agent=agent))["user_agent"] == agent.decode()


def test_thousandths_have_three_digits() -> None:
    for thousandth in (0, 7, 42, 999):
        line = json.loads(json_line(time_s=1764000000.0001 + thousandth / 1000))
        assert line["time"] == f"2025-11-24T16:00:00.{thousandth:03}Z"


def test_lines_follow_one_another_in_their_seconds() -> None:
    out = LineBuffer()
    for second in (1764000001.0, 1764000002.0, 1764000001.0):
        write_combined(out, record(time_s=second))
    found = [line.split(b" ")[3][-2:] for line in out.take().splitlines()]
    assert found == [b"01", b"02", b"01"]
