"""LDIF content records (RFC 2849), both ways. Changes and references to URLs are refused."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

RECORDS_LIMIT = 100_000
LINE_LIMIT = 1 << 20
"""Characters of one unfolded line."""
WIDTH = 76
_ATTRIBUTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.;-]*")
_SAFE = re.compile(rb"(?![ :<])[\x01-\x09\x0b\x0c\x0e-\x7f]*(?<! )")


class LdifError(ValueError):
    """`line` is where it stands, counted from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Record:
    dn: str
    attributes: dict[str, list[bytes]]
    """By name in lower case, values in their order."""
    line: int
    """Where its dn stands."""


def parse(text: str) -> Iterator[Record]:
    """Records in their order. Raises LdifError, in the middle of the iteration too."""
    count = 0
    record: Record | None = None
    for number, line in _unfolded(text):
        if not line:
            if record is not None:
                yield record
            record = None
            continue
        name, value = _pair(number, line)
        if record is None and name == "version" and count == 0:
            if value != b"1":
                raise LdifError(number, "not version 1")
            continue
        if record is None:
            count += 1
            if count > RECORDS_LIMIT:
                raise LdifError(number, f"more than {RECORDS_LIMIT} entries")
            record = _started(number, name, value)
        elif name in {"changetype", "control"}:
            raise LdifError(number, "a change, not an entry")
        else:
            record.attributes.setdefault(name, []).append(value)
    if record is not None:
        yield record


def _started(number: int, name: str, value: bytes) -> Record:
    if name != "dn":
        raise LdifError(number, "an entry begins with its dn")
    try:
        return Record(value.decode(), {}, number)
    except UnicodeDecodeError:
        raise LdifError(number, "the dn is not UTF-8") from None


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """Logical lines with the number of their first; comments are left out."""
    pending, start = "", 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.removesuffix("\r")
        if line.startswith(" ") and start:
            pending += line[1:]
            if len(pending) > LINE_LIMIT:
                raise LdifError(start, f"longer than {LINE_LIMIT} characters")
            continue
        if start and not pending.startswith("#"):
            yield start, pending
        pending, start = line, number
    if start and not pending.startswith("#"):
        yield start, pending


def _pair(number: int, line: str) -> tuple[str, bytes]:
    name, colon, rest = line.partition(":")
    if not colon or not _ATTRIBUTE.fullmatch(name):
        raise LdifError(number, "not a line such as `mail: alice@example.org`")
    if rest.startswith("<"):
        raise LdifError(number, "a value elsewhere (:<) is not taken")
    if not rest.startswith(":"):
        return name.lower(), rest.lstrip(" ").encode()
    try:
        return name.lower(), base64.b64decode(rest[1:].strip(" "), validate=True)
    except ValueError:  # binascii.Error, or letters that are not ASCII
        raise LdifError(number, "not Base64 after ::") from None


def written(dn: str, attributes: Mapping[str, Sequence[bytes]]) -> str:
    """One record, with the empty line that ends it."""
    lines = [_line("dn", dn.encode())]
    lines += [_line(name, value) for name, values in attributes.items() for value in values]
    return "\n".join(lines) + "\n\n"


def _line(name: str, value: bytes) -> str:
    if _SAFE.fullmatch(value):
        text = f"{name}: {value.decode('ascii')}"
    else:
        text = f"{name}:: {base64.b64encode(value).decode('ascii')}"
    first, rest = text[:WIDTH], text[WIDTH:]
    pieces = [rest[at : at + WIDTH - 1] for at in range(0, len(rest), WIDTH - 1)]
    return "\n ".join([first, *pieces])
