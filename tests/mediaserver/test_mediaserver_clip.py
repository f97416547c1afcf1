import os
from pathlib import Path

import pytest

from l7lb.mediaserver.clip import Asked, Clip, describe, read_path
from support.media_house import LONG


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        (b"/clip", Asked("clip", False)),
        (b"/clip/", Asked("clip", False)),
        (b"/clip/audio", Asked("clip", True)),
        (b"/clip/video", None),
        (b"/..", None),
        (b"/a/b/audio", None),
        (b"/a.b", None),
        (b"/" + b"a" * 65, None),
        (b"*", None),
        (b"/", None),
    ],
)
def test_paths(path: bytes, asked: Asked | None) -> None:
    assert read_path(path) == asked


def test_packets_of_a_file(folder: Path) -> None:
    clip = Clip(folder, "clip")
    assert (clip.packets, clip.seconds) == (LONG, LONG / 50)
    assert clip.packet(7) == b"\0\0\0\7" * 40
    assert clip.packet(LONG) == b""
    clip.close()
    clip.close()


def test_what_is_no_sound_is_not_opened(folder: Path) -> None:
    """A pipe would wait for a writer; what is shorter than a packet has nothing to play."""
    (folder / "empty.ulaw").write_bytes(b"x" * 159)
    (folder / "folder.ulaw").mkdir()
    os.mkfifo(folder / "pipe.ulaw")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("empty", "folder", "pipe", "none"):
        with pytest.raises(OSError):
            Clip(folder, name)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_description_by_the_family_of_the_address(folder: Path) -> None:
    clip = Clip(folder, "clip")
    said = describe(clip, "film-1", "::1").decode()
    assert "o=- 6000 1 IN IP6 ::1\r\n" in said
    assert "c=IN IP6 ::\r\n" in said
    assert "a=range:npt=0-120.00\r\n" in said
    assert said.endswith("m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=control:audio\r\n")
    assert "c=IN IP4 0.0.0.0\r\n" in describe(clip, "film-1", "127.0.0.1").decode()
    clip.close()
