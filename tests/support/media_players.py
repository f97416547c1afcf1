"""Players that are no ffmpeg: GStreamer and aiortsp, each until it has enough."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support.namespaces import Namespace

LIMIT_S = 90.0
ENOUGH = 20
"""Packets of a picture."""
SCRIPT = Path(__file__).with_name("aiortsp_script.py")


def gstreamer(host: Namespace, url: str, transport: str = "udp") -> None:
    """Returns when it has enough packets of the picture. Raises AssertionError."""
    source = f"rtspsrc location={url} protocols={transport} latency=50 name=r"
    pipeline = f"{source} r. ! application/x-rtp,media=video ! fakesink num-buffers={ENOUGH}"
    command = host.command("gst-launch-1.0", *pipeline.split())
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert "Got EOS" in done.stdout, done.stdout + done.stderr


def aiortsp(host: Namespace, url: str, transport: str = "udp") -> None:
    """Returns when it has enough packets of the picture. Raises AssertionError."""
    host.run(sys.executable, str(SCRIPT), url, transport, str(ENOUGH))
