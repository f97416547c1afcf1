import asyncio

import pytest

from l7lb.demo import websocket
from l7lb.demo.websocket import Frame, FrameError


def reader(data: bytes) -> asyncio.StreamReader:
    stream = asyncio.StreamReader()
    stream.feed_data(data)
    stream.feed_eof()
    return stream


def test_accept_key_of_the_rfc() -> None:
    """RFC 6455 §1.3."""
    assert websocket.accept_key(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    ("frame", "mask", "wire"),
    [
        (Frame(1, b"Hello"), b"", bytes.fromhex("810548656c6c6f")),
        (Frame(1, b"Hello"), bytes.fromhex("37fa213d"), bytes.fromhex("818537fa213d7f9f4d5158")),
        (Frame(1, b"x" * 256), b"", bytes.fromhex("817e0100") + b"x" * 256),
    ],
    ids=["plain", "masked", "sixteen-bit"],
)
async def test_frames_of_the_rfc(frame: Frame, mask: bytes, wire: bytes) -> None:
    """RFC 6455 §5.7."""
    assert websocket.encode(frame, mask) == wire
    assert await websocket.read_frame(reader(wire)) == frame


@pytest.mark.parametrize(
    "wire", ["0105", "c105", "817f0000000000010000", "81fe0000"[:2] + "7f" + "ff" * 8]
)
async def test_what_the_demo_does_not_speak(wire: str) -> None:
    with pytest.raises(FrameError):
        await websocket.read_frame(reader(bytes.fromhex(wire)))


async def test_end_inside_a_frame() -> None:
    with pytest.raises(asyncio.IncompleteReadError):
        await websocket.read_frame(reader(bytes.fromhex("8105486560")))
