"""One request as one line of the access log: JSON, or the combined format of Apache.

Pure. Any bytes may come in; a line never holds a control character or an unescaped quote.
"""

from __future__ import annotations

import time
from functools import lru_cache
from json.encoder import encode_basestring_ascii

Record = tuple[
    float,  # wall clock at the end of the request, seconds
    str,  # source address
    bytes,  # method
    bytes,  # target
    bytes,  # host
    int,  # HTTP/1.x
    int,  # status, 0: no response
    int,  # bytes out
    float,  # duration, seconds
    float,  # first byte from the server, seconds; negative: none
    str,  # service
    str,  # pool
    str,  # server
    bytes,  # request id
    bytes | None,  # User-Agent
    bytes | None,  # Referer
    int,  # retries
    str,  # flags
]

PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\')
"""Bytes that stand for themselves between quotes in both formats."""

KEPT = 8192
KEPT_BYTES = 512
"""How many texts are kept in their escaped form, and the longest of them."""
_KNOWN: dict[str | bytes | None, bytes] = {}

_ESCAPES = [
    chr(byte) if byte in PLAIN else f"\\{chr(byte)}" if byte in b'"\\' else f"\\x{byte:02x}"
    for byte in range(256)
]


def json_line(record: Record) -> bytes:
    """A JSON object and a line feed."""
    (time_s, source, method, target, host, minor, status, bytes_out, total_s, first_s,
     service, pool, server, request_id, agent, referer, retries, flags) = record  # fmt: skip
    if target.translate(None, PLAIN):
        target = _json(target)
    if request_id.translate(None, PLAIN):
        request_id = _json(request_id)
    known = _KNOWN.get
    return (
        b'{"time":"%b%03dZ","source":%b,"method":%b,"target":"%b","host":%b,'
        b'"version":"1.%d","status":%d,"bytes":%d,"duration_s":%.6f,"first_byte_s":%b,'
        b'"service":%b,"pool":%b,"server":%b,"request_id":"%b","user_agent":%b,"referer":%b,'
        b'"retries":%d,"flags":%b}\n'
    ) % (
        _second(int(time_s)),
        int(time_s * 1000) % 1000,
        known(source) or _learn(source),
        known(method) or _learn(method),
        target,
        known(host) or _learn(host),
        minor,
        status,
        bytes_out,
        total_s,
        b"null" if first_s < 0 else b"%.6f" % first_s,
        known(service) or _learn(service),
        known(pool) or _learn(pool),
        known(server) or _learn(server),
        request_id,
        known(agent) or _learn(agent),
        known(referer) or _learn(referer),
        retries,
        known(flags) or _learn(flags),
    )


def _learn(text: str | bytes | None) -> bytes:
    """As JSON. Names, addresses and agents come again and again: what is short is kept."""
    if text is None:
        shown = b"null"
    else:
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        shown = b'"%b"' % _json(raw)
    if len(shown) < KEPT_BYTES:
        if len(_KNOWN) >= KEPT:
            _KNOWN.clear()
        _KNOWN[text] = shown
    return shown


def combined_line(record: Record) -> bytes:
    """Apache's combined format; what is quoted is escaped as Apache does, in hexadecimal."""
    (time_s, source, method, target, _, minor, status, bytes_out, _, _,
     _, _, _, _, agent, referer, _, _) = record  # fmt: skip
    shown = b"%b%b%b%b" % (method, target, agent or b"-", referer or b"-")
    if shown.translate(None, PLAIN):
        method, target = _escaped(method), _escaped(target)
        agent, referer = agent and _escaped(agent), referer and _escaped(referer)
    return b'%b - - [%b] "%b %b HTTP/1.%d" %d %b "%b" "%b"\n' % (
        _address(source),
        _apache_second(int(time_s)),
        method,
        target,
        minor,
        status,
        b"%d" % bytes_out if bytes_out else b"-",
        referer or b"-",
        agent or b"-",
    )


def _json(raw: bytes) -> bytes:
    """Text for between quotes; bytes that are not UTF-8 show as `\\xNN`."""
    quoted: str = encode_basestring_ascii(raw.decode("utf-8", "backslashreplace"))
    return quoted[1:-1].encode("ascii")


def _escaped(raw: bytes) -> bytes:
    return "".join([_ESCAPES[byte] for byte in raw]).encode("ascii")


@lru_cache(maxsize=4096)
def _address(text: str) -> bytes:
    return _escaped(text.encode("utf-8", "backslashreplace")).replace(b" ", b"_") or b"-"


@lru_cache(maxsize=4)
def _second(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second)).encode("ascii")


@lru_cache(maxsize=4)
def _apache_second(second: int) -> bytes:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second)).encode("ascii")
