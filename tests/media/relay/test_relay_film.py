"""A film through the relay process: gst-rtsp-server, ffmpeg over UDP, both as Debian has them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from l7lb.media.relay.verbs import Counters
from support.datagrams import WAIT_S, own_host
from support.relay_rig import running_relay
from support.rtsp_rewriter import Rewriter

SERVER = Path(__file__).parents[2] / "support/gst_film.py"
SECONDS = 2


@contextmanager
def film_server(host: str) -> Iterator[int]:
    process = subprocess.Popen(
        ["/usr/bin/python3", str(SERVER), host], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@pytest.mark.timeout(180)
def test_a_player_sees_the_film_and_is_heard(tmp_path: Path) -> None:
    """Both bind every address, so what they send on loopback comes from 127.0.0.1."""
    vip, back, home = own_host(10), own_host(11), "127.0.0.1"
    with film_server(home) as port, running_relay(tmp_path / "relay"):
        director = Rewriter(vip, (home, port), back, tmp_path / "relay")
        thread = director.start()
        played = subprocess.run(
            [
                *("ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "udp"),
                *("-i", f"rtsp://{vip}:{director.port}/film"),
                *("-t", str(SECONDS), "-f", "framecrc", "-"),
            ],
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        found: Any = director.talk.ask(Counters(director.session))
        thread.join(WAIT_S)
        director.close()
    frames = [line for line in played.stdout.splitlines() if line.startswith("0,")]
    assert len(frames) > SECONDS * 10, played.stderr
    for stream in ("0", "1"):
        client, server = found["streams"][stream]["client"], found["streams"][stream]["server"]
        assert server["rtp"]["packets"] > SECONDS * 3
        assert server["rtp"]["lost"] == server["rtp"]["strangers"] == 0
        assert server["reports"]["unreadable"] == 0
        assert client["rtcp"]["packets"] >= 1
