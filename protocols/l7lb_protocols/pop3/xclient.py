"""The XCLIENT command: the client's address handed over, in xtext.

The attributes are those that Dovecot's proxies use. Must not know who may be believed.
"""

from __future__ import annotations

import re

from l7lb_protocols.login.origin import Origin, parse_origin
from l7lb_protocols.pop3.errors import Pop3Refusal
from l7lb_protocols.pop3.render import command

MAX_LINE_BYTES = 1024
"""With CRLF."""
UNAVAILABLE = b"[UNAVAILABLE]"
"""Value of an attribute that the sender does not know."""

_SENT = {b"ADDR": "address", b"PORT": "port", b"SESSION": "session", b"TTL": "hops_left"}
_READ = _SENT | {b"DESTADDR": "local_address", b"DESTPORT": "local_port"}
_PLAIN = re.compile(rb"[!-*,-<>-~]")
_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")


def encode_xtext(value: bytes) -> bytes:
    """RFC 3461 §4: printable ASCII as it is, all else and `+` `=` as +XX."""
    return b"".join(
        bytes((byte,)) if _PLAIN.match(bytes((byte,))) else b"+%02X" % byte for byte in value
    )


def decode_xtext(text: bytes) -> bytes:
    """Raises Pop3Refusal for what is not xtext."""
    if not _XTEXT.fullmatch(text):
        raise Pop3Refusal("malformed xtext", "RFC 3461 §4")
    return re.sub(rb"\+(..)", lambda found: bytes((int(found[1], 16),)), text)


def build(origin: Origin) -> bytes:
    """The command. What is unknown is left out; it never exceeds MAX_LINE_BYTES."""
    fields = origin.fields()
    words = [
        name + b"=" + encode_xtext(fields[field]) for name, field in _SENT.items() if fields[field]
    ]
    return command(b"XCLIENT", b" ".join(words))


def parse(argument: bytes) -> Origin:
    """From the command's argument; attributes that we do not know are passed over.

    Raises Pop3Refusal for a malformed or repeated one, or a line over MAX_LINE_BYTES.
    """
    if len(argument) > MAX_LINE_BYTES - len(b"XCLIENT \r\n"):
        raise Pop3Refusal("XCLIENT over the limit")
    found: dict[bytes, bytes] = {}
    for word in argument.split(b" "):
        name, equals, value = word.partition(b"=")
        if not equals or name.upper() in found:
            raise Pop3Refusal("malformed or repeated attribute")
        found[name.upper()] = b"" if value.upper() == UNAVAILABLE else decode_xtext(value)
    try:
        return parse_origin({_READ[name]: found[name] for name in found if name in _READ})
    except ValueError:
        raise Pop3Refusal("malformed origin") from None
