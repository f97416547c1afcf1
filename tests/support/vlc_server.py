"""VLC as an RTSP server on loopback: one clip, over and over, over UDP only."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

DEADLINE_S = 60.0
NOBODY = 65534
CLIP = ("-f", "lavfi", "-i", "testsrc=size=160x120:rate=15", "-t", "20", "-c:v", "mpeg2video")


class VlcServer:
    """`start`, and `close` in any case. It plays /film."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="l7lb-vlc-"))
        self._folder.chmod(0o755)  # VLC does not run as root, and must see the clip
        with socket.create_server(("127.0.0.1", 0)) as sock:
            self.port = int(sock.getsockname()[1])
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> VlcServer:
        clip = self._folder / "clip.ts"
        subprocess.run(
            ["ffmpeg", "-nostdin", "-loglevel", "error", *CLIP, str(clip)],
            stdin=subprocess.DEVNULL,
            check=True,
        )
        drop = ("setpriv", "--reuid", f"{NOBODY}", "--regid", f"{NOBODY}", "--clear-groups")
        self.process = subprocess.Popen(
            [
                *(drop if os.geteuid() == 0 else ()),
                *("vlc", "-I", "dummy", "--loop", str(clip), "--sout-keep"),
                *("--sout", f"#rtp{{sdp=rtsp://{self.address}/film}}"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(self._folder)},
        )
        deadline = time.monotonic() + DEADLINE_S
        while not self._describes():
            assert self.process.poll() is None, "VLC does not start: see scripts/debian/test"
            assert time.monotonic() < deadline, "VLC plays nothing"
            time.sleep(0.1)
        return self

    def _describes(self) -> bool:
        """Until then it listens, but has nothing to play."""
        url = f"rtsp://{self.address}/film"
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            sock.sendall(f"DESCRIBE {url} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            return sock.recv(4096).startswith(b"RTSP/1.0 200")
        return False

    def close(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
