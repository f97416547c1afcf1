"""gst-rtsp-server, started for a test: plays a picture and a tone, takes what is recorded."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("gst_rtsp_script.py")
PYTHON = "/usr/bin/python3"
"""Debian's: gi and the typelibs are its packages."""
END_S = 10.0


@dataclass(frozen=True)
class GstOptions:
    address: str = "127.0.0.1"
    port: int = 0
    plays: tuple[str, ...] = ("/film",)
    records: tuple[str, ...] = ("/live",)
    media_ports: tuple[int, int] | None = None
    """UDP ports from which media leaves; None: any."""
    user: str = ""
    """Who must log in by Digest; empty: nobody."""
    secret: str = ""


class GstServer:
    """`start`, and `close` in any case. `before`: words in front of the command, such as
    `ip netns exec NAME`."""

    def __init__(self, options: GstOptions | None = None, before: Sequence[str] = ()) -> None:
        self.options = options or GstOptions()
        self.port = self.options.port
        command = [*before, PYTHON, str(SCRIPT), json.dumps(asdict(self.options))]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def start(self) -> GstServer:
        assert self.process.stdout is not None
        word, _, port = self.process.stdout.readline().partition(" ")
        assert word == "ready", "gst-rtsp-server does not start: see scripts/debian/test"
        self.port = int(port)
        return self

    @property
    def address(self) -> str:
        host = self.options.address
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
