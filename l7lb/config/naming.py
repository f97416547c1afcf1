"""Names of routes that were given none: made of the conditions, so that they outlive a reorder."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

from l7lb.model import MatchSpec, PathKind, PathMatch, ValueMatch

EVERYTHING = "*"
LENGTH_LIMIT = 200


def route_name(match: MatchSpec) -> str:
    """Such as `static.example.org/img/* GET cookie:beta=1`; `*` for a route without conditions."""
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in " ".join(_words(match)))
    if len(text) <= LENGTH_LIMIT:
        return text or EVERYTHING
    return f"{text[:LENGTH_LIMIT]}…{blake2b(text.encode(), digest_size=4).hexdigest()}"


def path_text(path: PathMatch) -> str:
    """As it stands in the file; "" for any path."""
    match path.kind:
        case PathKind.ANY:
            return ""
        case PathKind.EXACT:
            return path.text.decode()
        case PathKind.PREFIX:
            return path.text.decode() + "/*"
        case PathKind.REGEX:
            return "~ " + (path.pattern.pattern.decode() if path.pattern else "")


def _words(match: MatchSpec) -> Iterator[str]:
    start = _joined(match.hosts) + path_text(match.path)
    if start:
        yield start
    if match.methods:
        yield _joined(match.methods)
    for label, values in (
        ("header", match.headers),
        ("query", match.query),
        ("cookie", match.cookies),
        ("attribute", match.attributes),
    ):
        for value in values:
            yield f"{label}:{_value(value)}"
    for label, names in (
        ("sni", match.sni),
        ("tls_name", match.tls_names),
        ("account", match.accounts),
        ("recipient", match.recipients),
    ):
        if names:
            yield f"{label}:{_joined(names)}"
    if match.sources:
        yield f"from:{','.join(match.sources)}"


def _joined(items: tuple[bytes, ...]) -> str:
    return ",".join(item.decode() for item in items)


def _value(value: ValueMatch) -> str:
    name = value.name.decode()
    if value.value is not None:
        return f"{name}={value.value.decode()}"
    return f"{name}~{value.pattern.pattern.decode()}" if value.pattern else name
