from collections.abc import Iterator
from pathlib import Path

import pytest

from support.running_director import Director, Origin


@pytest.fixture
def origins() -> Iterator[tuple[Origin, Origin]]:
    pair = Origin("a"), Origin("b")
    yield pair
    for origin in pair:
        origin.close()


@pytest.fixture(params=["uvloop", "asyncio"])
def on_each_loop(
    request: pytest.FixtureRequest, tmp_path: Path, origins: tuple[Origin, Origin]
) -> Iterator[Director]:
    """One that runs, on uvloop and on asyncio's own."""
    made = Director(tmp_path, *origins, loop=request.param)
    yield made.start()
    made.close()


@pytest.fixture
def director(idle_director: Director) -> Director:
    """One that runs."""
    return idle_director.start()


@pytest.fixture
def idle_director(tmp_path: Path, origins: tuple[Origin, Origin]) -> Iterator[Director]:
    """One to start by hand."""
    made = Director(tmp_path, *origins)
    yield made
    made.close()
