"""Server side of SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677).

`begin` or `respond` gives KeysWanted; `supply` answers it; two more answers of the client end in
Credentials. Nonces are passed in; must not know where keys come from.
The variant with binding (-PLUS) is not offered, so the client's `n` and `y` are both right, and
`p` is refused (RFC 5802 §6).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from l7lb_protocols.sasl.encoding import decode
from l7lb_protocols.sasl.errors import SaslMalformed, SaslRejected
from l7lb_protocols.sasl.exchange import ServerExchange
from l7lb_protocols.sasl.keys import DIGEST_BYTES, MECHANISM, ScramKeys, digest
from l7lb_protocols.sasl.names import prepare_name
from l7lb_protocols.sasl.steps import Challenge, Credentials, KeysWanted, Step

MAX_NONCE_BYTES = 256

_FIRST = re.compile(
    rb"((n|y|p=[A-Za-z0-9.-]+),(?:a=([^,\0]+))?,)"  # gs2-header
    rb"(n=([^,\0]+),r=([!-+\--~]+)(?:,[A-Za-z]=[^,\0]+)*)"  # client-first-message-bare
)
_FINAL = re.compile(
    rb"(c=([A-Za-z0-9+/=]+),r=([!-+\--~]+)(?:,[A-Za-z]=[^,\0]+)*),p=([A-Za-z0-9+/=]+)"
)
_NONCE = re.compile(rb"[!-+\--~]+")
_BAD_ESCAPE = re.compile(rb"=(?!2C|3D)")


class ScramExchange(ServerExchange):
    """RFC 5802 §5: client-first, server-first, client-final, server-final, and an empty answer."""

    name = MECHANISM

    def __init__(self) -> None:
        self._header = b""
        self._bare = b""
        self._nonce = b""
        self._account = b""
        self._authorize_as = b""
        self._keys: ScramKeys | None = None
        self._server_first = b""
        self._is_proven = False

    def respond(self, message: bytes) -> Step:
        if self._is_proven:
            if message:
                raise SaslMalformed("words after the last message", "RFC 5802 §5")
            return Credentials(self.name, self._account, self._authorize_as, proven=True)
        if self._keys is None:
            return self._first(message)
        return self._final(message, self._keys)

    def supply(self, keys: ScramKeys, nonce: bytes) -> Challenge:
        """The account's keys, or fake ones, and fresh random text: at least 18 characters of
        printable ASCII without comma. Raises ValueError for another nonce."""
        if len(nonce) < 18 or not _NONCE.fullmatch(nonce):
            raise ValueError("nonce too short or not printable")
        self._keys = keys
        self._nonce += nonce
        salt = base64.b64encode(keys.salt)
        self._server_first = b"r=%s,s=%s,i=%d" % (self._nonce, salt, keys.iterations)
        return Challenge(self._server_first)

    def _first(self, message: bytes) -> KeysWanted:
        found = _FIRST.fullmatch(message)
        if found is None:
            raise SaslMalformed("client-first-message is malformed", "RFC 5802 §7")
        self._header, binding, as_whom, self._bare, account, self._nonce = found.groups()
        if binding[:1] == b"p":
            raise SaslMalformed("channel binding was not offered", "RFC 5802 §6")
        if len(self._nonce) > MAX_NONCE_BYTES:
            raise SaslMalformed("nonce too long")
        self._account = _name(account)
        self._authorize_as = _name(as_whom) if as_whom else b""
        return KeysWanted(self._account, self._authorize_as)

    def _final(self, message: bytes, keys: ScramKeys) -> Challenge:
        found = _FINAL.fullmatch(message)
        if found is None:
            raise SaslMalformed("client-final-message is malformed", "RFC 5802 §7")
        without_proof, binding, nonce, proof = found.groups()
        if decode(binding) != self._header:
            raise SaslMalformed("channel binding differs from the first message", "RFC 5802 §6")
        if not hmac.compare_digest(nonce, self._nonce):
            raise SaslMalformed("nonce differs from ours", "RFC 5802 §5.1")
        signed = b",".join((self._bare, self._server_first, without_proof))
        if not _fits(decode(proof), keys, signed):
            raise SaslRejected(self._account)
        self._is_proven = True
        return Challenge(b"v=" + base64.b64encode(digest(keys.server, signed)))


def _fits(proof: bytes, keys: ScramKeys, signed: bytes) -> bool:
    """RFC 5802 §3: the proof is ClientKey XOR ClientSignature."""
    if len(proof) != DIGEST_BYTES:
        return False
    signature = digest(keys.stored, signed)
    client = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.sha256(client).digest(), keys.stored)


def _name(saslname: bytes) -> bytes:
    """RFC 5802 §5.1: `=2C` is a comma, `=3D` an equals sign, any other `=` an error."""
    if _BAD_ESCAPE.search(saslname):
        raise SaslMalformed("name with a bare equals sign", "RFC 5802 §5.1")
    return prepare_name(saslname.replace(b"=2C", b",").replace(b"=3D", b"="))
