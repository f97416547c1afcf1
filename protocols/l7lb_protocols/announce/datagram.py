"""The datagram by which an agent says how its server is and what changed on its disk.

    magic 4 | version 1 | kind 1 | node 1 + n | numbers 56 | added 2, evicted 2 | 8 each | MAC 16

All numbers are unsigned, most significant byte first. The MAC is HMAC-SHA-256, cut to 128 bits,
over all before it. `epoch` grows with each start of the agent and `sequence` with each datagram,
so one that was said before is known as such. It must not know sockets, clocks or where secrets
come from.
"""

from __future__ import annotations

import hmac
import struct
from dataclasses import dataclass

from l7lb_protocols.announce.errors import AnnounceRefusal, Forged

MAGIC = b"L7MA"
VERSION = 1
KIND_STATE = 1
DATAGRAM_BYTES = 1400
"""Fits into one Ethernet frame, also behind a tunnel's header."""
NODE_BYTES = 64
MAC_BYTES = 16
SECRET_BYTES_MIN = 16
LOAD_MOST = 0xFFFF

_START = struct.Struct("!4sBB")
_NUMBERS = struct.Struct("!QQQQQIIHHHH")
_DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Announcement:
    node: str
    """The server's name in the rules file."""
    epoch: int
    sequence: int
    sessions: int
    """Files that are being read."""
    load_permille: int
    """Of what the server may take; 1000 and more: busy."""
    rate_bits_s: int
    free_bytes: int
    files: int
    """Copies that it holds, after `added` and `evicted`."""
    contents: int
    """`digest.combined` of them: whether whoever listens has the same list."""
    list_port: int
    """TCP port where it gives the whole list."""
    added: tuple[int, ...] = ()
    evicted: tuple[int, ...] = ()


def room_for(node: str) -> int:
    """Digests that one datagram of this node can carry."""
    fixed = _START.size + 1 + len(node.encode()) + _NUMBERS.size + MAC_BYTES
    return (DATAGRAM_BYTES - fixed) // _DIGEST_BYTES


def build(said: Announcement, secret: bytes) -> bytes:
    """Raises ValueError when it does not fit: too long a name, too many digests or too much."""
    node = said.node.encode()
    if not 1 <= len(node) <= NODE_BYTES:
        raise ValueError(f"a node's name has 1 to {NODE_BYTES} bytes")
    if len(said.added) + len(said.evicted) > room_for(said.node):
        raise ValueError(f"more than {room_for(said.node)} changes")
    try:
        numbers = _NUMBERS.pack(
            said.epoch,
            said.sequence,
            said.rate_bits_s,
            said.free_bytes,
            said.contents,
            said.sessions,
            said.files,
            min(said.load_permille, LOAD_MOST),
            said.list_port,
            len(said.added),
            len(said.evicted),
        )
        digests = struct.pack(
            f"!{len(said.added) + len(said.evicted)}Q", *said.added, *said.evicted
        )
    except struct.error as error:
        raise ValueError(str(error)) from None
    head = _START.pack(MAGIC, VERSION, KIND_STATE) + bytes([len(node)]) + node
    return sealed(head + numbers + digests, secret)


def parse(data: bytes, secret: bytes) -> Announcement:
    """Raises AnnounceRefusal. The signature is looked at before anything that it covers."""
    if not len(data) <= DATAGRAM_BYTES:
        raise AnnounceRefusal(f"longer than {DATAGRAM_BYTES} bytes")
    body = opened(data, KIND_STATE, secret)
    node, at = read_node(body)
    if len(body) < at + _NUMBERS.size:
        raise AnnounceRefusal("cut short in its numbers")
    numbers = _NUMBERS.unpack_from(body, at)
    at += _NUMBERS.size
    epoch, sequence, rate, free, contents, sessions, files, load, port, added, evicted = numbers
    if len(body) != at + _DIGEST_BYTES * (added + evicted):
        raise AnnounceRefusal("its length does not fit its changes")
    digests = struct.unpack_from(f"!{added + evicted}Q", body, at)
    return Announcement(
        node, epoch, sequence, sessions, load, rate, free, files, contents, port,
        digests[:added], digests[added:],
    )  # fmt: skip


# --------------------------------------------------------------------------- for all kinds


def sealed(body: bytes, secret: bytes, context: bytes = b"") -> bytes:
    """With its MAC, which also covers `context`: what both sides know and is not sent."""
    return body + hmac.digest(secret, body + context, "sha256")[:MAC_BYTES]


def opened(data: bytes, kind: int, secret: bytes, context: bytes = b"") -> bytes:
    """The body without its MAC. Raises AnnounceRefusal; Forged when the MAC does not fit."""
    if len(data) < _START.size + MAC_BYTES:
        raise AnnounceRefusal("cut short")
    magic, version, found = _START.unpack_from(data)
    if magic != MAGIC:
        raise AnnounceRefusal("this is no announcement")
    if version != VERSION:
        raise AnnounceRefusal(f"version {version}; {VERSION} is known")
    body = data[:-MAC_BYTES]
    if not hmac.compare_digest(sealed(body, secret, context), data):
        raise Forged("the signature does not fit")
    if found != kind:
        raise AnnounceRefusal(f"kind {found} where {kind} was due")
    return body


def start(kind: int) -> bytes:
    return _START.pack(MAGIC, VERSION, kind)


def read_node(body: bytes, at: int = _START.size) -> tuple[str, int]:
    """The name, and where it ends. Raises AnnounceRefusal."""
    size = body[at] if at < len(body) else 0
    end = at + 1 + size
    if not 1 <= size <= NODE_BYTES or end > len(body):
        raise AnnounceRefusal("a node's name is cut short")
    try:
        node = body[at + 1 : end].decode()
    except UnicodeDecodeError:
        raise AnnounceRefusal("a node's name is no UTF-8") from None
    if not node.isprintable():
        raise AnnounceRefusal("a node's name has characters that cannot be shown")
    return node, end
