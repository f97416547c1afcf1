"""Names and shapes of RTSP 1.0 (RFC 2326 §6, §7, §10, §15). It must not know how bytes arrive.

Stricter than the RFC where two readers could disagree: lines end in CRLF only, and no field is
folded.
"""

from __future__ import annotations

import re

VERSION = b"RTSP/1.0"
FRAME = 0x24
"""`$`: an interleaved frame begins (RFC 2326 §10.12)."""

FROM_CLIENT = frozenset(
    (
        b"OPTIONS",
        b"DESCRIBE",
        b"ANNOUNCE",
        b"SETUP",
        b"PLAY",
        b"PAUSE",
        b"RECORD",
        b"TEARDOWN",
        b"GET_PARAMETER",
        b"SET_PARAMETER",
    )
)
FROM_SERVER = frozenset(
    (
        b"OPTIONS",
        b"ANNOUNCE",
        b"REDIRECT",
        b"GET_PARAMETER",
        b"SET_PARAMETER",
        b"TEARDOWN",
    )
)
"""RFC 2326 §10, table 2; TEARDOWN is what some servers say when they end a session themselves."""

REASONS = {
    200: b"OK",
    302: b"Found",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Time-out",
    413: b"Request Entity Too Large",
    414: b"Request-URI Too Large",
    453: b"Not Enough Bandwidth",
    454: b"Session Not Found",
    455: b"Method Not Valid in This State",
    459: b"Aggregate Operation Not Allowed",
    461: b"Unsupported Transport",
    500: b"Internal Server Error",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Time-out",
    505: b"RTSP Version Not Supported",
    551: b"Option Not Supported",
}
"""RFC 2326 §7.1.1: those that we say ourselves."""

REQUEST_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) ([\x21-\x7e\x80-\xff]+) ([A-Z]{1,16}/[0-9]\.[0-9])\r\n"
)
STATUS_LINE = re.compile(
    rb"([A-Z]{1,16}/[0-9]\.[0-9]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n"
)
FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256})[ \t]*:[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)\r\n"
)
"""A blank before the colon is tolerated: some cameras send it, and no field decides where a
message ends but Content-Length, which is looked at after this."""
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
DIGITS = re.compile(rb"[0-9]{1,10}")
