"""Datagrams between director and agent: signed, fresh, taken once, never longer than allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.signed import FRESH_S, LIMIT_BYTES, REMEMBERED_LIMIT, BadDatagram, Seal

KEY = b"0123456789abcdef"
NOW_S = 1_800_000_000.0


def sealed(number: str = "n", at_s: float = NOW_S, key: bytes = KEY) -> bytes:
    return Seal(key).close({"kind": "probe"}, number, at_s)


def test_there_and_back() -> None:
    found = Seal(KEY).open(sealed(), NOW_S)
    assert found == {"kind": "probe", "id": "n", "at": NOW_S}


def test_it_is_opened_once() -> None:
    seal = Seal(KEY)
    seal.open(sealed(), NOW_S)
    with pytest.raises(BadDatagram, match="here before"):
        seal.open(sealed(), NOW_S + 1)


@pytest.mark.parametrize("age_s", [FRESH_S + 1, -FRESH_S - 1])
def test_it_is_fresh(age_s: float) -> None:
    with pytest.raises(BadDatagram, match="s old"):
        Seal(KEY).open(sealed(), NOW_S + age_s)


def test_another_key_is_refused() -> None:
    with pytest.raises(BadDatagram, match="signature"):
        Seal(KEY).open(sealed(key=b"f" * 16), NOW_S)


def test_every_changed_or_missing_byte_is_refused() -> None:
    good = sealed()
    for at in range(len(good)):
        changed = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        for bad in (good[:at], changed, good + good[:at] + b"x"):
            with pytest.raises(BadDatagram):
                Seal(KEY).open(bad, NOW_S)


@given(st.binary(max_size=LIMIT_BYTES + 10))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(BadDatagram):
        Seal(KEY).open(data, NOW_S)


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"id":1,"at":1}', b'{"id":"x"}', b"[" * 900])
def test_signed_nonsense_is_refused(body: bytes) -> None:
    seal = Seal(KEY)
    with pytest.raises(BadDatagram):
        seal.open(b"l7m1" + seal._mac(body) + body, NOW_S)


def test_what_is_remembered_is_bounded_and_forgotten() -> None:
    seal = Seal(KEY)
    for number in range(REMEMBERED_LIMIT):
        seal.open(sealed(f"{number}"), NOW_S)
    with pytest.raises(BadDatagram, match="too many"):
        seal.open(sealed("one more"), NOW_S)
    later_s = NOW_S + 2 * FRESH_S + 1
    seal.open(sealed("later", later_s), later_s)


def test_short_keys_and_long_contents_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Seal(b"short")
    with pytest.raises(ValueError, match="too many"):
        Seal(KEY).close({"long": "x" * LIMIT_BYTES}, "n", NOW_S)
