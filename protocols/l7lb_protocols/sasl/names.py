"""Which account names and secrets are taken, and in what form they go on.

A light form of RFC 8265, which replaced SASLprep (RFC 4013):

- a name is UTF-8 and is put into NFC, so that one name has one spelling for rules, hash and
  directory. Upper and lower case stay: the directory knows its own rule. Refused are controls,
  invisible format characters, unassigned and private code points, every space but the ASCII one
  inside a name. Nothing is removed or mapped: such a name fails instead.
- a secret is UTF-8 without controls and goes on byte for byte, because whoever holds its hash
  made it of what was typed. An empty one is refused: LDAP would bind with it as nobody and call
  that success (RFC 4513 §5.1.2).

Must not know any directory.
"""

from __future__ import annotations

import re
import unicodedata

from l7lb_protocols.sasl.errors import SaslMalformed

MAX_NAME_BYTES = 255
MAX_SECRET_BYTES = 1024

_REFUSED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode general categories."""
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


def prepare_name(raw: bytes, max_bytes: int = MAX_NAME_BYTES) -> bytes:
    """The name in NFC. Raises SaslMalformed: empty, too long, not UTF-8, refused characters."""
    if not raw or len(raw) > max_bytes:
        raise SaslMalformed("name is empty or too long")
    text = _text(raw, "name is not UTF-8")
    if text.strip(" ") != text:
        raise SaslMalformed("name begins or ends with a space")
    if text.isascii():
        if not text.isprintable():
            raise SaslMalformed("name with a control character")
        return raw
    text = unicodedata.normalize("NFC", text)
    for character in text:
        category = unicodedata.category(character)
        if category in _REFUSED or (category == "Zs" and character != " "):
            raise SaslMalformed("name with a character that is not allowed", "RFC 8265 §3.4")
    prepared = text.encode()
    if len(prepared) > max_bytes:
        raise SaslMalformed("name is empty or too long")
    return prepared


def check_secret(raw: bytes, max_bytes: int = MAX_SECRET_BYTES) -> bytes:
    """The secret, unchanged. Raises SaslMalformed: empty, too long, not UTF-8, controls."""
    if not raw or len(raw) > max_bytes:
        raise SaslMalformed("secret is empty or too long")
    if _CONTROL.search(raw):
        raise SaslMalformed("secret with a control character", "RFC 8265 §4.2")
    _text(raw, "secret is not UTF-8")
    return raw


def _text(raw: bytes, reason: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise SaslMalformed(reason) from None
