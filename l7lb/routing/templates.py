"""Templates of redirects and rewrites: literal text with {1}, {2}, …, {host}, {path}, {query}.

`{{` stands for a brace; `}` outside a name stands for itself. Whatever is put in is
percent-encoded where the byte may not stand in a URI (RFC 3986 §2), so no value can end a line or
a request target.
"""

from __future__ import annotations

import re
from functools import lru_cache

from l7lb_protocols.facts import Facts

NAMES = frozenset({b"host", b"path", b"query"})
TEMPLATES_KEPT = 4096

Part = bytes | int | str
"""Literal text, the number of a capture, or a name."""

_PIECE = re.compile(rb"\{\{|\{([^{}]*)\}|\{")
_UNSAFE = re.compile(rb"[^!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]")


class TemplateError(ValueError):
    """The template cannot be read; the message says why."""


def check(template: bytes, groups: int) -> str | None:
    """What is wrong with a template beside a path match with that many captures; None: nothing."""
    try:
        parts = _parse(template)
    except TemplateError as error:
        return str(error)
    for part in parts:
        if isinstance(part, int) and not 1 <= part <= groups:
            have = f"only {groups}" if groups else "no"
            return f"{{{part}}} is not there: the path match has {have} captures"
    return None


def expand(template: bytes, captures: tuple[bytes, ...], facts: Facts) -> bytes:
    """Fill in. A `?` before an empty {query} goes too.

    A value can never make the result start with `//` (another host) unless the template says so.
    Raises TemplateError where `check` would have found a problem.
    """
    parts = _parse(template)
    out: list[bytes] = []
    for part in parts:
        if isinstance(part, bytes):
            out.append(part)
        elif part == "query":
            _put_query(out, encoded(facts.query))
        else:
            out.append(encoded(_value(part, captures, facts)))
    result = b"".join(out)
    if result.startswith(b"//") and not template.startswith(b"//"):
        result = b"/" + result.lstrip(b"/")
    return result


def expand_path(template: bytes, captures: tuple[bytes, ...], facts: Facts) -> bytes:
    """As `expand`, for a path that is forwarded: starts with exactly one `/`; `#` is encoded."""
    result = expand(template, captures, facts).replace(b"#", b"%23")
    return b"/" + result.lstrip(b"/")


def encoded(value: bytes) -> bytes:
    """The value with every byte that may not stand in a URI percent-encoded."""
    return _UNSAFE.sub(lambda found: b"%%%02X" % found[0][0], value)


def _put_query(out: list[bytes], query: bytes) -> None:
    if query:
        out.append(query)
    elif out and out[-1].endswith(b"?"):
        out[-1] = out[-1][:-1]


def _value(part: int | str, captures: tuple[bytes, ...], facts: Facts) -> bytes:
    if isinstance(part, int):
        if not 1 <= part <= len(captures):
            raise TemplateError(f"{{{part}}} is not there: {len(captures)} captures")
        return captures[part - 1]
    return facts.host if part == "host" else facts.path


@lru_cache(TEMPLATES_KEPT)
def _parse(template: bytes) -> tuple[Part, ...]:
    parts: list[Part] = []
    literal = b""
    end = 0
    for piece in _PIECE.finditer(template):
        literal += template[end : piece.start()]
        end = piece.end()
        if piece[0] == b"{{":
            literal += b"{"
            continue
        parts += (_literal(literal), _name(piece[1]))
        literal = b""
    parts.append(_literal(literal + template[end:]))
    return tuple(part for part in parts if part != b"")


def _literal(text: bytes) -> bytes:
    found = _UNSAFE.search(text.replace(b"{", b"").replace(b"}", b""))
    if found:
        raise TemplateError(f"byte {found[0]!r} may not stand in a URI; percent-encode it")
    return text.replace(b"{", b"%7B").replace(b"}", b"%7D")


def _name(name: bytes | None) -> int | str:
    if name is None:
        raise TemplateError("a brace is not closed; write {{ for a brace itself")
    if name.isdigit():
        return int(name) if len(name) <= 3 else 0
    if name in NAMES:
        return name.decode("ascii")
    text = name.decode("ascii", "backslashreplace")
    raise TemplateError(f"{{{text}}} is unknown; known are {{1}} …, {{host}}, {{path}}, {{query}}")
