"""StartTLS (RFC 4511 §4.14): its one request, and as much BER (X.690) as its answer needs."""

from __future__ import annotations

OID = b"1.3.6.1.4.1.1466.20037"
REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + OID
"""LDAPMessage 1, ExtendedRequest."""
ANSWER_LIMIT = 4096
_SEQUENCE, _INTEGER, _ENUMERATED, _EXTENDED_RESPONSE = 0x30, 0x02, 0x0A, 0x78


class BerError(ValueError):
    """Bytes that are no answer to the request."""


def answer_length(head: bytes) -> int | None:
    """Bytes of the whole message that begins so; None: more must be read. Raises BerError."""
    if head[:1] not in {b"", b"\x30"}:
        raise BerError("not an LDAP message")
    found = _length(head, 1)
    if found is None:
        return None
    start, length = found
    if start + length > ANSWER_LIMIT:
        raise BerError(f"an answer of more than {ANSWER_LIMIT} bytes")
    return start + length


def result_code(message: bytes) -> int:
    """Of a whole ExtendedResponse to our request; 0 is success. Raises BerError."""
    inner = _value(message, 0, _SEQUENCE)[0]
    number, rest = _value(inner, 0, _INTEGER)
    if number != b"\x01":
        raise BerError("an answer to another request")
    response = _value(inner, rest, _EXTENDED_RESPONSE)[0]
    code = _value(response, 0, _ENUMERATED)[0]
    if len(code) != 1:
        raise BerError("no result code")
    return code[0]


def _value(data: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """The value of the element at `at`, and where the next begins."""
    if data[at : at + 1] != bytes([tag]):
        raise BerError(f"no element 0x{tag:02x}")
    found = _length(data, at + 1)
    if found is None or sum(found) > len(data):
        raise BerError("an element that is cut off")
    start, length = found
    return data[start : start + length], start + length


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """Where the value begins and how long it is; None when the length itself is cut off."""
    if len(data) <= at:
        return None
    first = data[at]
    if first < 0x80:
        return at + 1, first
    size = first & 0x7F
    if not 1 <= size <= 4:
        raise BerError("a length that LDAP does not allow")
    if len(data) < at + 1 + size:
        return None
    return at + 1 + size, int.from_bytes(data[at + 1 : at + 1 + size], "big")
