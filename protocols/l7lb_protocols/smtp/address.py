"""Mailbox addresses and the paths around them (RFC 5321 §4.1.2, RFC 6531 §3.3).

It must not know whether an address exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from l7lb_protocols.smtp import grammar
from l7lb_protocols.smtp.errors import SmtpRefusal

MAX_LOCAL = 64
MAX_PATH = 256

_LOCAL = rb"(?P<local>" + grammar.DOTTED + rb"|" + grammar.QUOTED + rb")"
_MAILBOX = _LOCAL + rb"(?:@(?P<domain>" + grammar.DOMAIN + rb"))?"
_PATH = re.compile(rb"<(?:(?:" + grammar.ROUTE + rb")?" + _MAILBOX + rb")?>")
_BARE = re.compile(_MAILBOX)
_GENERAL = re.compile(rb"[A-Za-z0-9-]*[A-Za-z0-9]:[!-Z^-~]+")


@dataclass(frozen=True, slots=True)
class Address:
    """`local` is without quotes, `domain` as it was written; both empty: the null sender `<>`.

    Made by `parse_path`, `parse_mailbox`, or by hand from parts that are known to be good.
    """

    local: bytes
    domain: bytes = b""

    @property
    def is_null(self) -> bool:
        return not self.local and not self.domain

    @property
    def is_ascii(self) -> bool:
        return self.local.isascii() and self.domain.isascii()

    @property
    def text(self) -> bytes:
        """The one form that we send and log: quoted only where it must be."""
        if self.is_null:
            return b""
        local = self.local
        if not grammar.IS_ATOMS(local):
            local = b'"' + local.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        return local + b"@" + self.domain if self.domain else local

    @property
    def key(self) -> bytes:
        """For comparison: the domain in lower case, and the local part too (as all do, though
        RFC 5321 §2.4 would let a server tell `A` from `a`)."""
        return self.text.lower()


NULL = Address(b"")


def parse_path(text: bytes, *, strict: bool = False) -> tuple[Address, bytes]:
    """The path at the head of `text`, and what follows it.

    A source route is taken off (RFC 5321 §4.1.1.3). Unless `strict`, blanks before the path and
    missing brackets are forgiven, as half of the world's scripts need it.
    Lengths are those of the parts without quotes. Raises SmtpRefusal(501).
    """
    if not strict:
        text = text.lstrip(b" ")
    found = _PATH.match(text)
    if found is None and not strict and not text.startswith(b"<"):
        found = _BARE.match(text)
    if found is None:
        raise _refused("malformed path")
    rest = text[found.end() :]
    if rest and not rest.startswith(b" "):
        raise _refused("malformed path")
    return _address(found["local"] or b"", found["domain"] or b""), rest.strip(b" ")


def parse_mailbox(text: bytes) -> Address:
    """One whole address without brackets. Raises SmtpRefusal(501)."""
    found = _BARE.fullmatch(text)
    if found is None:
        raise _refused("malformed address")
    return _address(found["local"], found["domain"] or b"")


def _address(local: bytes, domain: bytes) -> Address:
    if local.startswith(b'"'):
        local = re.sub(rb"\\(.)", rb"\1", local[1:-1])
        if not local:
            raise _refused("empty local part")
    if len(local) > MAX_LOCAL:
        raise _refused("local part too long", "RFC 5321 §4.5.3.1.1")
    if len(local) + len(domain) > MAX_PATH - 3:
        raise _refused("path too long", "RFC 5321 §4.5.3.1.3")
    if domain.startswith(b"["):
        _check_literal(domain[1:-1])
    elif domain and not grammar.is_host_name(domain):
        raise _refused("malformed domain", "RFC 5321 §2.3.5")
    if not grammar.is_utf8(local + domain):
        raise _refused("address is not UTF-8", "RFC 6531 §3.3")
    return Address(local, domain)


def _check_literal(inner: bytes) -> None:
    """RFC 5321 §4.1.3: IPv4, `IPv6:`, or another tag."""
    try:
        if inner[:5].lower() == b"ipv6:":
            IPv6Address(inner[5:].decode())
        elif b":" not in inner:
            IPv4Address(inner.decode())
        elif not _GENERAL.fullmatch(inner):
            raise _refused("malformed address literal", "RFC 5321 §4.1.3")
    except (AddressValueError, UnicodeDecodeError):
        raise _refused("malformed address literal", "RFC 5321 §4.1.3") from None


def _refused(reason: str, clause: str = "RFC 5321 §4.1.2") -> SmtpRefusal:
    return SmtpRefusal(501, b"5.1.3", reason, clause)
