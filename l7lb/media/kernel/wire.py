"""Messages between the media-kernel process and those who ask it: one JSON object a datagram.

A question is `{"n": number, "verb": word, ...}`, its answer `{"n": number, "ok": {...}}` or
`{"n": number, "error": words}`; an answer may bring one descriptor. SOCK_SEQPACKET keeps the
bounds of messages, so a message is whole or is not there. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LIMIT_BYTES = 128 << 10
"""Of a message; several hundred servers. The kernel's default send buffer takes it."""
NUMBER_LIMIT = 1 << 53


class BadMessage(ValueError):
    """Not a message of this protocol. The message says why."""


def question(number: int, verb: str, parameters: Mapping[str, Any]) -> bytes:
    """Raises BadMessage where it is too long."""
    return _packed({**parameters, "n": number, "verb": verb})


def answer(number: int, result: Mapping[str, Any]) -> bytes:
    """Raises BadMessage where it is too long."""
    return _packed({"n": number, "ok": result})


def refusal(number: int, words: str) -> bytes:
    return _packed({"n": number, "error": words[:4000]})


def read(data: bytes) -> tuple[int, dict[str, Any]]:
    """Number and content of either kind. Raises BadMessage."""
    if len(data) > LIMIT_BYTES:
        raise BadMessage(f"{len(data)} bytes are too many")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadMessage("not JSON") from error
    if not isinstance(content, dict):
        raise BadMessage("not an object")
    number = content.pop("n", None)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < NUMBER_LIMIT:
        raise BadMessage("no number")
    return number, content


def _packed(content: Mapping[str, Any]) -> bytes:
    data = json.dumps(content, separators=(",", ":")).encode()
    if len(data) > LIMIT_BYTES:
        raise BadMessage(f"a message of {len(data)} bytes is more than {LIMIT_BYTES}")
    return data
