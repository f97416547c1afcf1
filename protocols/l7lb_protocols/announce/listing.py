"""The whole list of what a server holds, asked for over TCP when one begins to listen or missed
a datagram.

    request  length 4 | magic 4 | version 1 | kind 1 | nonce 16 | MAC 16
    answer   length 4 | magic 4 | version 1 | kind 1 | node 1 + n | epoch 8 | sequence 8 | count 4
             | 8 each | MAC 16

The answer's MAC also covers the request's nonce, which does not travel back: an answer that was
given to somebody else, or before, is void. That is how a listener that has just started tells a
living agent from a recording of one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from l7lb_protocols.announce.datagram import MAC_BYTES, opened, read_node, sealed, start
from l7lb_protocols.announce.errors import AnnounceRefusal

KIND_ASK = 2
KIND_LIST = 3
NONCE_BYTES = 16
LENGTH = struct.Struct("!I")
REQUEST_BYTES = 6 + NONCE_BYTES + MAC_BYTES
FILES_MOST = 1_000_000
LIST_BYTES = 6 + 65 + 20 + 8 * FILES_MOST + MAC_BYTES
"""The longest answer: 8 MB."""

_NUMBERS = struct.Struct("!QQI")


@dataclass(frozen=True, slots=True)
class Listing:
    node: str
    epoch: int
    sequence: int
    """Of the last datagram whose changes are in it."""
    files: tuple[int, ...]


def build_request(nonce: bytes, secret: bytes) -> bytes:
    """With its length in front."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    body = start(KIND_ASK) + nonce
    return _framed(sealed(body, secret))


def parse_request(data: bytes, secret: bytes) -> bytes:
    """The nonce, from what came after the length. Raises AnnounceRefusal."""
    body = opened(data, KIND_ASK, secret)
    if len(data) != REQUEST_BYTES:
        raise AnnounceRefusal("a request has another length")
    return body[6:]


def build_list(said: Listing, nonce: bytes, secret: bytes) -> bytes:
    """With its length in front. Raises ValueError when it cannot be said."""
    if len(said.files) > FILES_MOST:
        raise ValueError(f"more than {FILES_MOST} files")
    node = said.node.encode()
    numbers = _NUMBERS.pack(said.epoch, said.sequence, len(said.files))
    digests = struct.pack(f"!{len(said.files)}Q", *said.files)
    body = start(KIND_LIST) + bytes([len(node)]) + node + numbers + digests
    return _framed(sealed(body, secret, nonce))


def parse_list(data: bytes, nonce: bytes, secret: bytes) -> Listing:
    """From what came after the length. Raises AnnounceRefusal, Forged for another's nonce."""
    body = opened(data, KIND_LIST, secret, nonce)
    node, at = read_node(body)
    if len(body) < at + _NUMBERS.size:
        raise AnnounceRefusal("the list is cut short")
    epoch, sequence, count = _NUMBERS.unpack_from(body, at)
    at += _NUMBERS.size
    if count > FILES_MOST or len(body) != at + 8 * count:
        raise AnnounceRefusal("the list's length does not fit its count")
    return Listing(node, epoch, sequence, struct.unpack_from(f"!{count}Q", body, at))


def _framed(content: bytes) -> bytes:
    return LENGTH.pack(len(content)) + content
