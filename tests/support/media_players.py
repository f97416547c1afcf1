"""Players that are no ffmpeg: GStreamer and aiortsp, each until it has enough."""

from __future__ import annotations

import sys
from pathlib import Path

from support.namespaces import Namespace

ENOUGH = 20
"""Packets of a picture."""
SCRIPT = Path(__file__).with_name("aiortsp_script.py")


def gstreamer(host: Namespace, url: str, transport: str = "udp") -> None:
    """Returns when it has enough packets of the picture. Raises AssertionError."""
    source = f"rtspsrc location={url} protocols={transport} latency=50 name=r"
    pipeline = f"{source} r. ! application/x-rtp,media=video ! fakesink num-buffers={ENOUGH}"
    host.run("gst-launch-1.0", "-q", *pipeline.split())


def aiortsp(host: Namespace, url: str, transport: str = "udp") -> None:
    """Returns when it has enough packets of the picture. Raises AssertionError."""
    host.run(sys.executable, str(SCRIPT), url, transport, str(ENOUGH))
