"""Players and publishers on this host: ffmpeg and GStreamer, each until it has enough."""

from __future__ import annotations

import subprocess

ENOUGH = 20
"""Packets, or pictures."""
DEADLINE_S = 60.0


def run(*words: str) -> str:
    """What it said on its error output. Raises AssertionError when it did not end well."""
    done = subprocess.run(
        words,
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    return done.stderr


def ffmpeg(url: str, transport: str, *more: str) -> str:
    """Plays picture and sound."""
    return run(
        *("ffmpeg", "-hide_banner", "-nostdin", "-rtsp_transport", transport, *more),
        *("-i", url, "-map", "0", "-frames:v", str(ENOUGH), "-c", "copy", "-f", "null", "-"),
    )


def gstreamer(url: str, transport: str, *more: str) -> str:
    source = f"rtspsrc location={url} protocols={transport} latency=50 name=r"
    pipeline = f"{source} r. ! application/x-rtp,media=video ! fakesink num-buffers={ENOUGH}"
    return run("gst-launch-1.0", "-q", *more, *pipeline.split())


def publish(url: str, transport: str) -> subprocess.Popen[bytes]:
    """ffmpeg publishes a picture (ANNOUNCE, RECORD) until it is ended."""
    picture = ("-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=15")
    return subprocess.Popen(
        [
            "ffmpeg",
            "-hide_banner",
            "-nostdin",
            *picture,
            "-pix_fmt",
            "yuvj420p",
            "-c:v",
            "mjpeg",
            "-huffman",
            "default",
            "-f",
            "rtsp",
            "-rtsp_transport",
            transport,
            url,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
