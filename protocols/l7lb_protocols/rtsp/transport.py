"""The Transport field: every form that is seen in the wild, read and written (RFC 2326 §12.39).

Parameters that are not edited keep their order and their spelling. It must not know who may use
which transport.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address

from l7lb_protocols.rtsp.errors import RtspRefusal

CLAUSE = "RFC 2326 §12.39"
PORTS = re.compile(rb"([0-9]{1,5})(?:[-/]([0-9]{1,5}))?")
"""`a-b`, `a/b`, or `a` alone."""
NUMBERS = re.compile(rb"([0-9]{1,3})(?:-([0-9]{1,3}))?")
SPEC = re.compile(rb"[A-Za-z0-9.+_-]{1,32}(?:/[A-Za-z0-9.+_-]{1,32}){1,2}")
NAME = re.compile(rb"[A-Za-z0-9_-]{1,64}")
VALUE = re.compile(rb"[\x21\x23-\x2b\x2d-\x3a\x3c-\x7e]*|\"[\x20\x21\x23-\x7e]*\"")
"""A token, a port range, an address, or quoted text."""
MAX_CHOICES = 16
MAX_PARAMETERS = 32
MAX_BYTES = 4096


class Transport:
    """One alternative. Names of parameters are compared in lower case."""

    __slots__ = ("parameters", "spec")

    def __init__(self, spec: bytes, parameters: list[tuple[bytes, bytes | None]]) -> None:
        self.spec = spec
        self.parameters = parameters
        """Name as written, and value; None: the name stands alone."""

    def get(self, name: bytes) -> bytes | None:
        """Value without quotes; b"" where the name stands alone; None: absent."""
        for key, value in self.parameters:
            if key.lower() == name:
                return b"" if value is None else value.strip(b'"')
        return None

    def has(self, name: bytes) -> bool:
        return any(key.lower() == name for key, _ in self.parameters)

    @property
    def is_tcp(self) -> bool:
        """Interleaved on the control connection. Without `interleaved` too: old players leave the
        channels to the server."""
        lower = self.spec.upper().rpartition(b"/")[2]
        return lower == b"TCP" or (lower != b"UDP" and self.has(b"interleaved"))

    @property
    def is_multicast(self) -> bool:
        return not self.is_tcp and self.has(b"multicast")

    @property
    def is_udp(self) -> bool:
        """Unicast over UDP."""
        return not self.is_tcp and not self.is_multicast

    @property
    def is_record(self) -> bool:
        return (self.get(b"mode") or b"").lower() in (b"record", b"receive")

    def ports(self, name: bytes) -> tuple[int, int] | None:
        """RTP and RTCP port of `client_port`, `server_port` or `port`; with one alone, the next is
        RTCP's. None: absent. Raises RtspRefusal(400) for port 0 and above 65535."""
        value = self.get(name)
        if value is None:
            return None
        match = PORTS.fullmatch(value)
        first = int(match[1]) if match else 0
        second = int(match[2]) if match and match[2] else first + 1
        if not (0 < first < 65536 and 0 < second < 65536):
            raise RtspRefusal(400, f"{name.decode()} is no pair of ports", CLAUSE)
        return first, second

    def channels(self) -> tuple[int, int] | None:
        """Of `interleaved`; None: left to the server. Raises RtspRefusal(400)."""
        value = self.get(b"interleaved")
        if value is None:
            return None
        match = NUMBERS.fullmatch(value)
        first = int(match[1]) if match else 256
        second = int(match[2]) if match and match[2] else first + 1
        if first > 255 or second > 256:
            raise RtspRefusal(400, "interleaved is no pair of channels", CLAUSE)
        return first, second

    def address(self, name: bytes) -> tuple[str, int] | None:
        """Of `destination` or `source`: host and port (0: none is given). None: absent or empty.
        A name is given back as it is, since it is for nobody to look up."""
        value = self.get(name)
        if not value:
            return None
        text = value.decode("ascii", "replace")
        if text.startswith("["):
            host, _, port = text[1:].partition("]")
            port = port.removeprefix(":")
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
        else:
            host, port = text, ""
        return host, int(port) if port.isascii() and port.isdigit() else 0

    def edited(self, edits: Mapping[bytes, bytes | None]) -> Transport:
        """With other values; None takes a parameter out; what is not there is added at the end."""
        left = {name: value for name, value in edits.items() if value is not None}
        found: list[tuple[bytes, bytes | None]] = []
        for key, value in self.parameters:
            name = key.lower()
            if name not in edits:
                found.append((key, value))
            elif name in left:
                found.append((key, left.pop(name)))
        found += left.items()
        return Transport(self.spec, found)

    def encode(self) -> bytes:
        parts = (key if value is None else key + b"=" + value for key, value in self.parameters)
        return b";".join((self.spec, *parts))


def parse(field: bytes) -> list[Transport]:
    """The alternatives of a Transport field, the preferred one first. Raises RtspRefusal(400)."""
    if len(field) > MAX_BYTES:
        raise RtspRefusal(400, "the Transport field is too long", CLAUSE)
    found = [_alternative(text) for text in _split(field, b",") if text.strip()]
    if not found or len(found) > MAX_CHOICES:
        raise RtspRefusal(400, "no transport, or too many", CLAUSE)
    return found


def encode(transports: list[Transport]) -> bytes:
    return b",".join(each.encode() for each in transports)


def same_host(one: str, other: str) -> bool:
    """Whether two texts are the same IP address; names are never the same."""
    try:
        first, second = ip_address(one.partition("%")[0]), ip_address(other.partition("%")[0])
    except ValueError:
        return False
    return _plain(first) == _plain(second)


def _plain(address: object) -> object:
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _alternative(text: bytes) -> Transport:
    spec, *rest = (part.strip(b" \t") for part in _split(text, b";"))
    if not SPEC.fullmatch(spec) or len(rest) > MAX_PARAMETERS:
        raise RtspRefusal(400, "a transport is malformed", CLAUSE)
    parameters: list[tuple[bytes, bytes | None]] = []
    names: set[bytes] = set()
    for part in rest:
        if not part:
            continue  # a `;` at the end, or two
        key, equals, value = part.partition(b"=")
        key, value = key.rstrip(b" \t"), value.lstrip(b" \t")
        if not NAME.fullmatch(key) or not VALUE.fullmatch(value) or key.lower() in names:
            raise RtspRefusal(400, "a parameter of a transport is malformed", CLAUSE)
        names.add(key.lower())
        parameters.append((key, value if equals else None))
    return Transport(spec, parameters)


def _split(text: bytes, mark: bytes) -> list[bytes]:
    """At `mark`, but not within quotes."""
    if b'"' not in text:
        return text.split(mark)
    parts = [b""]
    is_quoted = False
    for piece in re.split(rb'([",;])', text):
        if piece == b'"':
            is_quoted = not is_quoted
        if piece == mark and not is_quoted:
            parts.append(b"")
        else:
            parts[-1] += piece
    return parts
