"""Durations, sizes and shares as people write them, and back.

`format_*` gives text that `parse_*` reads back as the very same number.
"""

from __future__ import annotations

import re
from decimal import Decimal

from l7lb.config.refusal import Refusal

DURATION_PATTERN = r"^[0-9]{1,12}(\.[0-9]{1,12})?(us|ms|s|m|h|d)$"
SIZE_PATTERN = r"^[0-9]{1,16}(\.[0-9]{1,6})?(B|kB|MB|GB|KiB|MiB|GiB)$"
SHARE_PATTERN = r"^[0-9]{1,3}(\.[0-9]{1,15})?%$"
LONGEST_S = 366 * 86400.0
LARGEST_BYTES = 2**50

_SECONDS = {
    "d": Decimal(86400),
    "h": Decimal(3600),
    "m": Decimal(60),
    "s": Decimal(1),
    "ms": Decimal("0.001"),
    "us": Decimal("0.000001"),
}
_BYTES = {
    "GiB": 2**30,
    "MiB": 2**20,
    "KiB": 2**10,
    "GB": 10**9,
    "MB": 10**6,
    "kB": 10**3,
    "B": 1,
}
_NUMBER_AND_UNIT = re.compile(r"([0-9.]+)([A-Za-z]+)")


def parse_duration(value: object) -> float:
    """Seconds. Raises Refusal for a number without unit, other than 0."""
    if _is_zero(value):
        return 0.0
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise Refusal(f"{value} has no unit", f"write {value}s or {value}ms")
    number, unit = _split(value, DURATION_PATTERN, "a duration", "such as 250ms, 2s, 1m or 1h")
    seconds = float(number * _SECONDS[unit])
    if seconds > LONGEST_S:
        raise Refusal(f"{value} is too long", "at most 366d")
    return seconds


def parse_size(value: object) -> int:
    """Bytes. Raises Refusal for a number without unit, other than 0."""
    if _is_zero(value):
        return 0
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        raise Refusal(f"{value} has no unit", f"write {value}B, or use KiB, MiB, kB, MB")
    number, unit = _split(value, SIZE_PATTERN, "a size", "such as 64KiB, 1MiB or 10kB")
    size = number * _BYTES[unit]
    if size != int(size):
        raise Refusal(f"{value} is not a whole number of bytes")
    if size > LARGEST_BYTES:
        raise Refusal(f"{value} is too large")
    return int(size)


def parse_share(value: object) -> float:
    """A share from 0 to 1, written as 20% or 0.2."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if 0 <= value <= 1:
            return float(value)
        hint = f"write {value}%" if 1 < value <= 100 else "from 0 to 1, or 0% to 100%"
        raise Refusal(f"{value} is no share", hint)
    if not isinstance(value, str) or not re.fullmatch(SHARE_PATTERN, value):
        raise Refusal(f"{shown(value)} is not a share", "such as 20% or 0.2")
    share = Decimal(value[:-1]) / 100
    if share > 1:
        raise Refusal(f"{value} is more than 100%")
    return float(share)


def format_duration(seconds: float) -> str:
    exact = Decimal(repr(seconds))
    for unit in ("h", "m", "s", "ms", "us"):
        number = exact / _SECONDS[unit]
        if number == int(number) and number >= 1:
            return f"{int(number)}{unit}"
    return f"{exact:f}s" if exact else "0s"


def format_size(size: int) -> str:
    """In the unit that makes the smallest whole number."""
    fitting = [unit for unit, factor in _BYTES.items() if size and size % factor == 0]
    unit = max(fitting, key=_BYTES.__getitem__, default="B")
    return f"{size // _BYTES[unit]}{unit}"


def format_share(share: float) -> str:
    percent = (Decimal(repr(share)) * 100).normalize()
    return f"{percent:f}%"


def shown(value: object, limit: int = 60) -> str:
    """A value of the file in a message: short, on one line, safe on a terminal."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value)[: limit + 1])
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return f"'{text}'" if isinstance(value, str) else text


def _is_zero(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == 0


def _split(value: object, pattern: str, what: str, example: str) -> tuple[Decimal, str]:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise Refusal(f"{shown(value)} is not {what}", example)
    found = _NUMBER_AND_UNIT.fullmatch(value)
    if found is None:
        raise Refusal(f"{shown(value)} is not {what}", example)
    return Decimal(found[1]), found[2]
