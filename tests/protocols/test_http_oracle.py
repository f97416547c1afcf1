"""h11 as oracle: what our scanners read, h11 reads with the same meaning, also as sent on."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from support.http_rules import check_chunked, check_request, check_response
from support.http_seeds import CHUNKED, FRAGMENTS, REQUESTS, RESPONSES

METHODS = (b"GET", b"HEAD", b"CONNECT", b"POST")
pieces = st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=4))


@st.composite
def damaged(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with up to four places cut out, written over or filled in."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 8))
        data = data[:start] + draw(pieces) + data[end:]
    return data


assembled = st.lists(pieces, max_size=12).map(b"".join)


@pytest.mark.parametrize("data", REQUESTS)
def test_seed_requests(data):
    assert check_request(data)[0] == "read"


@pytest.mark.parametrize("data", RESPONSES)
def test_seed_responses(data):
    assert check_response(data)[0] == "read"


@pytest.mark.parametrize("data", CHUNKED)
def test_seed_bodies(data):
    assert check_chunked(data)[0] == "read"


@settings(max_examples=400, deadline=None)
@given(st.one_of(damaged(REQUESTS), assembled))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length:05\r\n\r\nhello")
def test_requests(data):
    check_request(data)


@settings(max_examples=400, deadline=None)
@given(st.one_of(damaged(RESPONSES), assembled), st.sampled_from(METHODS))
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 05\r\n\r\nhello", b"GET")
def test_responses(data, method):
    check_response(data, method)


@settings(max_examples=400, deadline=None)
@given(st.one_of(damaged(CHUNKED), assembled))
@example(b"0\r\nTransfer-Encoding: x\r\n\r\n")
def test_bodies(data):
    check_chunked(data)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.from_regex(rb"[-!#$%&'*+.^`|~0-9A-Za-z]{1,12}", fullmatch=True),
            st.from_regex(rb"[\t -~\x80-\xff]{0,20}", fullmatch=True),
        ),
        max_size=12,
    ),
    st.sampled_from([b": ", b":", b":\t "]),
)
def test_any_lawful_fields(fields, separator):
    lines = b"".join(name + separator + value + b"\r\n" for name, value in fields)
    verdict = check_request(b"GET /a HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n")
    known = {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"}
    assert verdict[0] == "read" or {name.lower() for name, _ in fields} & known
