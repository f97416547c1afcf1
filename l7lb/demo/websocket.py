"""Just enough of RFC 6455 to show a tunnel: the handshake key and unfragmented text frames.

Both ends of the demo use it. It knows nothing of HTTP or of sockets but the reader it is given.
"""

import asyncio
import base64
import hashlib
import struct
from dataclasses import dataclass

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
FRAME_LIMIT = 65536

TEXT = 0x1
CLOSE = 0x8


@dataclass(frozen=True, slots=True)
class Frame:
    opcode: int
    payload: bytes


class FrameError(Exception):
    """A frame that the demo does not speak: too long, fragmented, or with reserved bits."""


def accept_key(key: bytes) -> bytes:
    """The value of Sec-WebSocket-Accept for a client's Sec-WebSocket-Key (§4.2.2)."""
    digest = hashlib.sha1(key.strip() + GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest)


def encode(frame: Frame, mask: bytes = b"") -> bytes:
    """One final frame (§5.2). Clients give four bytes of mask, servers none."""
    length = len(frame.payload)
    masked = 0x80 if mask else 0
    if length < 126:
        head = bytes((0x80 | frame.opcode, masked | length))
    else:
        head = struct.pack("!BBH", 0x80 | frame.opcode, masked | 126, length)
    return head + mask + (apply_mask(frame.payload, mask) if mask else frame.payload)


def apply_mask(payload: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Raises `FrameError` for what the demo does not speak, `IncompleteReadError` at the end."""
    first, second = await reader.readexactly(2)
    if first & 0xF0 != 0x80:
        raise FrameError("fragmented frame or reserved bits")
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
    if length > FRAME_LIMIT or length == 127:
        raise FrameError("frame too long")
    mask = await reader.readexactly(4) if second & 0x80 else b""
    payload = await reader.readexactly(length)
    return Frame(first & 0x0F, apply_mask(payload, mask) if mask else payload)
