import struct
import subprocess
from pathlib import Path

import pytest

from l7lb.demo import film_rules
from l7lb.demo.film_rules import mu_law, plan_film, tone


def test_each_server_sings_its_own_tone_in_whole_packets(tmp_path: Path) -> None:
    film = plan_film(8554, [1, 2], tmp_path)
    tones = [tone(server) for server in film.servers]
    assert tones[0] != tones[1]
    for server, packet in zip(film.servers, tones, strict=True):
        assert len(packet) == film_rules.PACKET
        folder = film_rules.write(film, server)
        assert folder == tmp_path / server.name
        assert (folder / "clip.ulaw").read_bytes() == packet * 1500
    assert film.url == "rtsp://127.0.0.1:8554/clip"


def test_too_few_ports_are_noticed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        plan_film(8554, [1], tmp_path)


def test_our_mu_law_is_that_of_ffmpeg() -> None:
    samples = [0, 1, -1, 7, 100, -100, 1000, -1000, 8000, -8000, 32767, -32768]
    words = ["-v", "error", "-f", "mulaw", "-ar", "8000", "-ac", "1", "-i", "-", "-f", "s16le", "-"]
    done = subprocess.run(
        ["ffmpeg", *words],
        input=bytes(map(mu_law, samples)),
        capture_output=True,
        timeout=55,
        check=True,
    )
    decoded = struct.unpack(f"<{len(samples)}h", done.stdout)
    for sample, heard in zip(samples, decoded, strict=True):
        assert abs(sample - heard) <= max(8, abs(sample) // 16)
