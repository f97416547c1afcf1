from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.config import units
from l7lb.config.refusal import Refusal


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("250ms", 0.25),
        ("2s", 2.0),
        ("1m", 60.0),
        ("1h", 3600.0),
        ("1.5h", 5400.0),
        ("2d", 172800.0),
        ("100us", 0.0001),
        ("0s", 0.0),
        (0, 0.0),
        (0.0, 0.0),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        2,
        2.5,
        True,
        False,
        None,
        "2",
        "s",
        "2 s",
        "-1s",
        "2S",
        "1m30s",
        "٢s",
        "1e3s",
        "367d",
        [],
        {},
    ],
)
def test_no_durations(value: object) -> None:
    with pytest.raises(Refusal):
        units.parse_duration(value)


def test_a_bare_number_is_told_its_units() -> None:
    with pytest.raises(Refusal) as caught:
        units.parse_duration(5)
    assert caught.value.hint == "write 5s or 5ms"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64KiB", 65536),
        ("1MiB", 1 << 20),
        ("10kB", 10_000),
        ("2GB", 2 * 10**9),
        ("1.5KiB", 1536),
        ("7B", 7),
        (0, 0),
    ],
)
def test_sizes(text: object, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    "value", [64, "64", "64K", "64kb", "1.5B", "0.3KiB", True, None, "9999999GiB"]
)
def test_no_sizes(value: object) -> None:
    with pytest.raises(Refusal):
        units.parse_size(value)


@pytest.mark.parametrize(
    ("text", "share"),
    [("20%", 0.2), ("0%", 0.0), ("100%", 1.0), ("12.5%", 0.125), (0.2, 0.2), (1, 1.0)],
)
def test_shares(text: object, share: float) -> None:
    assert units.parse_share(text) == share


@pytest.mark.parametrize("value", [20, -0.1, 1.01, "101%", "20 %", "0.2", True, None, float("nan")])
def test_no_shares(value: object) -> None:
    with pytest.raises(Refusal):
        units.parse_share(value)


@given(st.integers(0, 10**12).map(lambda microseconds: microseconds / 1e6))
def test_a_duration_comes_back_from_its_text(seconds: float) -> None:
    assert units.parse_duration(units.format_duration(seconds)) == seconds


@given(st.integers(0, units.LARGEST_BYTES))
def test_a_size_comes_back_from_its_text(size: int) -> None:
    assert units.parse_size(units.format_size(size)) == size


@given(st.integers(0, 10**6).map(lambda millionths: millionths / 1e6))
def test_a_share_comes_back_from_its_text(share: float) -> None:
    assert units.parse_share(units.format_share(share)) == share


@pytest.mark.parametrize("parse", [units.parse_duration, units.parse_size, units.parse_share])
@given(value=st.text() | st.floats() | st.integers() | st.booleans() | st.none())
def test_only_refusals_come_out(parse: Callable[[object], float], value: object) -> None:
    with contextlib.suppress(Refusal):
        assert parse(value) >= 0
