"""Changes that a route makes to header fields: remove, set, add, in this order.

`check` runs when the rules file is read, so `apply` meets only edits that keep a message's framing
and grammar (RFC 9110 §5, §7.6.1).
"""

from __future__ import annotations

import re

from l7lb.model_http import HeaderEdits

KEPT = {
    b"connection": "belongs to one connection",
    b"content-length": "frames the body",
    b"host": "is changed by a rewrite of the host",
    b"keep-alive": "belongs to one connection",
    b"proxy-connection": "belongs to one connection",
    b"te": "belongs to one connection",
    b"trailer": "announces what follows the body",
    b"transfer-encoding": "frames the body",
    b"upgrade": "belongs to one connection",
}
"""Fields that no edit may touch, and why."""

Field = tuple[bytes, bytes]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?|")


def check(edits: HeaderEdits) -> list[str]:
    """What is wrong, one sentence each, in the order remove, set, add; empty: nothing."""
    problems = [text for name in edits.remove if (text := _name_problem(name))]
    for name, value in (*edits.set, *edits.add):
        problem = _name_problem(name)
        if problem:
            problems.append(problem)
        if not _VALUE.fullmatch(value):
            problems.append(
                f"value {value!r} of {_text(name)} has a control character, or a blank at an end"
            )
    seen: set[bytes] = set()
    for name, _ in edits.set:
        if name.lower() in seen:
            problems.append(f"{_text(name)} is set twice")
        seen.add(name.lower())
    return problems


def apply(fields: list[Field], edits: HeaderEdits) -> list[Field]:
    """The fields after the edits, as a new list; names match without regard to case.

    A field that is set takes the place of the first of that name, or comes last.
    """
    removed = {name.lower() for name in edits.remove}
    waiting = {name.lower(): (name, value) for name, value in edits.set}
    replaced = frozenset(waiting)
    found: list[Field] = []
    for field in fields:
        name = field[0].lower()
        if name in replaced:
            if name in waiting:
                found.append(waiting.pop(name))
        elif name not in removed:
            found.append(field)
    return [*found, *waiting.values(), *edits.add]


def _name_problem(name: bytes) -> str:
    if not _TOKEN.fullmatch(name):
        return f"{name!r} is not a header name"
    why = KEPT.get(name.lower())
    return f"{_text(name)} may not be edited: it {why}" if why else ""


def _text(name: bytes) -> str:
    return name.decode("ascii", "backslashreplace")
