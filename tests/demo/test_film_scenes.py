"""The film's scenes without a director: they must find fault when there is fault."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from l7lb.demo import film_scenes
from l7lb.demo.film_client import FilmFailed, Viewing
from l7lb.demo.film_rules import plan_film, tone
from l7lb.demo.film_scenes import FilmStage
from l7lb.demo.scenes import Tally, Unexpected
from l7lb.mediaserver.process import House
from support.film_stage import one_house, stage_before
from support.relay_rig import running_relay


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = await one_house(tmp_path)
    yield house
    await house.close()


@pytest.fixture
def stage(house: House, tmp_path: Path) -> FilmStage:
    return stage_before(house, tmp_path)


async def test_a_single_server_for_all_is_found_out(stage: FilmStage) -> None:
    with pytest.raises(Unexpected, match=r"media from \['v1'\]"):
        await film_scenes.watched(stage, "label", udp=False)
    assert stage.failures == []


async def test_packets_that_went_past_the_relay_are_found_out(
    stage: FilmStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def relayed(path: Path) -> int:
        return 7

    monkeypatch.setattr(film_scenes, "relayed", relayed)
    with pytest.raises(Unexpected, match="media from"):
        await film_scenes.watched(stage, "label", udp=True)
    tally = Tally()
    tally.answered.update({"v1": 50, "v2": 50, "relay": 99})
    with pytest.raises(Unexpected, match="100 packets came, 99 went the way"):
        film_scenes.meet(stage, "label", tally, {"v1", "v2"}, udp=True)
    tally.answered["relay"] = 100
    film_scenes.meet(stage, "label", tally, {"v1", "v2"}, udp=True)


async def test_a_player_that_nobody_serves_is_a_failure(
    stage: FilmStage, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.close()
    monkeypatch.setattr(film_scenes, "WAIT_S", 0.0)
    await film_scenes.watched(stage, "label", udp=False)
    assert len(stage.failures) == 1
    assert "no connection" in stage.failures[0]


def test_control_and_media_must_meet() -> None:
    tally = Tally()
    film_scenes.count(tally, Viewing("v1", "v1", 50, 0))
    film_scenes.count(tally, Viewing("v1", "v2", 50, 0))
    film_scenes.count(tally, Viewing("v1", "v1+v2", 50, 0))
    film_scenes.count(tally, FilmFailed("as told"))
    assert tally.answered["v1"] == 50
    wrong = ["control at v1, media from v2", "control at v1, media from v1+v2", "as told"]
    assert tally.failures == wrong
    with pytest.raises(ZeroDivisionError):
        film_scenes.count(tally, ZeroDivisionError())


async def test_the_relay_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_relay(tmp_path / "relay.sock"):
        assert await film_scenes.relayed(tmp_path / "relay.sock") == 0
    monkeypatch.setattr(film_scenes, "WAIT_S", 0.1)
    with pytest.raises(Unexpected, match="relay does not answer"):
        await film_scenes.relayed(tmp_path / "none.sock")


def logged(method: str, server: str, agent: str | None = "demo-ffmpeg-tcp") -> bytes:
    return json.dumps({"method": method, "server": server, "user_agent": agent}).encode() + b"\n"


async def test_ffmpeg_is_heard_and_looked_up(stage: FilmStage, tmp_path: Path) -> None:
    """The log is written by the test, as nobody else does here."""
    ffmpeg = film_scenes.find_ffmpeg()
    assert ffmpeg, "the package ffmpeg is not installed"
    stage.film.log.write_bytes(logged("PLAY", "v2"))

    async def director() -> None:
        with stage.film.log.open("ab") as log:
            log.write(logged("DESCRIBE", "v1") + logged("PLAY", "v1"))

    heard = await film_scenes.hear(stage.url, (ffmpeg, "tcp"))
    assert film_scenes.singer(stage.film, heard) == "v1"
    at = stage.film.log.stat().st_size
    looking = asyncio.create_task(film_scenes.logged(stage.film.log, at, "tcp"))
    await director()
    assert await looking == "v1"


async def test_ffmpeg_that_fails_is_a_failure(stage: FilmStage) -> None:
    """Whatever program it is, it must be quick and say something."""
    with pytest.raises(FilmFailed, match="ffmpeg: "):
        await film_scenes.hear(stage.url + "x", ("/usr/bin/ffmpeg", "tcp"))
    await film_scenes.watched_by_ffmpeg(stage, "label", ("/bin/true", "tcp"))
    assert stage.failures == ["ffmpeg: "]


async def test_ffmpeg_that_never_ends_is_ended(
    stage: FilmStage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setattr(film_scenes, "WAIT_S", 0.2)
    with pytest.raises(FilmFailed, match="not done"):
        await film_scenes.hear(stage.url, (str(slow), "tcp"))


def test_tones_name_servers(tmp_path: Path) -> None:
    film = plan_film(1, [2, 3], tmp_path)
    first, second = (tone(server) for server in film.servers)
    assert film_scenes.singer(film, second * 3) == "v2"
    assert film_scenes.singer(film, first + second) == "v1+v2"
    assert film_scenes.singer(film, first + b"x") == "nobody+v1"


async def test_what_the_log_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    assert film_scenes.met(log, 0, "tcp") == []
    others = logged("PLAY", "v1", None) + logged("PLAY", "v1", "demo-ffmpeg-udp")
    log.write_bytes(logged("DESCRIBE", "v1") + others + logged("PLAY", "v2")[:9])
    assert film_scenes.met(log, 0, "tcp") == []
    log.write_bytes(logged("DESCRIBE", "v1") + logged("PLAY", "v2"))
    assert film_scenes.met(log, 0, "tcp") == ["v1", "v2"]
    assert film_scenes.met(log, len(logged("DESCRIBE", "v1")), "tcp") == ["v2"]
    monkeypatch.setattr(film_scenes, "WAIT_S", 0.0)
    with pytest.raises(FilmFailed, match="does not speak of ffmpeg"):
        await film_scenes.logged(log, 1000, "tcp")
