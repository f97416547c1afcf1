"""The Session field, and the tag by which a session finds its server again (RFC 2326 §12.37, §3.4).

`<server's id>.<tag>`: any director that has the secret knows by the tag which server the session
is on, and under which token the ports that relay its media are kept; a tag that was forged, or
moved to another id, is none. The tags of all servers are made beforehand, as for cookies. It must
not know pools: a place is what its user gives it for.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import NamedTuple

from l7lb_protocols.rtsp.errors import RtspRefusal

CLAUSE = "RFC 2326 §12.37"
FIELD = re.compile(rb"([\x21-\x2b\x2d-\x3a\x3c-\x7e]{1,512})((?:[ \t]*;[\x20-\x7e]*)?)")
TIMEOUT = re.compile(rb";[ \t]*timeout[ \t]*=[ \t]*([0-9]{1,8})[ \t]*(?:;|$)", re.IGNORECASE)
DEFAULT_TIMEOUT_S = 60.0
"""RFC 2326 §12.37."""
PLACE_BYTES = 6
TOKEN_BYTES = 6
MAC_BYTES = 12
PLACE = 8
TOKEN = 8
MAC = 16
"""Letters of base64url."""
Place = tuple[str, str]
"""Pool and server."""


class SessionField(NamedTuple):
    id: bytes
    rest: bytes
    """What follows the id, with its `;`."""

    @property
    def timeout_s(self) -> float:
        match = TIMEOUT.search(self.rest)
        return float(match[1]) if match else DEFAULT_TIMEOUT_S


def parse(field: bytes) -> SessionField:
    """Raises RtspRefusal(454)."""
    match = FIELD.fullmatch(field)
    if match is None:
        raise RtspRefusal(454, "this is no session id", CLAUSE)
    return SessionField(match[1], match[2])


class Tagged(NamedTuple):
    """A session whose tag is good."""

    id: bytes
    """The server's own."""
    place: Place
    token: bytes
    """Six bytes, chosen by the director that saw the session begin."""


class Tags:
    """The tags of one service."""

    def __init__(self, secret: bytes, service: str, places: Iterable[Place]) -> None:
        self._secret = secret
        self._service = service.encode()
        self._letters: dict[Place, bytes] = {}
        self._places: dict[bytes, Place] = {}
        for place in places:
            letters = self._letters[place] = self._place_letters(place)
            self._places[letters] = place

    def seal(self, session: bytes, place: Place, token: bytes) -> bytes:
        """The id for the client. `token`: six bytes that nobody guesses."""
        tag = self._letters[place] + urlsafe_b64encode(token)
        return b"%s.%s%s" % (session, tag, self._mac(session, tag))

    def open(self, session: bytes) -> Tagged | None:
        """None: not one of ours, or of a server that is no longer there."""
        own, dot, tag = session.rpartition(b".")
        if not dot or len(tag) != PLACE + TOKEN + MAC:
            return None
        place = self._places.get(tag[:PLACE])
        if place is None or not hmac.compare_digest(
            tag[PLACE + TOKEN :], self._mac(own, tag[: PLACE + TOKEN])
        ):
            return None
        return Tagged(own, place, urlsafe_b64decode(tag[PLACE : PLACE + TOKEN]))

    def _place_letters(self, place: Place) -> bytes:
        message = b"\0".join((b"rtsp place", self._service, *(part.encode() for part in place)))
        return urlsafe_b64encode(hmac.digest(self._secret, message, "sha256")[:PLACE_BYTES])

    def _mac(self, session: bytes, tag: bytes) -> bytes:
        message = b"\0".join((b"rtsp session", self._service, session, tag))
        return urlsafe_b64encode(hmac.digest(self._secret, message, "sha256")[:MAC_BYTES])
