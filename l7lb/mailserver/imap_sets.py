"""Sets of numbers: `2,4:7,9,12:*` (RFC 3501 §9, sequence-set). Pure."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Sequence

from l7lb_protocols.imap.errors import ImapRefusal

RANGES = 5000
_SET = re.compile(r"(?:[1-9][0-9]{0,9}|\*)(?::(?:[1-9][0-9]{0,9}|\*))?")


def is_set(text: str) -> bool:
    return all(map(_SET.fullmatch, text.split(",", RANGES)[:RANGES]))


def members(text: str, numbers: Sequence[int]) -> list[int]:
    """Those of `numbers`, which ascend, that the set names; `*` is the last. Raises ImapRefusal."""
    parts = text.split(",", RANGES)
    if len(parts) > RANGES or not all(map(_SET.fullmatch, parts)):
        raise ImapRefusal("malformed set", "RFC 3501 §9")
    last = numbers[-1] if numbers else 0
    found: set[int] = set()
    for part in parts:
        first, _, second = part.partition(":")
        ends = [last if end == "*" else int(end) for end in (first, second or first)]
        low = bisect.bisect_left(numbers, min(ends))
        found.update(numbers[low : bisect.bisect_right(numbers, max(ends))])
    return sorted(found)


def render(numbers: Iterable[int]) -> bytes:
    """The shortest set, in the order given: `1:3,7`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return b",".join(b"%d" % a if a == b else b"%d:%d" % (a, b) for a, b in ranges)
