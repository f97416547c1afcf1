"""Messages of the media-kernel process."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.kernel import wire
from l7lb.media.kernel.wire import BadMessage


def test_there_and_back() -> None:
    assert wire.read(wire.question(3, "latch", {"a": 1})) == (3, {"verb": "latch", "a": 1})
    assert wire.read(wire.answer(4, {"b": 2})) == (4, {"ok": {"b": 2}})
    assert wire.read(wire.refusal(5, "no")) == (5, {"error": "no"})


def test_parameters_do_not_hide_verb_and_number() -> None:
    number, content = wire.read(wire.question(3, "latch", {"verb": "clean", "n": 9}))
    assert (number, content["verb"]) == (3, "latch")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"n":-1}',
        b'{"n":true}',
        b'{"n":"1"}',
        b'{"n":1.5}',
        b'{"n":9007199254740993}',
        b"[" * 100_000,
        b'{"n":1' + b" " * wire.LIMIT_BYTES + b"}",
        b'{"n":1}\xff',
    ],
)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage):
        wire.read(data)


@given(st.binary(max_size=100))
def test_bytes_raise_nothing_else(data: bytes) -> None:
    with pytest.raises(BadMessage):
        wire.read(data)


def test_too_much_is_refused_before_it_is_sent() -> None:
    for make in (lambda x: wire.question(1, "v", {"x": x}), lambda x: wire.answer(1, {"x": x})):
        with pytest.raises(BadMessage, match="more than"):
            make("x" * wire.LIMIT_BYTES)
    assert len(wire.refusal(1, "x" * 10**6)) < wire.LIMIT_BYTES
