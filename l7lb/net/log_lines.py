"""One request as one line of the access log: JSON, or the combined format of Apache.

Pure. Any bytes may come in; a line never holds a control character or an unescaped quote.
Hot: pieces go straight into the log's buffer, and only what needs an escape becomes an object.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring_ascii

from l7lb.net.line_buffer import PLAIN, LineBuffer

_ESCAPES = [
    chr(byte) if byte in PLAIN else f"\\{chr(byte)}" if byte in b'"\\' else f"\\x{byte:02x}"
    for byte in range(256)
]


class Record:
    """What there is to say of one request."""

    def __init__(self) -> None:
        self.time_s = 0.0
        """Wall clock at the end of the request."""
        self.source = ""
        """Address."""
        self.method = b""
        self.target = b""
        self.host = b""
        self.minor = 1
        """Of HTTP/1.x."""
        self.status = 0
        """0: no response."""
        self.bytes_out = 0
        self.total_s = 0.0
        self.first_s = -1.0
        """Until the first byte from the server; negative: none came."""
        self.service = ""
        self.pool = ""
        self.server = ""
        self.request_id = b""
        self.agent: bytes | None = None
        self.referer: bytes | None = None
        self.retries = 0
        self.flags = ""


class Stamps:
    """Text of a moment's second, made once a second."""

    def __init__(self, shown: Callable[[int], bytes]) -> None:
        self._shown = shown
        self._second = -1
        self._text = b""

    def text(self, second: int) -> bytes:
        if second != self._second:
            self._text = self._shown(second)
            self._second = second
        return self._text


def _iso(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second)).encode("ascii")


def _apache(second: int) -> bytes:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second)).encode("ascii")


ISO = Stamps(_iso)
APACHE = Stamps(_apache)


def write_json(out: LineBuffer, record: Record) -> None:
    """A JSON object and a line feed."""
    second = int(record.time_s)
    thousandth = int((record.time_s - second) * 1000)
    out.add(b'{"time":"')
    out.add(ISO.text(second))
    out.add(b"00" if thousandth < 10 else b"0" if thousandth < 100 else b"")
    out.add_number(thousandth)
    out.add(b'Z","source":"')
    _json_name(out, record.source)
    out.add(b'","method":"')
    _json_text(out, record.method)
    out.add(b'","target":"')
    _json_text(out, record.target)
    out.add(b'","host":"')
    _json_text(out, record.host)
    out.add(b'","version":"1.')
    out.add_number(record.minor)
    out.add(b'","status":')
    out.add_number(record.status)
    out.add(b',"bytes":')
    out.add_number(record.bytes_out)
    out.add(b',"duration_s":')
    out.add_seconds(record.total_s)
    out.add(b',"first_byte_s":')
    if record.first_s < 0:
        out.add(b"null")
    else:
        out.add_seconds(record.first_s)
    _json_rest(out, record)


def _json_rest(out: LineBuffer, record: Record) -> None:
    """Who served it, and what the client said of itself."""
    out.add(b',"service":"')
    _json_name(out, record.service)
    out.add(b'","pool":"')
    _json_name(out, record.pool)
    out.add(b'","server":"')
    _json_name(out, record.server)
    out.add(b'","request_id":"')
    _json_text(out, record.request_id)
    out.add(b'","user_agent":')
    _json_value(out, record.agent)
    out.add(b',"referer":')
    _json_value(out, record.referer)
    out.add(b',"retries":')
    out.add_number(record.retries)
    out.add(b',"flags":"')
    _json_name(out, record.flags)
    out.add(b'"}\n')


def _json_text(out: LineBuffer, text: bytes) -> None:
    if not out.add_plain(text):
        out.add(_json(text))


def _json_name(out: LineBuffer, name: str) -> None:
    if not out.add_name(name):
        out.add(_json(name.encode("utf-8", "surrogatepass")))


def _json_value(out: LineBuffer, text: bytes | None) -> None:
    if text is None:
        out.add(b"null")
    else:
        out.add(b'"')
        _json_text(out, text)
        out.add(b'"')


def _json(raw: bytes) -> bytes:
    """Text for between quotes; bytes that are not UTF-8 show as `\\xNN`."""
    quoted: str = encode_basestring_ascii(raw.decode("utf-8", "backslashreplace"))
    return quoted[1:-1].encode("ascii")


def write_combined(out: LineBuffer, record: Record) -> None:
    """Apache's combined format; what is quoted is escaped as Apache does, in hexadecimal."""
    out.add(_address(record.source))
    out.add(b" - - [")
    out.add(APACHE.text(int(record.time_s)))
    out.add(b'] "')
    _quoted(out, record.method)
    out.add(b" ")
    _quoted(out, record.target)
    out.add(b" HTTP/1.")
    out.add_number(record.minor)
    out.add(b'" ')
    out.add_number(record.status)
    out.add(b" ")
    if record.bytes_out:
        out.add_number(record.bytes_out)
    else:
        out.add(b"-")
    out.add(b' "')
    _quoted(out, record.referer or b"-")
    out.add(b'" "')
    _quoted(out, record.agent or b"-")
    out.add(b'"\n')


def _quoted(out: LineBuffer, text: bytes) -> None:
    if not out.add_plain(text):
        out.add(_escaped(text))


def _escaped(raw: bytes) -> bytes:
    return "".join([_ESCAPES[byte] for byte in raw]).encode("ascii")


@lru_cache(maxsize=4096)
def _address(text: str) -> bytes:
    return _escaped(text.encode("utf-8", "backslashreplace")).replace(b" ", b"_") or b"-"
