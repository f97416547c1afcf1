"""The demo's film: its part of the rules file, its media servers, and the tone of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PATH = "clip"
SECONDS = 30
RATE = 8000
PERIODS = (20, 16)
"""Samples of one period: 400 Hz is v1's tone, 500 Hz is v2's. Both divide a packet's 160 samples,
so every packet of a server is the same, and tells whose it is."""
PACKET = 160
LOUDNESS = 8000
BIAS, CLIP = 132, 32635


@dataclass(frozen=True, slots=True)
class FilmServer:
    """One media server of ours."""

    name: str
    port: int
    period: int


@dataclass(frozen=True, slots=True)
class FilmSpec:
    """`port` is the director's."""

    directory: Path
    port: int
    servers: tuple[FilmServer, ...]

    @property
    def log(self) -> Path:
        """What the director says of each request."""
        return self.directory / "film.log"

    @property
    def relay(self) -> Path:
        """Where the director's relay process is asked for its counters."""
        return self.directory / "state/media/relay.sock"

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{PATH}"


POOL = """\
  films:                                # one film on two servers
    servers:
{servers}
    scheduler: wlc
    media: [relay]                      # its UDP through a process of the director: no root here
    check: {{rtsp: true, every: 500ms, rise: 2, fall: 2}}
"""
SERVICE = """\
  film:
    protocol: rtsp
    listen: "127.0.0.1:{port}"
    access_log: {{format: json, path: {log}}}
    routes: {{pool: films}}
"""


def pool_text(spec: FilmSpec) -> str:
    servers = "\n".join(
        f'      - {{name: {each.name}, address: "127.0.0.1:{each.port}"}}' for each in spec.servers
    )
    return POOL.format(servers=servers)


def service_text(spec: FilmSpec) -> str:
    return SERVICE.format(port=spec.port, log=spec.log)


def mu_law(sample: int) -> int:
    """One sample of 16 bits as ITU-T G.711 has it."""
    level = min(abs(sample), CLIP) + BIAS
    segment = level.bit_length() - 8
    code = segment << 4 | (level >> (segment + 3) & 15)
    return ~(code | (0x80 if sample < 0 else 0)) & 0xFF


def tone(server: FilmServer) -> bytes:
    """A packet's worth."""
    turn = 2 * math.pi / server.period
    wave = bytes(mu_law(int(LOUDNESS * math.sin(turn * at))) for at in range(server.period))
    return wave * (PACKET // server.period)


def write(spec: FilmSpec, server: FilmServer) -> Path:
    """The folder of this server's clips."""
    folder = spec.directory / server.name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{PATH}.ulaw").write_bytes(tone(server) * (SECONDS * RATE // PACKET))
    return folder


def plan_film(port: int, ports: Sequence[int], directory: Path) -> FilmSpec:
    """`port`: the director's; `ports`: one for each server."""
    servers = tuple(
        FilmServer(f"v{number}", own, period)
        for number, (own, period) in enumerate(zip(ports, PERIODS, strict=True), 1)
    )
    return FilmSpec(directory, port, servers)
