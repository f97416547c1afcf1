"""Tags that travel in the session's id: any director reads them, nobody can make one."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.session_id import Tagged, Tags, parse

PLACES = [("media", "one"), ("media", "two"), ("live", "one")]
TAGS = Tags(b"secret", "video", PLACES)
TOKEN = b"\x00\xff\x10abc"
LETTERS = set(string.ascii_letters + string.digits + "$-_.+")


@pytest.mark.parametrize("place", PLACES)
def test_a_session_finds_its_server(place: tuple[str, str]) -> None:
    sealed = TAGS.seal(b"12345678", place, TOKEN)
    elsewhere = Tags(b"secret", "video", PLACES[::-1])
    assert elsewhere.open(sealed) == Tagged(b"12345678", place, TOKEN)
    assert set(sealed.decode()) <= LETTERS


@pytest.mark.parametrize("own", [b"a.b.c", b"", b"$-_.+", b"x" * 200])
def test_any_id_of_a_server(own: bytes) -> None:
    opened = TAGS.open(TAGS.seal(own, PLACES[0], TOKEN))
    assert opened is not None
    assert opened.id == own


def test_forged() -> None:
    sealed = TAGS.seal(b"1234", PLACES[0], TOKEN)
    for at in range(len(sealed)):
        other = b"A" if sealed[at : at + 1] != b"A" else b"B"
        assert TAGS.open(sealed[:at] + other + sealed[at + 1 :]) is None
        assert TAGS.open(sealed[:at]) is None
    assert TAGS.open(sealed + b"A") is None
    assert TAGS.open(b"1234") is None


def test_moved_to_another_id() -> None:
    tag = TAGS.seal(b"1234", PLACES[0], TOKEN).rpartition(b".")[2]
    assert TAGS.open(b"1235." + tag) is None


def test_another_secret_service_or_server() -> None:
    sealed = TAGS.seal(b"1234", PLACES[0], TOKEN)
    assert Tags(b"other", "video", PLACES).open(sealed) is None
    assert Tags(b"secret", "radio", PLACES).open(sealed) is None
    assert Tags(b"secret", "video", PLACES[1:]).open(sealed) is None


def test_field() -> None:
    assert parse(b"1234") == (b"1234", b"")
    field = parse(b"a.b_c;timeout=30")
    assert (field.id, field.rest, field.timeout_s) == (b"a.b_c", b";timeout=30", 30.0)
    assert parse(b"a ; Timeout = 5 ;x=y").timeout_s == 5.0
    assert parse(b"a;x=y").timeout_s == 60.0
    assert parse(b"a;timeout=soon").timeout_s == 60.0


@pytest.mark.parametrize("value", [b"", b" ", b";timeout=3", b"a b", b"a\xff", b"a,b", b"x" * 600])
def test_no_field(value: bytes) -> None:
    with pytest.raises(RtspRefusal) as caught:
        parse(value)
    assert caught.value.status == 454


@given(st.binary(max_size=60))
def test_nobody_guesses(data: bytes) -> None:
    assert TAGS.open(data) is None
