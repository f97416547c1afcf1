"""Search filters (RFC 4515) in which a value can only ever be a value.

A template is checked once, cut at its placeholders, and from then on values go in escaped.
Must not know: where values come from, or what attributes mean.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

TEMPLATE_LIMIT = 4096
DEPTH_LIMIT = 32
VALUE_LIMIT = 1024
"""Bytes of one value."""

_ATTRIBUTE = r"[A-Za-z][A-Za-z0-9-]*(?:;[A-Za-z0-9-]+)*|[0-9]+(?:\.[0-9]+)*"
_ITEM = re.compile(rf"({_ATTRIBUTE})(=|~=|>=|<=)([^()\x00]*)")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_VALUE = re.compile(r"(?:[^\\]|\\[0-9A-Fa-f]{2})*", re.DOTALL)
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@.-_+=:,/")
"""Everything else is written as a number: it is legal, and nobody need know which would be safe."""


class FilterError(ValueError):
    """A template that is no filter; the message says why."""


class ValueTooLong(ValueError):
    """A value of more than VALUE_LIMIT bytes."""


@dataclass(frozen=True, slots=True)
class FilterTemplate:
    """A filter with places for values. Made by `template` only."""

    text: str
    """As it was written."""
    pieces: tuple[str, ...]
    """Literal text at even positions, names of values at odd ones."""

    def __str__(self) -> str:
        return self.text

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.pieces[1::2])

    def filled(self, values: Mapping[str, str]) -> str:
        """The filter with these values. Raises KeyError, ValueTooLong."""
        parts = list(self.pieces)
        for position in range(1, len(parts), 2):
            parts[position] = escaped(values[parts[position]])
        return "".join(parts)


def escaped(value: str) -> str:
    """RFC 4515 §3, valueencoding; non-ASCII goes as the numbers of its UTF-8 bytes."""
    octets = value.encode("utf-8", "surrogateescape")
    if len(octets) > VALUE_LIMIT:
        raise ValueTooLong(f"a value of {len(octets)} bytes")
    return "".join(chr(b) if b in _PLAIN else f"\\{b:02x}" for b in octets)


def template(text: str, known: frozenset[str] = frozenset()) -> FilterTemplate:
    """Check a filter with placeholders such as `{account}`. Raises FilterError.

    Placeholders may stand only in the value of an item, so what goes in cannot change the shape.
    """
    if len(text) > TEMPLATE_LIMIT:
        raise FilterError(f"longer than {TEMPLATE_LIMIT} characters")
    for name in _PLACEHOLDER.findall(text):
        if name not in known:
            known_names = ", ".join(f"{{{each}}}" for each in sorted(known)) or "none"
            raise FilterError(f"unknown placeholder {{{name}}}; known: {known_names}")
    end = _parsed(text, 0, 0)
    if end != len(text):
        raise FilterError(f"text after the filter, at offset {end}")
    return FilterTemplate(text, tuple(_PLACEHOLDER.split(text)))


def _parsed(text: str, start: int, depth: int) -> int:
    """Check one `(…)` and return where it ends."""
    if depth > DEPTH_LIMIT:
        raise FilterError(f"nested deeper than {DEPTH_LIMIT}")
    if not text.startswith("(", start):
        raise FilterError(f"no ( at offset {start}")
    sign = text[start + 1 : start + 2]
    position = start + 1
    if sign == "!":
        position = _parsed(text, position + 1, depth + 1)
    elif sign and sign in "&|":
        position += 1
        while text.startswith("(", position):
            position = _parsed(text, position, depth + 1)
        if position == start + 2:
            raise FilterError(f"nothing to combine at offset {position}")
    else:
        position = _item(text, position)
    if not text.startswith(")", position):
        raise FilterError(f"no ) at offset {position}")
    return position + 1


def _item(text: str, start: int) -> int:
    found = _ITEM.match(text, start)
    if found is None:
        raise FilterError(f"no comparison such as (mail={{account}}) at offset {start}")
    value = found[3]
    if "{" in _PLACEHOLDER.sub("", value) or "}" in _PLACEHOLDER.sub("", value):
        raise FilterError(f"a brace without its other at offset {start}; write \\7b and \\7d")
    if not _VALUE.fullmatch(value):
        raise FilterError(f"a \\ without two hexadecimal digits at offset {start}")
    return found.end()
