"""Distinguished names (RFC 4514): made of parts, never formatted; and checked when given whole."""

from __future__ import annotations

import re

DN_LIMIT = 4096
_SPECIAL = frozenset('"+,;<>\\=#\0')
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*")
_RDN_VALUE = re.compile(
    r"#(?:[0-9A-Fa-f]{2})+|(?!#)(?:[^\\\",+;<>\x00]|\\(?:[ \"#+,;<=>\\]|[0-9A-Fa-f]{2}))*",
    re.DOTALL,
)


def escaped_dn_value(value: str) -> str:
    """RFC 4514 §2.4."""
    parts = []
    for position, character in enumerate(value):
        is_edge = position in {0, len(value) - 1}
        if character in _SPECIAL or (character == " " and is_edge) or character < " ":
            parts.append("".join(f"\\{byte:02x}" for byte in character.encode()))
        else:
            parts.append(character)
    return "".join(parts)


def child(attribute: str, value: str, parent: str) -> str:
    """The DN right below `parent` that is named by one attribute. Raises ValueError."""
    if not _TYPE.fullmatch(attribute):
        raise ValueError(f"{attribute!r} is not an attribute")
    if not value:
        raise ValueError("a name without a value")
    return f"{attribute}={escaped_dn_value(value)},{parent}"


def is_dn(text: str) -> bool:
    """Whether the text has the form of a DN; the empty one is none here."""
    if not text or len(text) > DN_LIMIT:
        return False
    return all(_is_rdn(rdn) for rdn in _split(text, ","))


def _is_rdn(text: str) -> bool:
    for pair in _split(text, "+"):
        kind, equals, value = pair.partition("=")
        if not equals or not _TYPE.fullmatch(kind.strip(" ")):
            return False
        if not value.strip(" ") or not _RDN_VALUE.fullmatch(value.strip(" ")):
            return False
    return True


def _split(text: str, sign: str) -> list[str]:
    """At each `sign` that no backslash hides."""
    parts, start, position = [], 0, 0
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == sign:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    return [*parts, text[start:]]
