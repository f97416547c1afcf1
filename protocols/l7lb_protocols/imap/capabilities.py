"""What servers can do, what all of them can, and what a client is told (RFC 9051 §6.1.1, §7.2.2).

Must not know which servers there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

MAX_WORDS = 200
REMEMBERED = 256
"""Answers for each question: servers say the same thing at every login."""

Capabilities = tuple[bytes, ...]
"""Words as the server wrote them; they compare without regard to case."""

_OURS = frozenset((b"STARTTLS", b"LOGINDISABLED", b"SASL-IR", b"ID", b"LITERAL+", b"LITERAL-"))
"""Said of the connection to the director, whatever the servers say."""
_NEVER = frozenset((b"LOGIN-REFERRALS", b"MAILBOX-REFERRALS", b"UNAUTHENTICATE", b"XCLIENT"))
"""They lead the client past the director, or out of the session that it was let into."""
_VERSIONS = (b"IMAP4REV1", b"IMAP4REV2")


@dataclass(frozen=True, slots=True)
class Offer:
    """What this connection offers now."""

    mechanisms: tuple[bytes, ...]
    starttls: bool = False
    login_disabled: bool = False


@lru_cache(REMEMBERED)
def parse(text: bytes) -> Capabilities:
    """The words of a CAPABILITY response or response code; what is over MAX_WORDS is left out."""
    return tuple(word for word in text.split(b" ") if word)[:MAX_WORDS]


@lru_cache(REMEMBERED)
def _upper(words: Capabilities) -> frozenset[bytes]:
    return frozenset(word.upper() for word in words)


def has(capabilities: Capabilities, name: bytes) -> bool:
    """Whether `name` (upper case) is among them."""
    return name in _upper(capabilities)


@lru_cache(REMEMBERED)
def mechanisms(capabilities: Capabilities) -> tuple[bytes, ...]:
    """SASL mechanisms announced by AUTH=, in upper case."""
    return tuple(word[5:].upper() for word in capabilities if word[:5].upper() == b"AUTH=")


def intersect(several: Sequence[Capabilities]) -> Capabilities:
    """What every server can, in the order of the first. LITERAL+ includes LITERAL- (RFC 7888)."""
    if not several:
        return ()
    sets = [{word.upper() for word in words} for words in several]
    for words in sets:
        if b"LITERAL+" in words:
            words.add(b"LITERAL-")
    common = set.intersection(*sets)
    found = tuple(dict.fromkeys(word for word in several[0] if word.upper() in common))
    if b"LITERAL-" in common and b"LITERAL+" not in common and not has(found, b"LITERAL-"):
        found += (b"LITERAL-",)
    return found


@lru_cache(REMEMBERED)
def advertise(common: Capabilities, offer: Offer) -> bytes:
    """What to tell a client before login, as the text after CAPABILITY.

    `common`: the intersection over the servers that it may come to; empty if nothing is known yet.
    """
    upper = {word.upper() for word in common}
    words = [b"IMAP4rev1"] if b"IMAP4REV1" in upper or b"IMAP4REV2" not in upper else []
    words += [b"IMAP4rev2"] if b"IMAP4REV2" in upper else []
    words += [b"SASL-IR", b"ID"]
    words += [word for word in (b"LITERAL+", b"LITERAL-") if word in upper][:1]
    words += [word for word in after_login(common) if word.upper() not in _OURS | {*_VERSIONS}]
    words += [b"STARTTLS"] * offer.starttls + [b"LOGINDISABLED"] * offer.login_disabled
    words += [b"AUTH=" + name for name in offer.mechanisms]
    return b" ".join(words)


@lru_cache(REMEMBERED)
def after_login(words: Capabilities) -> Capabilities:
    """A server's words as the logged-in client may see them."""
    return tuple(
        word
        for word in words
        if word.upper() not in _NEVER
        and word.upper() not in {b"STARTTLS", b"LOGINDISABLED"}
        and word[:5].upper() != b"AUTH="
    )
