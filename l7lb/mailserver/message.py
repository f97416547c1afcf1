"""Parts of a message as bytes: head, body, fields, words for searching. Pure.

Must not know files or protocols.
"""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header

_BARE_LF = re.compile(rb"(?<!\r)\n")
_FIELD = re.compile(rb"^([!-9;-~]+)[ \t]*:.*?\r\n(?![ \t])", re.DOTALL | re.MULTILINE)
_FOLD = re.compile(r"\r\n(?=[ \t])")


def to_wire(data: bytes) -> bytes:
    """Each line with CRLF; other programs keep lines with LF."""
    return _BARE_LF.sub(b"\r\n", data)


def split(data: bytes) -> tuple[bytes, bytes]:
    """Head with the empty line that ends it, and body. Without such a line all is head."""
    if data.startswith(b"\r\n"):
        return data[:2], data[2:]
    end = data.find(b"\r\n\r\n")
    return (data, b"") if end < 0 else (data[: end + 4], data[end + 4 :])


def raw_fields(head: bytes) -> list[tuple[bytes, bytes]]:
    """Name in lower case and the whole field with CRLF, in order; what is no field is left out."""
    text = head.removesuffix(b"\r\n") if head.endswith(b"\r\n\r\n") else head
    return [(found[1].lower(), found[0]) for found in _FIELD.finditer(text)]


def chosen_fields(head: bytes, names: frozenset[bytes], *, is_not: bool) -> bytes:
    """Those of `names` (lower case), or all others, and an empty line (RFC 3501 §6.4.5)."""
    fields = raw_fields(head)
    return b"".join(raw for name, raw in fields if (name in names) != is_not) + b"\r\n"


def value(raw: bytes) -> str:
    """A field's value in one line, encoded words decoded (RFC 2047) where they can be."""
    text = _FOLD.sub("", raw.partition(b":")[2].decode("utf-8", "replace")).strip()
    if "=?" not in text:
        return text
    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, ValueError):
        return text


def values(head: bytes, name: bytes) -> list[str]:
    """Of all fields of this name, in lower case."""
    return [value(raw) for found, raw in raw_fields(head) if found == name]
