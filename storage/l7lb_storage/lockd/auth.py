"""Who is there: both sides prove that they know the secret, which never travels.

Each side proves itself over both nonces, so an old proof is of no use, and a server that does not
know the secret is not believed. The connection itself is protected by TLS or by being local; this
alone does not keep out somebody who sits in the middle. It draws no nonces itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from l7lb_storage.errors import AuthenticationFailed, ProtocolViolation
from l7lb_storage.lockd.shapes import Json
from l7lb_storage.lockd.wire import VERSION

NONCE_BYTES = 16
SECRET_BYTES_MIN = 16
PURPOSE = b"l7lb lockd 1 "
NONCE = re.compile(r"[0-9a-f]{32}")


def hello_of_server(nonce: str) -> Json:
    return ["hello", VERSION, nonce]


def hello_of_client(secret: bytes, client: str, theirs: str, ours: str) -> Json:
    return ["hello", client, ours, _proof(secret, b"client", theirs, ours, client)]


def welcome(secret: bytes, client: str, ours: str, theirs: str) -> Json:
    return ["welcome", _proof(secret, b"server", ours, theirs, client)]


def read_server(found: Json) -> str:
    """The server's nonce. Raises ProtocolViolation."""
    match found:
        case ["hello", int(version), str(nonce)] if version == VERSION and NONCE.fullmatch(nonce):
            return nonce
    raise ProtocolViolation(f"this is no lockd of version {VERSION}")


def read_client(secret: bytes, found: Json, ours: str) -> tuple[str, str]:
    """The client's name and nonce. Raises ProtocolViolation, AuthenticationFailed."""
    match found:
        case ["hello", str(client), str(theirs), str(proof)]:
            if not (NONCE.fullmatch(client) and NONCE.fullmatch(theirs)):
                raise ProtocolViolation("this is no hello")
            _compare(proof, _proof(secret, b"client", ours, theirs, client))
            return client, theirs
    raise ProtocolViolation("this is no hello")


def read_welcome(secret: bytes, client: str, found: Json, theirs: str, ours: str) -> None:
    """Raises AuthenticationFailed, also when the server says that it does not know us."""
    match found:
        case ["welcome", str(proof)]:
            return _compare(proof, _proof(secret, b"server", theirs, ours, client))
    raise AuthenticationFailed("lockd does not accept our secret")


def _proof(secret: bytes, side: bytes, server: str, client: str, name: str) -> str:
    text = PURPOSE + side + f" {server} {client} {name}".encode()
    return hmac.new(secret, text, hashlib.sha256).hexdigest()


def _compare(found: str, expected: str) -> None:
    if not hmac.compare_digest(found.encode("utf-8", "replace"), expected.encode()):
        raise AuthenticationFailed("the proof does not fit the secret")
