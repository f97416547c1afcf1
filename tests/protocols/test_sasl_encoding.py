"""Strict Base64 of SASL messages: what is refused, and the way there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.sasl.encoding import decode, encode, read_initial, read_response
from l7lb_protocols.sasl.errors import SaslCancelled, SaslMalformed

BAD = {
    "no padding": b"QQ",
    "half the padding": b"QQ=",
    "padding only": b"====",
    "padding inside": b"QQ==QUJD",
    "white space": b"QUJD QUJD",
    "leading space": b" QUJD",
    "line break": b"QUJD\r\n",
    "line feed at the end": b"QUJD\n",
    "URL alphabet": b"-_-_",
    "NUL": b"QUJD\0AAA",
    "8 bit": b"QUJ\xc3",
    "bits beyond the end": b"QR==",
    "five characters": b"QUJDQ",
    "star": b"*",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_refused(text: bytes) -> None:
    with pytest.raises(SaslMalformed):
        decode(text)
    with pytest.raises(SaslMalformed):
        read_initial(text)


def test_limit_is_exact() -> None:
    assert decode(encode(bytes(9)), 9) == bytes(9)
    for size in (10, 11, 12, 4000):
        with pytest.raises(SaslMalformed, match="limit"):
            decode(encode(bytes(size)), 9)


def test_initial_response() -> None:
    assert read_initial(b"=") == b""
    assert read_initial(b"QQ==") == b"A"
    with pytest.raises(SaslMalformed):
        read_initial(b"")


def test_response() -> None:
    assert read_response(b"") == b""
    with pytest.raises(SaslCancelled):
        read_response(b"*")
    with pytest.raises(SaslMalformed):
        read_response(b"=")


@given(st.binary(max_size=200))
def test_there_and_back(message: bytes) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=60))
def test_only_what_encode_writes_is_taken(text: bytes) -> None:
    try:
        message = decode(text)
    except SaslMalformed:
        return
    assert encode(message) == text
