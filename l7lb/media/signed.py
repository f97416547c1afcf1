"""Signed, fresh datagrams between a director and the agent beside a media server. Pure.

A datagram is a magic word, an HMAC-SHA256 of the rest, and a JSON object with `id` (never used
twice) and `at` (seconds since 1970). What is cut, forged, old or repeated is refused; both ends
need clocks that agree within `FRESH_S`. The clock is passed in.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

MAGIC = b"l7m1"
LIMIT_BYTES = 1200
"""No datagram of this is ever fragmented."""
KEY_BYTES = 16
"""The shortest key that is taken."""
FRESH_S = 30.0
REMEMBERED_LIMIT = 4096
ID_LIMIT = 64
_MAC_BYTES = 32


class BadDatagram(ValueError):
    """The message says why; nobody is answered."""


class Seal:
    """Signs, and opens what was signed with the same key. Raises ValueError for a short key."""

    def __init__(self, key: bytes) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes or more")
        self._key = key
        self._seen: OrderedDict[str, float] = OrderedDict()

    def close(self, content: Mapping[str, Any], number: str, now_s: float) -> bytes:
        """`number` has to be one that nobody can guess. Raises ValueError where it is too long."""
        body = json.dumps({**content, "id": number, "at": now_s}, separators=(",", ":")).encode()
        if len(MAGIC) + _MAC_BYTES + len(body) > LIMIT_BYTES:
            raise ValueError(f"{len(body)} bytes are too many for a datagram")
        return MAGIC + self._mac(body) + body

    def open(self, datagram: bytes, now_s: float) -> dict[str, Any]:
        """Each datagram is opened once. Raises BadDatagram."""
        if len(datagram) > LIMIT_BYTES or not datagram.startswith(MAGIC):
            raise BadDatagram("not one of ours")
        start = len(MAGIC) + _MAC_BYTES
        body = datagram[start:]
        if not hmac.compare_digest(datagram[len(MAGIC) : start], self._mac(body)):
            raise BadDatagram("the signature is wrong")
        content = _object(body)
        number, at = content.get("id"), content.get("at")
        if not isinstance(number, str) or len(number) > ID_LIMIT or not isinstance(at, int | float):
            raise BadDatagram("no id or no time")
        if not abs(now_s - at) <= FRESH_S:
            raise BadDatagram(f"{now_s - at:.0f} s old")
        self._once(number, now_s)
        return content

    def _once(self, number: str, now_s: float) -> None:
        while self._seen and next(iter(self._seen.values())) < now_s - 2 * FRESH_S:
            self._seen.popitem(last=False)
        if number in self._seen:
            raise BadDatagram("it was here before")
        if len(self._seen) >= REMEMBERED_LIMIT:
            raise BadDatagram("too many in a short time")
        self._seen[number] = now_s

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadDatagram("not JSON") from error
    if not isinstance(content, dict):
        raise BadDatagram("not an object")
    return content
