"""Lines of the access log: valid whatever came over the wire."""

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from l7lb.net.log_lines import KEPT_BYTES, Record, combined_line, json_line

RECORD: Record = (
    1764000000.1239,
    "192.0.2.17",
    b"GET",
    b"/a?b=1",
    b"www.example.org",
    1,
    200,
    5321,
    0.00213,
    0.0019,
    "www",
    "web",
    "10.0.1.1:80",
    b"id-1",
    b"curl/8",
    None,
    1,
    "R",
)
TEXT = st.binary(max_size=40)


def with_fields(record: Record, **fields: object) -> Record:
    names = [
        "time_s", "source", "method", "target", "host", "minor", "status", "bytes_out", "total_s",
        "first_s", "service", "pool", "server", "request_id", "agent", "referer", "retries",
        "flags",
    ]  # fmt: skip
    return tuple(fields.get(name, value) for name, value in zip(names, record, strict=True))  # type: ignore[return-value]


def test_json_has_every_field() -> None:
    assert json.loads(json_line(RECORD)) == {
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
    assert combined_line(RECORD) == (
        b'192.0.2.17 - - [24/Nov/2025:16:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 5321 "-" "curl/8"\n'
    )


def test_nothing_known_is_a_dash_or_null() -> None:
    record = with_fields(RECORD, bytes_out=0, agent=b"", first_s=-1.0, pool="", server="")
    assert combined_line(record).endswith(b'" 200 - "-" "-"\n')
    line = json.loads(json_line(record))
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
    record = with_fields(
        RECORD, method=method, target=target, host=host, request_id=request_id, agent=agent,
        referer=referer,
    )  # fmt: skip
    line = json_line(record)
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
    record = with_fields(RECORD, method=method, target=target, agent=agent, referer=referer)
    quoted = rb'"((?:[^"\\\x00-\x1f\x7f-\xff]|\\.)*)"'
    shape = rb"192\.0\.2\.17 - - \[[^\]]+\] " + quoted + rb" 200 5321 " + quoted + b" " + quoted
    assert re.fullmatch(shape + b"\n", combined_line(record))


@given(st.text(max_size=20), st.text(max_size=20))
def test_names_of_any_text(service: str, source: str) -> None:
    found = json.loads(json_line(with_fields(RECORD, service=service, source=source)))
    assert found["service"].encode("utf-8", "backslashreplace") == service.encode(
        "utf-8", "backslashreplace"
    )
    combined_line(with_fields(RECORD, source=source)).decode("ascii")


def test_long_text_is_written_whole_each_time() -> None:
    agent = b"x" * (KEPT_BYTES * 4)
    for _ in range(2):
        line = json.loads(json_line(with_fields(RECORD, agent=agent)))
        assert line["user_agent"] == agent.decode()


def test_more_texts_than_are_kept_are_right_too() -> None:
    for number in range(20_000):
        host = b"host-%d" % number
        assert b'"host":"%b"' % host in json_line(with_fields(RECORD, host=host))
