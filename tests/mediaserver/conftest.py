"""A house with one clip that lasts for minutes, and one that lasts for a quarter of a second."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from l7lb.mediaserver.process import House
from l7lb.mediaserver.spec import ServerSpec
from support.media_house import LONG, SHORT, sound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clip.ulaw").write_bytes(sound(LONG))
    (tmp_path / "short.ulaw").write_bytes(sound(SHORT))
    return tmp_path


@pytest.fixture
async def house(folder: Path) -> AsyncIterator[House]:
    house = House(ServerSpec("film-1", folder, sessions=3, connections=5))
    await house.start()
    yield house
    await house.close()
