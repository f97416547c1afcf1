"""What runs on the lab's hosts: media-kernel and a control path on directors, media servers with
their agents, and players that say what they got."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from l7lb.media.kernel.client import MediaKernel
from l7lb.media.kernel.spec import Want
from support.gst_server import GstOptions, GstServer
from support.media_lab import GATEWAY, VIP, MediaLab, back
from support.namespaces import Namespace, run

RTSP = 554
PORTS = {"s1": (20000, 20999), "s2": (21000, 21999)}
KEY = b"a key of the test, long enough"
DEADLINE_S = 60.0
CONTROL_PROXY = Path(__file__).with_name("control_proxy.py")


def wanted(version: int, modes: list[str], servers: tuple[str, ...] = ("s1", "s2")) -> Want:
    """Both servers, in this family."""
    return Want.parse(
        {
            "services": [
                {
                    "name": "video",
                    "vips": [VIP[version]],
                    "ports": [RTSP],
                    "servers": [
                        {
                            "name": name,
                            "address": back(name, version),
                            "port": RTSP,
                            "media_ports": list(PORTS[name]),
                            "modes": modes,
                        }
                        for name in servers
                    ],
                }
            ]
        }
    )


def read_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


@dataclass(slots=True)
class MediaDirector:
    """One director of the lab: `start`, then `kernel` asks its media-kernel process."""

    host: Namespace
    folder: Path
    name: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def socket(self) -> Path:
        return self.folder / f"{self.name}.sock"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    def run(self, *words: str) -> subprocess.Popen[bytes]:
        """Returns when it has said `ready`."""
        with self.log.open("ab") as log:
            process = self.host.start(sys.executable, *words, log=log, stdout=subprocess.PIPE)
        self.processes.append(process)
        assert read_line(process) == "ready", self.log.read_text()
        return process

    def start_kernel(self) -> subprocess.Popen[bytes]:
        key = self.folder / "key"
        key.write_bytes(KEY)
        verb = ("-m", "l7lb", "media-kernel", "--socket", str(self.socket), "--key", str(key))
        return self.run(*verb)

    def start_control(self, version: int, server: str) -> subprocess.Popen[bytes]:
        """A control path to that server, on the VIP. The VIP has to be here."""
        words = (str(self.socket), VIP[version], str(RTSP), back(server, version))
        return self.run(str(CONTROL_PROXY), *words)

    def kernel(self) -> MediaKernel:
        """For one event loop."""
        return MediaKernel(self.socket, DEADLINE_S)


def start_direct(lab: MediaLab, name: str, version: int, folder: Path) -> subprocess.Popen[bytes]:
    """The agent of mode `direct` beside a media server."""
    key = folder / "key"
    key.write_bytes(KEY)
    address, vip = back(name, version), VIP[version]
    ports = "-".join(map(str, PORTS[name]))
    with (folder / f"{name}.log").open("ab") as log:
        process = lab[name].start(
            *(sys.executable, "-m", "l7lb", "media-direct", "--address", address, "--vip", vip),
            *("--way-back", GATEWAY[version], "--media-ports", ports, "--key", str(key)),
            log=log,
            stdout=subprocess.PIPE,
        )
    assert read_line(process) == "ready", (folder / f"{name}.log").read_text()
    return process


def start_server(lab: MediaLab, name: str, version: int = 4) -> GstServer:
    """gst-rtsp-server on that host, with the host's media ports. `close` it."""
    address = back(name, version)
    options = GstOptions(address=address, port=RTSP, media_ports=PORTS[name])
    return GstServer(options, lab[name].command()).start()


def start_vlc(lab: MediaLab, name: str, version: int, folder: Path) -> subprocess.Popen[bytes]:
    """VLC, which takes any port for its media: the host has no others. It plays a clip for ever."""
    host = lab[name]
    clip = folder / "clip.ts"
    if not clip.exists():
        source = ("-f", "lavfi", "-i", "testsrc=size=160x120:rate=15", "-t", "120")
        run("ffmpeg", "-nostdin", "-loglevel", "error", *source, "-c:v", "mpeg2video", str(clip))
    host.sysctl("ipv4/ip_unprivileged_port_start", 0)
    host.sysctl("ipv4/ip_local_port_range", " ".join(map(str, PORTS[name])))
    address = back(name, version) if version == 4 else f"[{back(name, version)}]"
    folder.chmod(0o755)  # VLC does not run as root, and must see the clip
    with (folder / f"vlc-{name}.log").open("wb") as log:
        process = host.start(
            *("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"),
            *("vlc", "-I", "dummy", "--loop", str(clip), "--sout-keep"),
            *("--sout", f"#rtp{{sdp=rtsp://{address}:{RTSP}/film}}"),
            log=log,
        )
    wait_described(host, (back(name, version), RTSP), process)
    return process


def wait_described(
    host: Namespace, target: tuple[str, int], process: subprocess.Popen[bytes]
) -> None:
    """Until it says what /film is. Raises AssertionError."""
    where = f"[{target[0]}]" if ":" in target[0] else target[0]
    question = f"DESCRIBE rtsp://{where}:{target[1]}/film RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    deadline = time.monotonic() + DEADLINE_S
    while True:
        with host.inside(), suppress(OSError):
            with socket.create_connection(target, timeout=5) as sock:
                sock.sendall(question.encode())
                if sock.recv(4096).startswith(b"RTSP/1.0 200"):
                    return
        assert process.poll() is None, process.args
        assert time.monotonic() < deadline, process.args
        time.sleep(0.1)


def packets(host: Namespace, device: str, direction: str) -> int:
    """`rx` or `tx` of an interface."""
    lines = host.run("cat", "/proc/net/dev").splitlines()
    numbers = next(line.split(":")[1].split() for line in lines if f"{device}:" in line)
    return int(numbers[1 if direction == "rx" else 9])


@dataclass(slots=True)
class Player:
    """A player whose progress is read from what it prints."""

    process: subprocess.Popen[bytes]
    path: Path

    def frames(self) -> int:
        """Pictures so far, as ffmpeg's -progress says."""
        found = [
            int(line.split("=")[1])
            for line in self.path.read_text(errors="replace").splitlines()
            if line.startswith("frame=") and line.split("=")[1].strip().isdigit()
        ]
        return max(found, default=0)

    def wait_frames(self, count: int) -> int:
        """Raises AssertionError when that many do not come in time."""
        deadline = time.monotonic() + DEADLINE_S
        while (frames := self.frames()) < count:
            words = self.path.read_text(errors="replace")[-3000:]
            assert self.process.poll() is None, words
            assert time.monotonic() < deadline, words
            time.sleep(0.05)
        return frames


def ffmpeg(
    host: Namespace, folder: Path, url: str, transport: str = "udp", strict: bool = False
) -> Player:
    """Plays until it is ended; `strict`: takes RTP from the peer's address only."""
    path = folder / f"ffmpeg-{host.name}-{time.monotonic_ns()}.log"
    with path.open("wb") as log:
        process = host.start(
            *("ffmpeg", "-nostdin", "-loglevel", "info", "-stats_period", "0.1"),
            *("-rtsp_transport", transport, *(("-rtsp_flags", "filter_src") if strict else ())),
            *("-i", url, "-an", "-f", "null", "-progress", "pipe:1", "-"),
            log=log,
        )
    return Player(process, path)


def url_of(version: int, path: str = "/film") -> str:
    host = VIP[version] if version == 4 else f"[{VIP[version]}]"
    return f"rtsp://{host}:{RTSP}{path}"
